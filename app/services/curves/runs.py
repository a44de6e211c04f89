"""A project's runs as columns: read once, then grown by what came since."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.services.curves.readings import Reading
from app.services.curves.repeats import repeats_among

EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
Pair: TypeAlias = tuple[str, str]
"""A source and a group that it delivers."""
NOT_VOIDED = np.iinfo(np.int64).max
CELLS = ("counts", "values", "stderrs", "eval_sizes")
"""Fields of `Runs` that have a number for every run and group."""
BYTES_A_RUN = 500
"""About what a run's names take."""


@dataclass(frozen=True)
class Runs:
    """Runs in the order of their ids, all [runs] unless said otherwise.

    place: the column of each group that any run names. counts, values, stderrs, eval_sizes [runs, columns]: 0 samples
    where a run does not name the group, nan where nothing was measured or said. holdout: numbers into `holdouts`. mixed
    [runs, pairs]: samples of the counts that came from a source, pair: the column of each source and group that any run
    names. observed: microseconds since 1970. brought, voided: the data versions that brought a run and that voided it,
    NOT_VOIDED where none did.
    """

    ids: tuple[UUID, ...]
    external_ids: tuple[str | None, ...]
    hashes: tuple[str, ...]
    holdouts: tuple[str, ...]
    holdout: IntArray
    observed: IntArray
    brought: IntArray
    voided: IntArray
    place: Mapping[str, int]
    counts: FloatArray
    values: FloatArray
    stderrs: FloatArray
    eval_sizes: FloatArray
    pair: Mapping[Pair, int]
    mixed: FloatArray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """About what they take in memory."""
        cells = (self.counts, self.values, self.stderrs, self.eval_sizes, self.mixed)
        return sum(one.nbytes for one in cells) + BYTES_A_RUN * len(self)

    def taken(self, rows: IntArray | BoolArray) -> "Runs":
        """Those at `rows`, or where `rows` is True."""
        at = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        if len(at) == len(self) and bool(np.all(at == np.arange(len(self)))):
            return self
        picked = at.tolist()
        return replace(
            self,
            ids=tuple(self.ids[row] for row in picked),
            external_ids=tuple(self.external_ids[row] for row in picked),
            hashes=tuple(self.hashes[row] for row in picked),
            **{name: getattr(self, name)[at] for name in ("holdout", "observed", "brought", "voided", "mixed", *CELLS)},
        )

    def as_of(self, version: int) -> "Runs":
        """Those that a fit at the data version uses: brought by then, and not voided."""
        return self.taken((self.brought <= version) & (self.voided > version))

    def column(self, name: str, group: str) -> FloatArray:
        """One of CELLS of the group [runs]; of one that no run names, as `Runs` says of such."""
        at = self.place.get(group)
        if at is None:
            return np.full(len(self), 0.0 if name == "counts" else np.nan)
        return np.asarray(getattr(self, name)[:, at])

    def came_from(self, source: str, group: str) -> FloatArray:
        """How many of the group's samples came from the source [runs]."""
        at = self.pair.get((source, group))
        return np.zeros(len(self)) if at is None else np.asarray(self.mixed[:, at])

    def measured(self, group: str) -> IntArray:
        """The rows of the runs in which the group was measured."""
        return np.flatnonzero(~np.isnan(self.column("values", group)))

    def compositions(self, groups: Sequence[str]) -> FloatArray:
        """What each run was trained on [runs, groups]."""
        return np.stack([self.column("counts", key) for key in groups], axis=1) if groups else np.zeros((len(self), 0))

    @cached_property
    def sources_of(self) -> Mapping[str, tuple[str, ...]]:
        """The sources that any run names, by group, in the order of their keys."""
        found: dict[str, list[str]] = {}
        for source, group in self.pair:
            found.setdefault(group, []).append(source)
        return {group: tuple(sorted(sources)) for group, sources in found.items()}

    @property
    def in_time(self) -> IntArray:
        """Each run's place in the order in which they were observed; of those of one instant, as they came in."""
        return np.argsort(np.argsort(self.observed, kind="stable"), kind="stable")

    @cached_property
    def repeats(self) -> Mapping[int, int]:
        """The rows of runs all of whose measurements another one has, each with that other's row (see `repeats`)."""
        trained = np.concatenate([self.counts, self.mixed], axis=1) + 0.0
        alike: dict[Any, list[int]] = {}
        for row, holdout in enumerate(self.holdout.tolist()):
            alike.setdefault((holdout, trained[row].tobytes()), []).append(row)
        found: dict[int, int] = {}
        for rows in alike.values():
            if len(rows) > 1:
                found |= self._repeats_among(rows)
        return found

    def _repeats_among(self, alike: list[int]) -> dict[int, int]:
        cells = np.stack([getattr(self, name)[alike] for name in CELLS[1:]], axis=2) + 0.0
        measured = ~np.isnan(cells[:, :, 0])
        if np.all(measured == measured[0]):
            # Of the same groups, what says no more says the same.
            first: dict[bytes, int] = {}
            told = {row: first.setdefault(cells[at].tobytes(), row) for at, row in enumerate(alike)}
            return {row: other for row, other in told.items() if row != other}
        said = (
            frozenset((int(column), cells[at, column].tobytes()) for column in np.flatnonzero(measured[at]))
            for at in range(len(alike))
        )
        return repeats_among(zip(alike, said, strict=True))

    @cached_property
    def distinct(self) -> BoolArray:
        """False for repeats."""
        found = np.ones(len(self), dtype=np.bool_)
        found[list(self.repeats)] = False
        return found

    def name(self, row: int) -> str:
        """How a sentence names the run."""
        said = self.external_ids[row]
        return f"'{said}'" if said is not None else str(self.ids[row])

    def grown(self, rows: Iterable[Any], voided: Mapping[UUID, int]) -> "Runs":
        """With `rows` of `store.run_rows` that came since, and runs `voided` since by the versions that did."""
        found = joined([self, runs_of_rows(rows)])
        if voided:
            when = [voided.get(one, old) for one, old in zip(found.ids, found.voided.tolist(), strict=True)]
            found = replace(found, voided=np.array(when, dtype=np.int64))
        return found


