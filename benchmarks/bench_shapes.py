"""Truths outside the family, odd data and odd markets: what share of the best purchase's gain is kept, and is it said?

Six groups unless a case says otherwise, one purchase of twice what is held after four nested runs, error about .3 at
the start, holdouts of 1,000, prices 1 to 3; in the cases of a shape two of the six have it. By case: the share of the
gain of the best purchase (mean accuracy) that `optimal` and the simple rules reach; the mean chance said to beat the
best simple rule, and how often the plan was ahead of equal counts, and of the simple rule that the plan says is best;
how often 90 % intervals of `metric_after` hold the truth, of all groups and of the odd ones, and that of
`utility.after`; warnings, as shares of the plans. Run:
make bench-shapes [BENCH_ARGS='--count 24 --against DIR --only step emergence'].
"""

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from buyer import UTILITIES, Buyer, added, chance_said
from known_worlds import NESTED, KnownWorld, Truth
from scores import table
from sides import Measured, Row, arguments, gathered, keep, paired

Shape = Callable[[np.random.Generator, float], Truth]
"""A curve for a group that holds so many samples."""
WORST = 0.95
"""No error is larger."""
TOLERANCE = 1e-9
"""Intervals hold truths that rounding puts beside their ends."""


@dataclass(frozen=True)
class Case:
    """What is odd. shape: of the first two groups. holdout [groups] or one number; sizes: of the runs; repeat: how
    often each run is posted; common: sd of an error that all groups of a run share; drift: by how much the test gets
    harder from run to run; one_point: groups measured in the first run alone; odd: groups to look at apart."""

    groups: int = 6
    shape: Shape | None = None
    holdout: tuple[float, ...] = (1000.0,)
    training: float = 0.01
    stated: float | None = None
    sizes: tuple[float, ...] = NESTED
    repeat: int = 1
    common: float = 0.0
    drift: float = 0.0
    one_point: tuple[int, ...] = ()
    prices: tuple[float, ...] = ()
    odd: tuple[int, ...] = ()


def power(floor: float, excess: float, exponent: float) -> Truth:
    return lambda n: min(WORST, floor + excess * n**-exponent)


def falling(random: np.random.Generator) -> Truth:
    """A power law with a floor, its error .2 to .4 at 200 samples."""
    exponent, floor, error = random.uniform(0.25, 0.8), random.uniform(0.02, 0.12), random.uniform(0.2, 0.4)
    return power(floor, (error - floor) * 200.0**exponent, exponent)


def double_descent(random: np.random.Generator, held: float) -> Truth:
    curve, peak, height = power(0.05, 0.25 * held**0.5, 0.5), held * random.uniform(0.8, 3), random.uniform(0.1, 0.25)
    return lambda n: min(WORST, curve(n) + height * float(np.exp(-((np.log(n / peak) / 0.35) ** 2))))


def step(random: np.random.Generator, held: float) -> Truth:
    at = held * random.uniform(1.2, 3)
    return lambda n: 0.4 if n < at else 0.15


def emergence(random: np.random.Generator, held: float) -> Truth:
    """An S-curve."""
    at = held * random.uniform(1.3, 4)
    return lambda n: 0.1 + 0.35 / (1.0 + (n / at) ** 3)


def learns_then_flat(random: np.random.Generator, held: float) -> Truth:
    curve, at = power(0.05, 0.3 * held**0.6, 0.6), held * random.uniform(1.0, 1.3)
    return lambda n: curve(min(n, at))


def plateau_then_better(_: np.random.Generator, held: float) -> Truth:
    curve, begin, end = power(0.02, 0.3 * (held / 8) ** 0.5, 0.5), held / 4, held * 1.5
    return lambda n: curve(min(n, begin) if n < end else begin * n / end)


def logarithmic(_: np.random.Generator, held: float) -> Truth:
    return lambda n: float(np.clip(0.35 - 0.045 * np.log(n / held), 0.02, WORST))


def gets_worse(_: np.random.Generator, held: float) -> Truth:
    return lambda n: min(0.6, 0.25 * (n / held) ** 0.12)


