"""What the report says of closed rounds: what other splits of their money would have come to."""

from collections.abc import Sequence

from app.errors import TrancheError
from app.services.exports.dossier import Dossier
from app.services.signing.hindsight_words import sentence


def hindsight_lines(dossier: Dossier) -> Sequence[tuple[str, str]]:
    """(which round, what is said of it), all together first and then the newest; none where none is closed or nothing
    is known of the metric. Raises what passes."""
    try:
        found = dossier.hindsight
    except TrancheError as error:
        if error.passes:
            raise
        return []
    project, labels = dossier.project, dossier.labels
    lines = [(f"Round {one.number}", sentence(project, found, one.review, labels)) for one in reversed(found.rounds)]
    together = [("All rounds", sentence(project, found, found.together, labels))] if len(lines) > 1 else []
    return [*together, *lines]
