"""What is said of sources' qualities and what runs showed of them: what holdings are counted by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from app.planner.quality import Quality, Worth

Worths: TypeAlias = Mapping[str, Worth]
"""By source what is said of its quality; sources that are not named are worth 1."""
CLEAN = Worth(1.0, 0.0)


class Stated(Protocol):
    """The columns of a source that say its quality."""

    @property
    def quality(self) -> float | None: ...
    @property
    def quality_p05(self) -> float | None: ...
    @property
    def quality_p95(self) -> float | None: ...


def worth_of(source: Stated) -> Worth:
    """A number, an interval, or nothing: then it is learned."""
    if source.quality is not None:
        return Worth(source.quality, 0.0)
    if source.quality_p05 is None or source.quality_p95 is None:
        return Worth()
    return Worth.between(source.quality_p05, source.quality_p95)


@dataclass(frozen=True)
class Trained:
    """Of a group's runs: the most clean samples that one was trained on, and by source the most that came from it."""

    clean: int
    came: Mapping[str, int]


@dataclass(frozen=True)
class Learnt:
    """What runs say of sources. qualities: by source and what was said of it. trained: by group, where runs name any
    source. bare: by group the most samples of a run that names none of them."""

    qualities: Mapping[tuple[str, Worth], Quality] = field(default_factory=dict)
    trained: Mapping[str, Trained] = field(default_factory=dict)
    bare: Mapping[str, int] = field(default_factory=dict)

    def quality(self, key: str, worth: Worth) -> Quality:
        """What is known of a source of which `worth` is said."""
        return self.qualities.get((key, worth)) or Quality.of(worth)

    def by_source(self, worths: Worths) -> dict[str, float]:
        """Clean samples that one of each source is worth."""
        return {key: self.quality(key, worth).mean for key, worth in worths.items()}


NOTHING_LEARNT = Learnt()


def at_the_start(initial: int, trained: Trained | None, brought: Mapping[str, int]) -> dict[str, float]:
    """How many of a group's samples at the start came from sources: what its runs were trained on of them beyond what
    was `brought` since, as far as not all of what was there is known to be clean."""
    if trained is None:
        return {}
    came = {source: max(0, most - brought.get(source, 0)) for source, most in trained.came.items()}
    room, total = max(0, initial - trained.clean), sum(came.values())
    return {source: n * min(1.0, room / total) for source, n in came.items() if n} if total else {}