def perfect(_: np.random.Generator, __: float) -> Truth:
    return lambda _: 0.0


def label_floor(_: np.random.Generator, held: float) -> Truth:
    return power(0.35, 0.1 * held**0.5, 0.5)


def late_learner(random: np.random.Generator, held: float) -> Truth:
    """Flat up to a threshold, then a power law in what comes beyond it."""
    at, exponent = held * random.uniform(1.1, 2.5), random.uniform(0.5, 1.0)
    return lambda n: 0.08 + 0.34 * float(max(n / at, 1.0)) ** -exponent


SMALL = (30.0, 30.0, 1000.0, 1000.0, 1000.0, 1000.0)
CASES = {
    "in the family": Case(),
    "step": Case(shape=step),
    "emergence": Case(shape=emergence),
    "late learner": Case(shape=late_learner),
    "learns, then flat": Case(shape=learns_then_flat),
    "plateau, then better": Case(shape=plateau_then_better),
    "double descent": Case(shape=double_descent),
    "logarithmic": Case(shape=logarithmic),
    "gets worse with data": Case(shape=gets_worse),
    "accuracy 1.0 already": Case(shape=perfect),
    "label noise floor .35": Case(shape=label_floor),
    "training noise × 6": Case(training=0.06),
    "holdout of 30": Case(holdout=(30.0,)),
    "holdout of 30, two groups": Case(holdout=SMALL, odd=(0, 1)),
    "stderr five times too small": Case(holdout=(200.0,), stated=0.2),
    "stderr five times too large": Case(stated=5.0),
    "one group has one point": Case(one_point=(0,), odd=(0,)),
    "all groups have one point": Case(sizes=(1.0,)),
    "training noise common to a run": Case(training=0.003, common=0.02),
    "each run posted three times": Case(training=0.02, repeat=3),
    "the test gets harder": Case(drift=0.015),
    "prices 1 to 1,000": Case(prices=(1.0, 4.0, 16.0, 63.0, 251.0, 1000.0)),
    "2 groups": Case(groups=2),
    "60 groups": Case(groups=60),
}


def world_of(case: Case, random: np.random.Generator) -> KnownWorld:
    groups = case.groups
    start = np.round(200.0 * 2.0 ** random.uniform(-1, 1, groups))
    curves = [falling(random) for _ in range(groups)]
    if case.shape is not None:
        curves[:2] = [case.shape(random, held) for held in start[:2].tolist()]
    price = np.array(case.prices) if case.prices else random.choice([1.0, 1.0, 2.0, 3.0], groups)
    money = float((price * start).sum()) * (0.2 if case.prices else 2.0)
    return KnownWorld(
        curves=curves,
        start=start,
        price=price,
        budget=money,
        random=random,
        holdout=np.broadcast_to(case.holdout, groups),
        training=np.full(groups, case.training),
        room=np.full(groups, np.inf),
        stated=case.stated,
    )


def observed(case: Case, world: KnownWorld) -> Buyer:
    """A project with the case's runs."""
    buyer = Buyer(world.terms, UTILITIES["mean"])
    for number, size in enumerate(case.sizes):
        shift = float(world.random.normal()) * case.common + case.drift * (len(case.sizes) - 1 - number)
        skipped = case.one_point if number else ()
        world.run(buyer, world.part(size), shift, skipped)
        for _ in range(case.repeat - 1):
            buyer.post_again()
    return buyer


def measure(_: argparse.Namespace, part: str, number: int) -> Row:
    case = CASES[part]
    world = world_of(case, np.random.default_rng((number, 4)))
    buyer = observed(case, world)
    return judged(world, buyer, case)