@dataclass
class _Columns:
    """Where the cells of rows go, the rows of one set of groups together."""

    place: dict[str, int] = field(default_factory=dict)
    known: dict[tuple[str, ...], IntArray] = field(default_factory=dict)

    def of(self, keys: Iterable[str]) -> IntArray:
        named = tuple(keys)
        if named not in self.known:
            at = [self.place.setdefault(key, len(self.place)) for key in named]
            self.known[named] = np.array(at, dtype=np.int64)
        return self.known[named]


def runs_of_rows(rows: Iterable[Any]) -> Runs:
    """Rows of `store.run_rows` as columns."""
    listed, columns = list(rows), _Columns()
    where = [(columns.of(row.counts), columns.of(row.metrics)) for row in listed]
    came = {
        (number, (source, group)): count
        for number, row in enumerate(listed)
        for source, of_groups in (row.origin or {}).items()
        for group, count in of_groups.items()
    }
    pair = {one: at for at, one in enumerate(dict.fromkeys(one for _, one in came))}
    mixed = np.zeros((len(listed), len(pair)))
    for (number, one), count in came.items():
        mixed[number, pair[one]] = count
    shape = (len(listed), len(columns.place))
    counts, cells = np.zeros(shape), np.full((3, *shape), np.nan)
    for number, (row, (trained, measured)) in enumerate(zip(listed, where, strict=True)):
        counts[number, trained] = list(row.counts.values())
        cells[:, number, measured] = np.array([cells_of(said) for said in row.metrics.values()], dtype=np.float64).T
    holdouts = {name: code for code, name in enumerate(dict.fromkeys(row.holdout for row in listed))}
    return Runs(
        ids=tuple(row.id for row in listed),
        external_ids=tuple(row.external_id for row in listed),
        hashes=tuple(row.content_hash for row in listed),
        holdouts=tuple(holdouts),
        holdout=np.array([holdouts[row.holdout] for row in listed], dtype=np.int64),
        observed=np.array([(row.observed_at - EPOCH) // MICROSECOND for row in listed], dtype=np.int64),
        brought=np.array([row.data_version for row in listed], dtype=np.int64),
        voided=np.array([voided_of(row.voided_version) for row in listed], dtype=np.int64),
        place=columns.place,
        counts=counts,
        values=cells[0],
        stderrs=cells[1],
        eval_sizes=cells[2],
        pair=pair,
        mixed=mixed,
    )


def voided_of(version: int | None) -> int:
    return NOT_VOIDED if version is None else version


def cells_of(said: Mapping[str, Any]) -> tuple[float | None, ...]:
    """A reading's parts; what was not said becomes nan."""
    return said["value"], said.get("stderr"), said.get("eval_size")


def joined(parts: Sequence[Runs]) -> Runs:
    """The runs of all parts, in the order of their ids."""
    names = dict.fromkeys(name for part in parts for name in part.holdouts)
    codes = {name: code for code, name in enumerate(names)}
    place = {key: at for at, key in enumerate(dict.fromkeys(key for part in parts for key in part.place))}
    pair = {one: at for at, one in enumerate(dict.fromkeys(one for part in parts for one in part.pair))}
    mixed = np.zeros((sum(map(len, parts)), len(pair)))
    first = 0
    for part in parts:
        mixed[first : first + len(part), [pair[one] for one in part.pair]] = part.mixed
        first += len(part)
    cells: dict[str, Any] = {}
    for name in CELLS:
        table = np.full((sum(map(len, parts)), len(place)), 0.0 if name == "counts" else np.nan)
        first = 0
        for part in parts:
            table[first : first + len(part), [place[key] for key in part.place]] = getattr(part, name)
            first += len(part)
        cells[name] = table
    found = Runs(
        ids=tuple(one for part in parts for one in part.ids),
        external_ids=tuple(one for part in parts for one in part.external_ids),
        hashes=tuple(one for part in parts for one in part.hashes),
        holdouts=tuple(names),
        holdout=np.concatenate(
            [np.array([codes[name] for name in part.holdouts], dtype=np.int64)[part.holdout] for part in parts]
        ),
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in ("observed", "brought", "voided")},
        place=place,
        **cells,
        pair=pair,
        mixed=mixed,
    )
    return found.taken(np.array(sorted(range(len(found)), key=found.ids.__getitem__), dtype=np.int64))


def reading_of(runs: Runs, row: int, group: str) -> Reading:
    """What a run measured of a group."""
    value, stderr, size = (float(runs.column(name, group)[row]) for name in CELLS[1:])
    return Reading(value, None if np.isnan(stderr) else stderr, None if np.isnan(size) else int(size))
