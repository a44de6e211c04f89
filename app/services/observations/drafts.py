"""Runs as they came in, before they are checked against a project."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from app.errors import escape
from app.services.curves.readings import Reading
from app.services.observations.alike import digest

MOST_CANDIDATES = 1_000_000
"""The most candidates that a run may say it was chosen from."""


@dataclass
class Draft:
    """A run as it came in. `at` is its JSON pointer; in CSV, `lines` holds the line of each of its groups, and
    `origin_lines` that of each source and group. `origin`: how many of the counts came from which source, none 0."""

    at: str
    external_id: str | None
    counts: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, Reading] = field(default_factory=dict)
    origin: dict[str, dict[str, int]] = field(default_factory=dict)
    holdout: str | None = None
    recipe: str | None = None
    chosen_from: int | None = None
    observed_at: datetime | None = None
    lines: dict[str, int] = field(default_factory=dict)
    origin_lines: dict[tuple[str, str], int] = field(default_factory=dict)

    def place(self, part: str, group: str = "") -> str:
        """Where in the request `part` (of `group`) stands."""
        if self.lines:
            return f"line {self.lines.get(group, min(self.lines.values()))}"
        return f"{self.at}/{part}" + (f"/{escape(group)}" if group else "")

    def place_of_source(self, source: str, group: str = "") -> str:
        """Where in the request it stands what came from a source (of `group`)."""
        lines = [line for (one, key), line in self.origin_lines.items() if one == source and group in ("", key)]
        if lines:
            return f"line {min(lines)}"
        return f"{self.at}/from/{escape(source)}" + (f"/{escape(group)}" if group else "")

    @cached_property
    def content(self) -> str:
        """A hash of all that was said: equal for a repeat, other for another run."""
        said: dict[str, Any] = {
            "counts": self.counts,
            "metrics": {key: vars(reading) for key, reading in self.metrics.items()},
            "holdout": self.holdout,
            "recipe": self.recipe,
            "observed_at": self.observed_at.isoformat() if self.observed_at else None,
        }
        # What says neither hashes as it did before runs could say it.
        if self.origin:
            said["from"] = self.origin
        if self.candidates > 1:
            said["chosen_from"] = self.candidates
        return digest(said)

    @property
    def candidates(self) -> int:
        """How many were compared on the holdout to choose this run's; 1 where nothing is said."""
        return self.chosen_from or 1


def without_none(origin: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """What came from sources, counts of 0 left out: they say nothing."""
    some = {source: {key: n for key, n in counts.items() if n} for source, counts in origin.items()}
    return {source: counts for source, counts in some.items() if counts}