def judged(world: KnownWorld, buyer: Buyer, case: Case) -> Row:
    """The plan by what it says and by what it leads to."""
    plan = buyer.plan(world.start, world.budget)
    after = world.start + added(plan)
    truth, money = 1.0 - world.loss(after), added(plan) * world.price
    odd = list(case.odd or ((0, 1) if case.shape else ()))
    cover = [
        bool(group.metric_after.p05 - TOLERANCE <= true <= group.metric_after.p95 + TOLERANCE)
        for group, true in zip(plan.groups, truth, strict=True)
    ]
    warned = sorted({warning.code for warning in (*buyer.fit(world.start).posterior.warnings, *plan.warnings)})
    said = plan.utility
    counts = {"start": world.start, "optimal": after, "equal": world.equal(world.budget)}
    counts |= {"equal_spend": world.equal_spend(world.budget), "best": world.best(world.budget)}
    utility = {name: world.utility(one) for name, one in counts.items()}
    rule = max(("equal", "equal_spend"), key=lambda name: getattr(said, name).mean)
    return {
        "utility": utility,
        "rule": rule,
        "cover": float(np.mean(cover)),
        "odd_cover": float(np.mean([cover[g] for g in odd])) if odd else None,
        "odd_money": float(money[odd].sum() / money.sum()) if odd and money.sum() > 0.0 else None,
        "utility_cover": bool(said.after.p05 <= utility["optimal"] <= said.after.p95),
        "p": chance_said(plan),
        "gain_said": said.after.mean - said.now.mean,
        "warnings": warned,
    }


def rows_of(measured: Measured) -> list[Row]:
    rows = []
    for side, worlds in measured.rows.items():
        row: Row = {"part": measured.part, "side": side, "worlds": len(worlds), **summary(worlds)}
        others = [theirs for name, theirs in measured.rows.items() if name != side]
        if others:
            mine, its = (np.array([one["utility"]["optimal"] for one in some]) for some in (worlds, others[0]))
            ahead, error = paired(mine, its)
            gain = best_gain(worlds)
            row |= {"share_to_other_side": round(ahead / gain, 3), "other_side_se": round(error / gain, 3)}
        rows.append(row)
    return rows


def best_gain(worlds: list[Row]) -> float:
    return float(np.mean([one["utility"]["best"] - one["utility"]["start"] for one in worlds]))


def summary(worlds: list[Row]) -> Row:
    """Shares of the best gain, what was said beside what came."""
    utility = {name: np.array([one["utility"][name] for one in worlds]) for name in worlds[0]["utility"]}
    gain = best_gain(worlds)
    share = {
        name: round(float((utility[name] - utility["start"]).mean() / gain), 3)
        for name in ("optimal", "equal", "equal_spend")
    }
    over_equal = [chance(one["utility"]["optimal"], one["utility"]["equal"]) for one in worlds]
    over_rule = [chance(one["utility"]["optimal"], one["utility"][one["rule"]]) for one in worlds]
    codes = Counter(code for one in worlds for code in one["warnings"])

    def mean(name: str) -> float | None:
        told = [one[name] for one in worlds if one[name] is not None]
        return round(float(np.mean(told)), 3) if told else None

    return {
        **share,
        "p_said": mean("p"),
        "p_equal": round(float(np.mean(over_equal)), 3),
        "p_rule": round(float(np.mean(over_rule)), 3),
        "cover": mean("cover"),
        "odd_cover": mean("odd_cover"),
        "utility_cover": mean("utility_cover"),
        "gain_said": mean("gain_said"),
        "gain_true": round(float((utility["optimal"] - utility["start"]).mean()), 4),
        "odd_money": mean("odd_money"),
        "warnings": {code: round(times / len(worlds), 2) for code, times in codes.most_common()},
    }


def chance(one: float, other: float) -> float:
    """1 where the first is ahead, a half where they are level."""
    return float(one > other) + 0.5 * float(one == other)


def main() -> None:
    given = arguments(__doc__, list(CASES), 24, "shapes.json").parse_args()
    for measured in gathered(given, measure):
        rows = rows_of(measured)
        print(table([{name: row[name] for name in SHOWN} for row in rows]), flush=True)
        keep(given.out, measured.part, rows)


SHOWN = (
    "part", "side", "optimal", "equal", "equal_spend", "p_said", "p_equal", "p_rule", "cover", "odd_cover",
    "utility_cover",
)  # fmt: skip

if __name__ == "__main__":
    main()
