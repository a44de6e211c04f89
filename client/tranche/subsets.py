"""Nested training subsets, so that the runs of one loop are paired."""

import struct
from collections.abc import Iterable, Mapping
from hashlib import shake_256
from operator import index

Size = float | Mapping[str, int]


def nested_subsets(pools: Mapping[str, int], sizes: Iterable[Size], seed: int) -> list[dict[str, list[int]]]:
    """Draws training subsets of which each smaller one lies in each larger one, group by group.

    Runs on nested subsets are paired: they differ by the samples added and not by the luck of the draw.

    `pools` says how many samples of each group are held. A size is a fraction of every pool (0 < f ≤ 1,
    rounded, at least one sample of a pool that has any), or a count per group (a missing group is 0). The
    answer holds, per size, the positions 0 ≤ i < pools[group] to train on, ascending.

    Every position has a random rank from (seed, group, position), and a subset is the lowest ranks. So the
    order of groups does not matter, and when samples are appended to a pool the subset of a given count may
    take in new samples, but no old one that it was without. Raises ValueError for a size that the pools
    cannot give.
    """
    ranked = {group: _ranked(f"{seed}/{group}", held) for group, held in pools.items()}
    wanted = [_counts(pools, size) for size in sizes]
    return [{group: sorted(ranked[group][:n]) for group, n in counts.items()} for counts in wanted]


def _ranked(label: str, n: int) -> list[int]:
    # SHAKE's output keeps its front when more of it is asked for: a sample's rank outlives a growing pool.
    keys = struct.unpack(f">{n}Q", shake_256(label.encode()).digest(8 * n))
    return sorted(range(n), key=keys.__getitem__)


def _counts(pools: Mapping[str, int], size: Size) -> dict[str, int]:
    """Samples per group of one size. Raises ValueError for a size that the pools do not hold."""
    if not isinstance(size, Mapping):
        if not 0 < size <= 1:
            raise ValueError(f"a size is a fraction above 0 and at most 1, or a count per group; got {size}")
        return {group: min(held, max(1, round(size * held))) for group, held in pools.items()}
    if unknown := sorted(size.keys() - pools.keys()):
        raise ValueError(f"a size names groups without a pool: {', '.join(unknown)}")
    counts = {group: index(size.get(group, 0)) for group in pools}
    for group, n in counts.items():
        if not 0 <= n <= pools[group]:
            raise ValueError(f"a size asks for {n} samples of {group}; its pool holds {pools[group]}")
    return counts
