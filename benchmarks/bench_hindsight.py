"""Whether what hindsight says of other policies comes true: campaigns on curves that are known.

Two rounds of random splits of the money, four nested runs of what is held before, between and after them (on one
holdout). Then every run judges what other policies would have come to, all rounds together, and the true curves say
what they would have. Coverage: the share of campaigns in which the 90 % interval of a policy's difference to what was
bought holds the true one. Truths are real learning curves (LCDB, six groups, money for three times what is held), and
curves of the fitted family (four groups, money for once what is held).

    python benchmarks/bench_hindsight.py [--only lcdb] [--campaigns 100] [--data DIR]

Writes benchmarks/results/hindsight.json.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from buyer import UTILITIES, Buyer
from known_worlds import KnownWorld, Truth, lcdb_world, usable
from lcdb import Curve, load
from results_files import RESULTS, Row, distinct, markdown, select, write_part
from sides import ROOT

from app.planner.arrays import FloatArray
from app.planner.policies import PolicyName
from app.planner.valuation import Purchase, look_back

RESULT = RESULTS / "hindsight.json"
ROUNDS = 2
POLICIES: tuple[PolicyName, ...] = ("equal", "equal_spend")


def family_world(seed: int) -> KnownWorld:
    """Losses d + a n^-b with floors of 0 to .15, .1 to .4 above them at the start, exponents of .2 to .8."""
    random = np.random.default_rng((seed, 23))
    start, price = np.floor(random.uniform(60.0, 300.0, 4)), np.array([1.0, 1.0, 2.0, 3.0])
    exponent, floor = random.uniform(0.2, 0.8, 4), random.uniform(0.0, 0.15, 4)
    scale = random.uniform(0.1, 0.4, 4) * start**exponent
    return KnownWorld(
        curves=[power(*one) for one in zip(floor, scale, exponent, strict=True)],
        start=start,
        price=price,
        budget=float(start @ price),
        random=random,
        holdout=np.full(4, 2000.0),
        training=np.full(4, 0.006),
        room=np.full(4, np.inf),
    )


def in_round_prices(world: KnownWorld) -> KnownWorld:
    """The world with prices that are powers of two, among which whole orders are found in a tenth of the time."""
    price = np.exp2(np.round(np.log2(world.price)))
    return replace(world, price=price, budget=float(price @ world.start) * 3.0)


def power(floor: float, scale: float, exponent: float) -> Truth:
    return lambda n: min(1.0, float(floor + scale * n**-exponent))


def campaign(world: KnownWorld, seed: int) -> list[Row]:
    """A row for every policy: what was said of its difference to what was done, and the true one."""
    buyer, held, money = Buyer(world.terms, UTILITIES["mean"]), world.start.copy(), world.budget / ROUNDS
    made: list[tuple[FloatArray, FloatArray]] = []
    for _ in range(ROUNDS):
        measure(world, buyer, held)
        shares = world.random.dirichlet(np.ones(len(held)))
        bought = np.floor(np.minimum(shares * money / world.price, np.maximum(world.room - held, 0.0)))
        made.append((held, bought))
        held = held + bought
    measure(world, buyer, held)
    posterior = buyer.fit(held).posterior
    keys = world.terms.keys
    purchases = [
        Purchase(
            buyer.problem(before, float(bought @ world.price), posterior),
            {key: int(count) for key, count in zip(keys, bought, strict=True)},
            {},
        )
        for before, bought in made
    ]
    _, together = look_back(purchases, POLICIES)
    rows = []
    for one in (*together.policies, together.best):
        assert one.added is not None
        assert one.difference is not None
        truth = world.utility(world.start + one.added) - world.utility(held)
        rows.append({"seed": seed, "policy": one.policy, "truth": truth, **vars(one.difference)})
        rows[-1]["covered"] = one.difference.p05 <= truth <= one.difference.p95
    return rows


def measure(world: KnownWorld, buyer: Buyer, held: FloatArray) -> None:
    for share in (0.125, 0.25, 0.5, 1.0):
        world.run(buyer, np.maximum(1.0, np.floor(held * share)))


def table(rows: Sequence[Row]) -> str:
    lines = []
    for policy in distinct(rows, "policy"):
        some = select(rows, policy=policy)
        truth, mean, p = (np.array([row[name] for row in some]) for name in ("truth", "mean", "p_better"))
        width = np.mean([row["p95"] - row["p05"] for row in some])
        lines.append([
            policy, len(some), f"{np.mean([row['covered'] for row in some]):.2f}", f"{truth.mean():+.4f}",
            f"{mean.mean():+.4f}", f"{np.sqrt(np.mean((mean - truth) ** 2)):.4f}", f"{width:.4f}",
            f"{p.mean():.2f} / {np.mean(truth > 0.0):.2f}",
        ])  # fmt: skip
    columns = [
        "policy",
        "campaigns",
        "cover of 90 %",
        "true difference",
        "said",
        "RMSE",
        "width",
        "better: said / true",
    ]
    return markdown(columns, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=("lcdb", "family"), default=["lcdb", "family"])
    parser.add_argument("--campaigns", type=int, default=100)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of lcdb/")
    given = parser.parse_args()
    for part in given.only:
        make: Callable[[int], KnownWorld] = family_world
        if part == "lcdb":
            curves = usable(load(given.data / "lcdb" / "curves.jsonl.gz"))

            def make(seed: int, curves: Sequence[Curve] = curves) -> KnownWorld:
                return in_round_prices(lcdb_world(curves, seed))

        rows: list[Row] = []
        for seed in range(given.campaigns):
            rows += campaign(make(seed), seed)
            write_part(RESULT, part, rows)
        print(part, table(rows), sep="\n\n", flush=True)


if __name__ == "__main__":
    main()
