"""What a sample of one group is worth to another, where one model is trained on all groups' data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.planner.curves import Posterior, Received
from app.services.forecasts.curves import Summary, misfits_of

MOST_IN_TABLE = 12
"""What samples are worth to each other is shown group by group up to so many, beyond for so many pairs."""


@dataclass(frozen=True)
class Pair:
    """What a sample of the group named `source` is worth to the one named `group`, in own samples."""

    group: str
    source: str
    worth: Received


@dataclass(frozen=True)
class Worths:
    """By the names of the groups: what a sample of each, in its order, is worth to a group, None: own ones, or nothing;
    and what misfit takes of it now. pairs: instead, where there are many groups, those that are worth most."""

    rows: Sequence[tuple[str, Sequence[Received | None], Summary | None]]
    pairs: Sequence[Pair]

    @property
    def clash(self) -> bool:
        """Whether misfit takes from any."""
        return any(misfit is not None for _, _, misfit in self.rows)


def worths_of(posterior: Posterior, names: Mapping[str, str]) -> Worths | None:
    """What the groups' samples are worth to each other; None where nothing is known of it."""
    if posterior.transfer is None:
        return None
    received = dict(zip(posterior.keys, posterior.transfer.received, strict=True))
    if len(received) > MOST_IN_TABLE:
        pairs = [Pair(names[key], names[one.source], one) for key, row in received.items() for one in row]
        return Worths((), sorted(pairs, key=lambda pair: -pair.worth.mean)[:MOST_IN_TABLE])
    rows = []
    misfits = misfits_of(posterior, posterior.transfer.held)
    for (key, row), misfit in zip(received.items(), misfits, strict=True):
        by_source = {one.source: one for one in row}
        rows.append((names[key], [by_source.get(source) for source in received], misfit))
    return Worths(rows, ())
