"""Runs posted again under another id: they say nothing new, so the fit takes them once."""

from collections.abc import Hashable, Mapping, Sequence
from uuid import UUID

from app.planner.wording import Warning, listed
from app.store.models.observations import Observation

NAMED = 5
"""So many repeats are named; of the others, their number is told."""


def repeats_of(runs: Sequence[Observation]) -> dict[UUID, Observation]:
    """The runs all of whose measurements another one has, by their ids, each with that other one.

    The same samples of every group, the same holdout, and for every group it measures the same value, standard error
    and evaluation size. Of equal runs the first is the one; a run that measures more comes before one that measures
    less. Another seed or another subset gives another value.
    """
    trained: dict[Hashable, list[Observation]] = {}
    for run in runs:
        counts = frozenset((key, count) for key, count in run.counts.items() if count)
        trained.setdefault((counts, run.holdout), []).append(run)
    found: dict[UUID, Observation] = {}
    for alike in trained.values():
        if len(alike) > 1:
            found |= _repeats_among(alike)
    return found


def _repeats_among(alike: Sequence[Observation]) -> dict[UUID, Observation]:
    """`repeats_of` runs on the same samples and holdout."""
    seen: dict[Hashable, list[tuple[frozenset[Hashable], Observation]]] = {}
    found = {}
    for run in sorted(alike, key=lambda one: -len(one.metrics)):
        said = frozenset((group, *sorted(reading.items())) for group, reading in run.metrics.items())
        # Who has all of them has any one of them.
        others = seen.get(next(iter(said), None), [])
        first = next((other for has, other in others if said <= has), None)
        if first is not None:
            found[run.id] = first
            continue
        for one in said:
            seen.setdefault(one, []).append((said, run))
    return found


def distinct(runs: Sequence[Observation], repeats: Mapping[UUID, Observation]) -> list[Observation]:
    """The runs less the repeats."""
    return [run for run in runs if run.id not in repeats]


def repeated_runs(runs: Sequence[Observation], repeats: Mapping[UUID, Observation]) -> list[Warning]:
    """The warning that names the repeats among `runs`; none where there are none."""
    names = [f"{name_of(run)} (as {name_of(repeats[run.id])})" for run in runs if run.id in repeats]
    if not names:
        return []
    more = [f"{len(names) - NAMED:,} more"] if len(names) > NAMED else []
    detail = (
        f"Said before to the last digit, by a run on the same samples and holdout, and taken once:"
        f" {listed([*names[:NAMED], *more])}. Post a run once; one trained again has values of its own."
    )
    return [Warning("repeated_runs", detail)]


def name_of(run: Observation) -> str:
    return f"'{run.external_id}'" if run.external_id is not None else str(run.id)
