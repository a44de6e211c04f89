"""Runs as they came in, before they are checked against a project."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from app.errors import escape
from app.services.curves.readings import Reading
from app.services.observations.alike import digest


@dataclass
class Draft:
    """A run as it came in. `at` is its JSON pointer; in CSV, `lines` holds the line of each of its groups."""

    at: str
    external_id: str | None
    counts: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, Reading] = field(default_factory=dict)
    holdout: str | None = None
    recipe: str | None = None
    observed_at: datetime | None = None
    lines: dict[str, int] = field(default_factory=dict)

    def place(self, part: str, group: str = "") -> str:
        """Where in the request `part` (of `group`) stands."""
        if self.lines:
            return f"line {self.lines.get(group, min(self.lines.values()))}"
        return f"{self.at}/{part}" + (f"/{escape(group)}" if group else "")

    @cached_property
    def content(self) -> str:
        """A hash of all that was said: equal for a repeat, other for another run."""
        said = {
            "counts": self.counts,
            "metrics": {key: vars(reading) for key, reading in self.metrics.items()},
            "holdout": self.holdout,
            "recipe": self.recipe,
            "observed_at": self.observed_at.isoformat() if self.observed_at else None,
        }
        return digest(said)
