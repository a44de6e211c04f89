"""Compositions of what is held that tell how groups of one model teach and harm each other (method.md 9).

A composition says how much of each group a run is trained on. *Nested* ones take one share of every group, and tell how
the curves fall; *cut* ones take a share of some groups and all of the others, and tell what the data of those does to
the others. Of many groups each is cut in two of SETS sets, so that the number of runs stays what it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.wording import listed, percent

NESTED = (1.0, 0.5, 0.25)
"""Shares of the nested runs that are usual."""
SMALLER = (0.125, 0.0625)
"""Shares of further nested runs that are considered once curves are known."""
CUT, HALF = 0.25, 0.5
"""To which shares groups are cut down: the first is usual, both are considered once curves are known."""
SETS = 8
"""Up to so many groups each is cut down alone; of more, each in two of so many sets."""
TRAINED = 0.1
"""A size this near a measured one, as a share, was trained on already."""
NAMED = 5
"""Of a set of more groups, so many are named."""
SHARE_WORDS = {0.5: "half", 0.25: "a quarter", 0.125: "an eighth", 0.0625: "a sixteenth"}


@dataclass(frozen=True)
class Composition:
    """counts: samples per group, whole, at most what is held. cut: the positions of the groups that are cut down to
    `share` of what is held; all groups are where it is empty."""

    counts: tuple[int, ...]
    share: float
    cut: tuple[int, ...] = ()

    def why(self, keys: Sequence[str]) -> str:
        """What a run on it tells, one sentence."""
        if not self.cut:
            if self.share == 1.0:
                return "All that is held: the model of today, from which the next purchase is judged."
            return f"{said(self.share).capitalize()} of every group: how the losses fall with more data."
        names = [keys[g] for g in self.cut]
        more = [f"{len(names) - NAMED:,} more groups"] if len(names) > NAMED else []
        whose = "their data does" if len(names) > 1 else f"the data of {names[0]} does"
        return f"{listed([*names[:NAMED], *more])} at {said(self.share)}, the rest whole: what {whose} to the others."


def usual(keys: Sequence[str], held: IntArray) -> list[Composition]:
    """What to train on while nothing is known: the nested compositions, then each group, or set of groups, at a
    quarter. keys, held [groups]: whole samples. Without repeats, so that one group alone has three."""
    return distinct([*(nested(held, share) for share in NESTED), *(cut(held, part, CUT) for part in parts(keys, held))])


def considered(keys: Sequence[str], held: IntArray) -> list[Composition]:
    """What runs are chosen from once curves are known."""
    alone = [cut(held, part, share) for part in parts(keys, held) for share in (CUT, HALF)]
    return distinct([*(nested(held, share) for share in (*NESTED, *SMALLER)), *alone])


def parts(keys: Sequence[str], held: IntArray) -> list[tuple[int, ...]]:
    """Groups that are cut down together, by their positions: those of which most is held first, as cutting them
    changes most; of groups of one size the first by key. Groups of a sample or none can't be cut."""
    order = sorted(np.flatnonzero(held > 1).tolist(), key=lambda g: (-held[g], keys[g]))
    if len(order) <= SETS:
        return [(g,) for g in order]
    sets: list[list[int]] = [[] for _ in range(SETS)]
    pairs = rounds_of_pairs()
    for place, g in enumerate(order):
        for one in pairs[place % len(pairs)]:
            sets[one].append(g)
    return [tuple(one) for one in sets]


def rounds_of_pairs() -> list[tuple[int, int]]:
    """All pairs of SETS sets, round by round of a tournament: each round holds every set once, so that sets filled in
    this order differ in length by at most one."""
    last = SETS - 1
    found = []
    for turn in range(last):
        found.append((turn, last))
        found += [((turn + step) % last, (turn - step) % last) for step in range(1, SETS // 2)]
    return found


def nested(held: IntArray, share: float) -> Composition:
    return Composition(tuple(shared(held, share).tolist()), share)


def cut(held: IntArray, members: tuple[int, ...], share: float) -> Composition:
    counts = held.copy()
    counts[list(members)] = shared(held, share)[list(members)]
    return Composition(tuple(counts.tolist()), share, members)


def shared(held: IntArray, share: float) -> IntArray:
    """The share of each group, at least one sample of what is held."""
    return np.maximum(np.round(held * share), np.minimum(held, 1)).astype(np.int64)


def distinct(compositions: Sequence[Composition]) -> list[Composition]:
    """Each counts once, where they first stand, and none without a sample."""
    first = {one.counts: one for one in reversed(compositions) if any(one.counts)}
    return [one for one in compositions if first.get(one.counts) is one]


def fresh(compositions: Sequence[Composition], made: FloatArray) -> list[Composition]:
    """Those that no run was trained on; made [runs, groups]: what runs were trained on."""
    return [one for one in compositions if not is_made(np.array(one.counts), made)]


def is_made(counts: IntArray, made: FloatArray) -> bool:
    return bool(np.any(np.all(np.abs(made - counts) <= TRAINED * counts, axis=1)))


def said(share: float) -> str:
    return SHARE_WORDS.get(share, percent(share))
