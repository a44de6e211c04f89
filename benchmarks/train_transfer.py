"""Trains what groups that are trained together are believed to have in common: the weights of the strata (transfer,
exponent, conflict, gain) of the joint response, on tables of retrained models.

    python benchmarks/joint_tables.py --tables .tables
    python benchmarks/train_transfer.py --tables .tables [--out app/services/curves/data/transfer.json]

Of every table a few sets of its runs stand for projects. With Z the log evidence of a set in each stratum, a table
gives its vote to the strata in proportion to w e^Z, the mean over its sets; the weights w are the tables' votes and
`strength` votes that go by the levels' own shares, as if the levels had nothing to do with each other, each level with
`even` votes more, so that no stratum is ruled out by the few tables there are. Both numbers are those with which tables
of a family (census, NHANES, genomes) that was left out are told best: log Σ w e^Z, over that of equal weights. Same
tables and seed, same file.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before NumPy: sums must not depend on the threads

import argparse
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import results_files
from joint_tables import NAMES, read
from mixtures import observed
from scipy.special import logsumexp, softmax

from app.planner.arrays import FloatArray
from app.planner.borrowing.joint_fit import classes_of, compositions
from app.planner.borrowing.joint_peaks import peaks
from app.planner.borrowing.joint_sampling import Law
from app.planner.borrowing.strata import CONFLICTS, EXPONENTS, GAIN_LEVELS, STRATA, TRANSFERS, centres
from app.planner.curves import Observations

HERE = Path(__file__).parent
SIZES = (12, 24, 40)
"""Runs of a table's sets: those of a project after one, two and four rounds or so."""
CANDIDATES = 100
"""Of a group in every stratum."""
STRENGTHS, EVEN = (8.0, 32.0, 128.0), (1.0, 3.0, 10.0, 30.0)
STEPS, CLOSE = 300, 1e-9
Levels = tuple[FloatArray, ...]
"""The levels of each axis; strata are all combinations, the last axis running fastest."""


@dataclass(frozen=True)
class Told:
    """evidence [sets, J]: log evidence of a table's sets in every stratum."""

    name: str
    family: str
    evidence: FloatArray


def strata_evidence(observations: Observations, seed: int) -> FloatArray:
    """Log evidence of each stratum [J]: the sum of the groups', each by importance sampling about its peak."""
    classes = classes_of(observations)
    mean, sd = centres(int(classes.max()) + 1)
    random = np.random.default_rng(seed)
    stratum = np.repeat(np.arange(len(STRATA)), CANDIDATES)
    found = np.zeros(len(STRATA))
    for one in compositions(observations, classes):
        if one is not None:
            found += Law.about(peaks(one, mean, sd), mean, sd).drawn(one, stratum, None, random).by_stratum()
    return found


def levels() -> Levels:
    """The engine's."""
    return tuple(np.array(axis) for axis in (TRANSFERS, EXPONENTS, CONFLICTS, GAIN_LEVELS))


def told(folder: Path, name: str, seed: int) -> Told:
    """The evidence of sets of one table's runs, each of one split."""
    table, found = read(folder, name), []
    for number, size in enumerate(SIZES):
        random = np.random.default_rng((seed, number))
        rows = np.flatnonzero(table.split == number % (table.split.max() + 1))
        some = table.taken(random.choice(rows, min(size, len(rows)), replace=False))
        known = observed(some.counts, some.losses, some.stderrs, 1.0 if table.bounded else None)
        found.append(strata_evidence(known, seed))
    return Told(name, table.family, np.array(found))


def trained(tables: Sequence[Told], shape: tuple[int, ...], strength: float, even: float) -> FloatArray:
    """Weights of the strata [J]; shape: the number of levels of each axis."""
    weights = np.full(int(np.prod(shape)), 1.0 / np.prod(shape))
    for _ in range(STEPS):
        votes = np.sum([softmax(np.log(weights) + one.evidence, axis=1).mean(axis=0) for one in tables], axis=0)
        before, weights = weights, (votes + strength * apart(votes, shape, even)) / (len(tables) + strength)
        if np.abs(weights - before).max() < CLOSE:
            break
    return np.asarray(weights)


