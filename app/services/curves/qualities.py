"""What samples of sources are worth, as the runs that name them show it."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from sqlalchemy.orm import Session

from app.planner.curves import Points
from app.planner.quality import Mixture, learn_qualities
from app.planner.utility import Metric
from app.services.curves.prior import prior_for
from app.services.curves.readings import standard_errors
from app.services.curves.runs import Runs
from app.services.ledger.worths import CLEAN, Learnt, Trained, Worths, worth_of
from app.store import projects as store
from app.store.models.projects import Project


def worths_of(session: Session, project: Project) -> Worths:
    """Of the project's sources, archived ones too, those that are not known to be clean."""
    return {one.key: worth_of(one) for one in store.discounted_sources(session, project.id)}


def learn(kind: str, metric: Metric, worths: Worths, runs: Runs, groups: Iterable[str]) -> Learnt:
    """What `runs`, those that a fit is to use, say of the sources that they name; kind: of the metric. groups: those
    that are fitted."""
    bare = _bare(runs)
    if not runs.pair:
        return Learnt(bare=bare)
    named = {source: worths.get(source, CLEAN) for source, _ in runs.pair}
    trained = {key: _trained(runs, key) for key in runs.sources_of}
    if all(worth.is_exact for worth in named.values()):
        return Learnt(trained=trained, bare=bare)
    mixtures = [one for key in groups if (one := _mixture(kind, metric, runs, key)) is not None]
    found = learn_qualities(mixtures, named, metric.span, prior_for(metric.span))
    return Learnt({(key, named[key]): one for key, one in found.items() if not one.is_exact}, trained, bare)


def _bare(runs: Runs) -> dict[str, int]:
    most = runs.counts.max(axis=0, initial=0.0)
    found = {key: int(most[at]) for key, at in runs.place.items() if key not in runs.sources_of}
    for key, sources in runs.sources_of.items():
        came = np.sum([runs.came_from(source, key) for source in sources], axis=0)
        found[key] = int(runs.column("counts", key)[came == 0.0].max(initial=0.0))
    return found


def _trained(runs: Runs, group: str) -> Trained:
    came = {source: runs.came_from(source, group) for source in runs.sources_of[group]}
    clean = runs.column("counts", group) - np.sum(list(came.values()), axis=0)
    return Trained(int(clean.max(initial=0.0)), {source: int(n.max(initial=0.0)) for source, n in came.items()})


def _mixture(kind: str, metric: Metric, runs: Runs, group: str) -> Mixture | None:
    """The group's measurements, None where no source had a part in any."""
    sources = runs.sources_of.get(group, ())
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
