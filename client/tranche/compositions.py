"""The training subsets of a measurement plan, so that the runs of one loop differ by what the plan varies alone."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from hashlib import shake_256
from operator import index

from tranche.questions import MeasurementPlan

Size = float | Mapping[str, int]
Pool = int | Sequence[int]


def subsets(plan: MeasurementPlan | Iterable[Size], pools: Mapping[str, Pool], seed: int) -> list[dict[str, list[int]]]:
    """Draws what to train on for each run of a measurement plan: per run and group the positions of its samples.

    Every run takes the first n samples of one fixed order of each group's, so that of two runs the one with more of a
    group has all that the other has, and both differ by the samples added and not by the luck of the draw.

    `pools` says how many samples of each group are held, by position 0 ≤ i < pools[group]: as one number, or as the
    numbers that came one after the other, those of the start first (`[400, 120, 80]`). What came later stands behind
    in the order, so that earlier runs' subsets stay as they were; of one number that has grown, new samples come in
    between, in an order that the old ones keep. The order of a part is random, from (seed, group, position).

    Instead of a plan sizes may be given: a fraction of every pool (0 < f ≤ 1, rounded, at least one sample of a pool
    that has any), or a count per group (a missing group is 0). Positions ascend. Raises ValueError for a size that the
    pools cannot give.
    """
    ranked = {group: _ranked(f"{seed}/{group}", pool) for group, pool in pools.items()}
    sizes = [run.counts for run in plan.runs] if isinstance(plan, MeasurementPlan) else plan
    wanted = [_counts({group: len(order) for group, order in ranked.items()}, size) for size in sizes]
    return [{group: sorted(ranked[group][:n]) for group, n in counts.items()} for counts in wanted]


def _ranked(label: str, pool: Pool) -> list[int]:
    """The positions of the pool in the group's order."""
    parts = list(pool) if isinstance(pool, Sequence) else [index(pool)]
    # SHAKE's output keeps its front when more of it is asked for: a sample's rank outlives a growing pool.
    keys = struct.unpack(f">{sum(parts)}Q", shake_256(label.encode()).digest(8 * sum(parts)))
    ranked: list[int] = []
    for part in parts:
        ranked += sorted(range(len(ranked), len(ranked) + part), key=keys.__getitem__)
    return ranked


def _counts(held: Mapping[str, int], size: Size) -> dict[str, int]:
    """Samples per group of one size. Raises ValueError for a size that the pools do not hold."""
    if not isinstance(size, Mapping):
        if not 0 < size <= 1:
            raise ValueError(f"a size is a fraction above 0 and at most 1, or a count per group; got {size}")
        return {group: min(n, max(1, round(size * n))) for group, n in held.items()}
    if unknown := sorted(size.keys() - held.keys()):
        raise ValueError(f"a size names groups without a pool: {', '.join(unknown)}")
    counts = {group: index(size.get(group, 0)) for group in held}
    for group, n in counts.items():
        if not 0 <= n <= held[group]:
            raise ValueError(f"a size asks for {n} samples of {group}; its pool holds {held[group]}")
    return counts