def apart(votes: FloatArray, shape: tuple[int, ...], even: float) -> FloatArray:
    """The product of the axes' shares [J], each level with `even` votes more."""
    cube, found = votes.reshape(shape), np.ones(1)
    for axis in range(len(shape)):
        share = cube.sum(axis=tuple(other for other in range(len(shape)) if other != axis)) + even
        found = np.outer(found, share / share.sum()).ravel()
    return found


def gain(one: Told, weights: FloatArray) -> float:
    """Log evidence of the weights over that of equal ones, the mean over the table's sets."""
    ahead = logsumexp(np.log(weights) + one.evidence, axis=1) - logsumexp(one.evidence, axis=1) + np.log(len(weights))
    return float(ahead.mean())


def without(tables: Sequence[Told], family: str) -> list[Told]:
    return [one for one in tables if one.family != family]


def left_out(tables: Sequence[Told], shape: tuple[int, ...], strength: float, even: float) -> dict[str, float]:
    """By table: its gain when its whole family was left out."""
    families = dict.fromkeys(one.family for one in tables)
    weights = {family: trained(without(tables, family), shape, strength, even) for family in families}
    return {one.name: gain(one, weights[one.family]) for one in tables}


def shares(weights: FloatArray, axes: Levels) -> list[dict[str, float]]:
    """By axis and level."""
    cube = weights.reshape([len(axis) for axis in axes])
    found = []
    for number, axis in enumerate(axes):
        share = cube.sum(axis=tuple(other for other in range(len(axes)) if other != number))
        found.append({f"{level:g}": round(float(value), 3) for level, value in zip(axis, share, strict=True)})
    return found


def logs(weights: FloatArray) -> list[float]:
    return np.round(np.log(weights), 3).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=HERE.parent / ".tables", help="folder of joint_tables.py")
    parser.add_argument("--out", type=Path, default=Path("app/services/curves/data/transfer.json"))
    parser.add_argument("--results", type=Path, default=HERE / "results" / "transfer_prior.json")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    given = parser.parse_args()
    names = [name for name in NAMES if (given.tables / f"{name}.npz").exists()]
    print("not made:", ", ".join(sorted(set(NAMES) - set(names))) or "none")
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        tables = list(pool.map(told, [given.tables] * len(names), names, [given.seed] * len(names)))
    results = report(tables, levels())
    print(json.dumps({name: results[name] for name in ("strength", "even", "tried", "gains", "shares")}, indent=1))
    given.out.write_text(json.dumps(results["shipped"], separators=(",", ":")) + "\n", encoding="utf-8")
    results_files.write(given.results, results)
    print(f"wrote {given.out}")


def report(tables: Sequence[Told], axes: Levels) -> Mapping[str, object]:
    """What is shipped, how well tables were told that were left out, and the weights without each family."""
    shape = tuple(len(axis) for axis in axes)
    tried = {(strength, even): left_out(tables, shape, strength, even) for strength in STRENGTHS for even in EVEN}
    best = max(tried, key=lambda one: sum(tried[one].values()))
    weights = trained(tables, shape, *best)
    families = dict.fromkeys(one.family for one in tables)
    return {
        "strength": best[0],
        "even": best[1],
        "tried": {f"{a:g}, {b:g}": round(float(np.mean(list(one.values()))), 3) for (a, b), one in tried.items()},
        "gains": {name: round(one, 2) for name, one in tried[best].items()},
        "shares": shares(weights, axes),
        "shipped": {"levels": [axis.tolist() for axis in axes], "strata": logs(weights)},
        "without": {family: logs(trained(without(tables, family), shape, *best)) for family in families},
    }


if __name__ == "__main__":
    main()
