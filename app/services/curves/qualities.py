"""What samples of sources are worth: as their rows say it, and as the runs that name them show it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

import numpy as np
from sqlalchemy.orm import Session

from app.planner.curves import Points
from app.planner.quality import Mixture, Quality, Worth, learn_qualities
from app.planner.utility import Metric
from app.services.curves.prior import prior_for
from app.services.curves.readings import standard_errors
from app.services.curves.runs import Runs
from app.store import projects as store
from app.store.models.projects import Project

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


def worths_of(session: Session, project: Project) -> Worths:
    """Of the project's sources, archived ones too, those that are not known to be clean."""
    return {one.key: worth_of(one) for one in store.discounted_sources(session, project.id)}


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


def learn(kind: str, metric: Metric, worths: Worths, runs: Runs, groups: Iterable[str]) -> Learnt:
    """What `runs`, those that a fit is to use, say of the sources that they name; kind: of the metric. groups: those
    that are fitted."""
    bare = _bare(runs)
    if not runs.pair:
        return Learnt(bare=bare)
    named = {source: worths.get(source, CLEAN) for source, _ in runs.pair}
    trained = {key: _trained(runs, key) for key in dict.fromkeys(key for _, key in runs.pair)}
    if all(worth.is_exact for worth in named.values()):
        return Learnt(trained=trained, bare=bare)
    mixtures = [one for key in groups if (one := _mixture(kind, metric, runs, key)) is not None]
    found = learn_qualities(mixtures, named, metric.span, prior_for(metric.span))
    return Learnt({(key, named[key]): one for key, one in found.items() if not one.is_exact}, trained, bare)


def _bare(runs: Runs) -> dict[str, int]:
    named = {key for _, key in runs.pair}
    most = runs.counts.max(axis=0, initial=0.0)
    found = {key: int(most[at]) for key, at in runs.place.items() if key not in named}
    for key in named:
        came = np.sum([runs.came_from(source, of) for source, of in runs.pair if of == key], axis=0)
        found[key] = int(runs.column("counts", key)[came == 0.0].max(initial=0.0))
    return found


def _trained(runs: Runs, group: str) -> Trained:
    came = {source: runs.came_from(source, group) for source, key in runs.pair if key == group}
    clean = runs.column("counts", group) - np.sum(list(came.values()), axis=0)
    return Trained(int(clean.max(initial=0.0)), {source: int(n.max(initial=0.0)) for source, n in came.items()})


def _mixture(kind: str, metric: Metric, runs: Runs, group: str) -> Mixture | None:
    """The group's measurements, None where no source had a part in any."""
    sources = tuple(sorted(source for source, key in runs.pair if key == group))
    rows = runs.measured(group)
    if not sources or not len(rows):
        return None
    came = np.stack([runs.came_from(source, group)[rows] for source in sources], axis=1)
    if not came.any():
        return None
    values, stderrs, sizes = (runs.column(name, group)[rows] for name in ("values", "stderrs", "eval_sizes"))
    points = Points(
        counts=runs.column("counts", group)[rows],
        losses=metric.to_loss(values),
        stderrs=standard_errors(kind, values, stderrs, sizes),
        holdouts=runs.holdout[rows],
    )
    return Mixture(points, sources, came)


def in_clean(runs: Runs, worths: Worths, learnt: Learnt) -> Runs:
    """The runs with their counts in clean samples, whole ones."""
    if not runs.pair:
        return runs
    worth, counts = learnt.by_source(worths), runs.counts.copy()
    for (source, group), at in runs.pair.items():
        if group in runs.place:
            counts[:, runs.place[group]] -= (1.0 - worth.get(source, 1.0)) * runs.mixed[:, at]
    return replace(runs, counts=np.maximum(np.round(counts), 0.0))


def at_the_start(initial: int, trained: Trained | None, brought: Mapping[str, int]) -> dict[str, float]:
    """How many of a group's samples at the start came from sources: what its runs were trained on of them beyond what
    was `brought` since, as far as not all of what was there is known to be clean."""
    if trained is None:
        return {}
    came = {source: max(0, most - brought.get(source, 0)) for source, most in trained.came.items()}
    room, total = max(0, initial - trained.clean), sum(came.values())
    return {source: n * min(1.0, room / total) for source, n in came.items() if n} if total else {}
