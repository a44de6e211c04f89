"""Runs posted again under another id: they say nothing new, so the fit takes them once."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar
from uuid import UUID

from app.planner.wording import Warning, listed

Said: TypeAlias = frozenset[Hashable]
"""A run's measurements, each with its group."""


class Run(Protocol):
    """What tells repeats of a stored run, or of one that is being stored."""

    @property
    def id(self) -> UUID: ...
    @property
    def external_id(self) -> str | None: ...
    @property
    def counts(self) -> Mapping[str, Any]: ...
    @property
    def metrics(self) -> Mapping[str, Any]: ...
    @property
    def origin(self) -> Mapping[str, Any] | None: ...
    @property
    def holdout(self) -> str: ...


SomeRun = TypeVar("SomeRun", bound=Run)
NAMED = 5
"""So many repeats are named; of the others, their number is told."""


def repeats_of(runs: Sequence[SomeRun]) -> dict[UUID, SomeRun]:
    """The runs all of whose measurements another one has, by their ids, each with that other one.

    The same samples of every group, of the same origin, the same holdout, and for every group it measures the same
    value, standard error and evaluation size. Of equal runs the first is the one; a run that measures more comes before
    one that measures less. Another seed or another subset gives another value.
    """
    trained: dict[Hashable, list[int]] = {}
    for row, run in enumerate(runs):
        counts = frozenset((key, count) for key, count in run.counts.items() if count)
        came = frozenset((key, *sorted(of.items())) for key, of in (run.origin or {}).items())
        trained.setdefault((counts, came, run.holdout), []).append(row)
    found: dict[UUID, SomeRun] = {}
    for rows in trained.values():
        if len(rows) > 1:
            repeats = repeats_among((row, said_by(runs[row])) for row in rows)
            found |= {runs[row].id: runs[first] for row, first in repeats.items()}
    return found


def said_by(run: Run) -> Said:
    return frozenset((group, *sorted(reading.items())) for group, reading in run.metrics.items())


def repeats_among(alike: Iterable[tuple[int, Said]]) -> dict[int, int]:
    """`repeats_of` runs on the same samples and holdout, each by its number and with what it says."""
    seen: dict[Hashable, list[tuple[Said, int]]] = {}
    found = {}
    for row, said in sorted(alike, key=lambda one: -len(one[1])):
        # Who has all of them has any one of them.
        others = seen.get(next(iter(said), None), [])
        first = next((other for has, other in others if said <= has), None)
        if first is not None:
            found[row] = first
            continue
        for one in said:
            seen.setdefault(one, []).append((said, row))
    return found


def repeated_runs(runs: Sequence[Run], repeats: Mapping[UUID, Run]) -> list[Warning]:
    """The warning that names the repeats among `runs`; none where there are none."""
    return repeats_told([(name_of(run), name_of(repeats[run.id])) for run in runs if run.id in repeats])


def repeats_told(pairs: Sequence[tuple[str, str]]) -> list[Warning]:
    """The warning that names repeats, each with the run that it repeats; none where there are none."""
    if not pairs:
        return []
    names = [f"{repeat} (as {first})" for repeat, first in pairs[:NAMED]]
    more = [f"{len(pairs) - NAMED:,} more"] if len(pairs) > NAMED else []
    detail = (
        f"Said before to the last digit, by a run on the same samples and holdout, and taken once:"
        f" {listed([*names, *more])}. Post a run once; one trained again has values of its own."
    )
    return [Warning("repeated_runs", detail)]


def name_of(run: Run) -> str:
    return f"'{run.external_id}'" if run.external_id is not None else str(run.id)
