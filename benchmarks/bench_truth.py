"""Are the numbers true that a user sees? Worlds whose truths are real learning curves (LCDB), six groups each.

plan          one purchase of three times what is held after four nested runs, holdouts of 1,000: whether
              the chance to beat the best simple rule is right, how often 90 % intervals of `utility.after`,
              `utility.now`, `metric_after` and `metric_now` hold the truth, and how many times the budget a simple
              rule needs to reach the same
stop          how much of the money the stop advice spends, and what that loses against the best stop
requirements  whether targets are reached with the samples and the chance said, and what is called out of reach
measurement   two runs known, two more: by the measurement plan, by halving on, by repeating, or none

The prior that ships was trained on these curves, its numbers few beside theirs. Run:
make bench-truth [BENCH_ARGS='--data DIR --count 180 --against DIR --only plan'].
"""

import argparse
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from buyer import MILLION, UTILITIES, Buyer, added, chance_said
from known_worlds import RULES, KnownWorld, lcdb_world, usable
from lcdb import load
from sides import ROOT, Measured, Row, arguments, gathered, keep, paired

from app.planner.arrays import FloatArray
from app.planner.information import measurement_plan
from app.planner.plan import stop_advice
from app.planner.requirements import requirements

BINS = (0.0, 0.5, 0.65, 0.8, 0.9, 0.97, 1.01)
"""Chances said, taken together."""
MULTIPLES = np.geomspace(0.25, 8.0, 120)
"""Budgets, in those of the plan, that a simple rule is tried with; what not even the largest reaches counts as it."""
CHANCES = (0.5, 0.8, 0.9)
TARGETS = (0.95, 0.9, 0.8, 0.7)
"""Targets, as shares of the error measured last."""
STOPS = 13
HOW = {"none": (), "halving": (0.25, 0.125), "repeat": (1.0, 1.0)}
"""Ways to measure twice more, beside the plan's."""


def plan_part(world: KnownWorld) -> Row:
    buyer = Buyer(world.terms, UTILITIES["mean"])
    world.nested(buyer)
    plan = buyer.plan(world.start, world.budget)
    after, said = world.start + added(plan), plan.utility
    utility = {"now": world.utility(world.start), "optimal": world.utility(after)}
    utility |= {name: world.utility(rule(world, world.budget)) for name, rule in RULES.items()}
    utility["best"] = world.utility(world.best(world.budget))
    needs = {}
    for name, rule in RULES.items():
        reached = [world.utility(rule(world, float(times) * world.budget)) for times in MULTIPLES]
        enough = np.flatnonzero(np.array(reached) >= utility["optimal"])
        needs[name] = float(MULTIPLES[enough[0]]) if len(enough) else float(MULTIPLES[-1])
    ends = zip(plan.groups, 1.0 - world.loss(world.start), 1.0 - world.loss(after), strict=True)
    inside = [
        (one.metric_now.p05 <= now <= one.metric_now.p95, one.metric_after.p05 <= end <= one.metric_after.p95)
        for one, now, end in ends
    ]
    return {
        "utility": utility,
        "p": chance_said(plan),
        "rule": max(RULES, key=lambda name: getattr(said, name).mean),
        "utility_after": bool(said.after.p05 <= utility["optimal"] <= said.after.p95),
        "utility_now": bool(said.now.p05 <= utility["now"] <= said.now.p95),
        "gain_said": said.after.mean - said.now.mean,
        "metric_now": float(np.mean([now for now, _ in inside])),
        "metric_after": float(np.mean([end for _, end in inside])),
        "needs": needs,
    }


def plan_summary(worlds: list[Row]) -> Row:
    utility = {name: np.array([one["utility"][name] for one in worlds]) for name in worlds[0]["utility"]}
    said = np.array([one["p"] for one in worlds])
    ahead = {name: _ahead(utility["optimal"], utility[name]) for name in RULES}
    over_rule = np.array([ahead[one["rule"]][at] for at, one in enumerate(worlds)])
    gain = float((utility["best"] - utility["now"]).mean())
    needs = {name: np.array([one["needs"][name] for one in worlds]) for name in RULES}
    leads = {name: paired(utility["optimal"], utility[name]) for name in RULES}
    return {
        "share": {
            name: round(float((utility[name] - utility["now"]).mean() / gain), 3) for name in ("optimal", *RULES)
        },
        "lead": leads,
        "calibration": calibration(said, ahead["equal"]),
        "calibration_best_rule": calibration(said, over_rule),
        "brier": _mean((said - ahead["equal"]) ** 2),
        "brier_of_base_rate": _mean((ahead["equal"].mean() - ahead["equal"]) ** 2),
        **{name: _mean([one[name] for one in worlds]) for name in COVERED},
        "gain_said": _mean([one["gain_said"] for one in worlds], 4),
        "gain_true": _mean(utility["optimal"] - utility["now"], 4),
        "needs": {
            name: [round(float(q), 2) for q in np.quantile(times, (0.25, 0.5, 0.75), method="nearest")]
            for name, times in needs.items()
        },
        "rule_cheaper": {name: _mean(times < 1.0, 2) for name, times in needs.items()},
    }


COVERED = ("utility_after", "utility_now", "metric_after", "metric_now")


def calibration(said: FloatArray, came: FloatArray) -> list[Row]:
    """By bin of the chance said: how many worlds, the mean said, how often it came true."""
    found = []
    for low, high in pairwise(BINS):
        here = (said >= low) & (said < high)
        if here.any():
            true = float(came[here].mean())
            error = float(np.sqrt(true * (1.0 - true) / here.sum()))
            found.append({"worlds": int(here.sum()), "said": _mean(said[here]), "true": round(true, 3)})
            found[-1]["se"] = round(error, 3)
    return found


def _ahead(one: FloatArray, other: FloatArray) -> FloatArray:
    return (one > other) + 0.5 * (one == other)


def _mean(values: object, digits: int = 3) -> float:
    return round(float(np.mean(np.asarray(values, dtype=np.float64))), digits)


def stop_part(world: KnownWorld) -> Row:
    """A value of utility is drawn for which the best stop lies inside twice the budget."""
    money = 2.0 * world.budget
    grid = np.linspace(0.0, money, STOPS)
    best = np.array([world.utility(world.best(float(spend), 60)) for spend in grid])
    at = int(world.random.uniform(0.15, 0.85) * (STOPS - 1))
    slope = float(best[at + 1] - best[at - 1]) / (2.0 * grid[1])
    value = 1.0 / max(slope, 1e-12)
    buyer = Buyer(world.terms, UTILITIES["mean"])
    world.nested(buyer)
    posterior = buyer.fit(world.start).posterior
    advice = stop_advice(buyer.problem(world.start, money, posterior), value, None)

    def net(spend: float) -> float:
        bought = added(buyer.plan(world.start, spend)) if spend > 0.0 else 0.0
        return value * world.utility(world.start + bought) - spend

    nets = [net(float(spend)) for spend in grid]
    told = {"advice": net(advice.worth_spending / MILLION), "half": net(0.5 * money), "all": nets[-1], "none": nets[0]}
    return {
        "spent": advice.worth_spending / MILLION / money,
        "best_spent": float(grid[int(np.argmax(nets))] / money),
        "lost": {name: (max(nets) - one) / money for name, one in told.items()},
    }


def stop_summary(worlds: list[Row]) -> Row:
    """Means of the middle four fifths: where the curve is almost flat there, the value is beyond measure."""
    lost = {name: np.sort([one["lost"][name] for one in worlds]) for name in worlds[0]["lost"]}
    cut = len(worlds) // 10
    return {
        "spent": _mean([one["spent"] for one in worlds]),
        "best_spent": _mean([one["best_spent"] for one in worlds]),
        "lost": {name: _mean(values[cut : len(values) - cut]) for name, values in lost.items()},
    }


def requirements_part(world: KnownWorld) -> Row:
    """Targets of 5 to 30 % less error than was measured last."""
    buyer = Buyer(world.terms, UTILITIES["mean"])
    world.nested(buyer)
    measured = np.array([buyer.runs[0].metrics[key]["value"] for key in world.terms.keys])
    buyer.targets = 1.0 - (1.0 - measured) * world.random.choice(TARGETS, len(measured))
    # What a group's market has is no limit to the question.
    asking = Buyer(replace(world.terms, room=np.full(len(measured), np.inf)), UTILITIES["mean"], buyer.targets)
    problem = asking.problem(world.start, 1.0, buyer.fit(world.start).posterior)
    at_most = 1.0 - world.loss(world.room) >= buyer.targets
    found = []
    for chance in CHANCES:
        for at, one in enumerate(requirements(problem, chance, False).groups):
            row: Row = {"chance": chance, "reached_at_16": bool(at_most[at]), "reachable": one.chance_reachable}
            if one.count_needed is None:
                row["answer"] = "out of reach"
            elif one.count_needed > world.room[at]:
                row["answer"] = "beyond"
            else:
                counts = np.where(np.arange(len(measured)) == at, np.ceil(one.count_needed), world.start)
                row |= {"answer": "count", "true": bool(1.0 - world.loss(counts)[at] >= one.target)}
            found.append(row)
    return {"questions": found}


def requirements_summary(worlds: list[Row]) -> Row:
    asked = [one for world in worlds for one in world["questions"]]
    return {"chances": [_answers([one for one in asked if one["chance"] == chance], chance) for chance in CHANCES]}


def _answers(asked: list[Row], chance: float) -> Row:
    counts, beyond, lost = (
        [one for one in asked if one["answer"] == answer] for answer in ("count", "beyond", "out of reach")
    )
    return {
        "chance": chance,
        "asked": len(asked),
        "counts": len(counts),
        "reached": _mean([one["true"] for one in counts]) if counts else None,
        "beyond": len(beyond),
        "out_of_reach": len(lost),
        "of these reached by 16 times": _mean([one["reached_at_16"] for one in lost]) if lost else None,
        "reachable_said": _mean([one["reachable"] for one in lost]) if lost else None,
    }


def measurement_part(world: KnownWorld) -> Row:
    """Utility after the next purchase; every way starts from the same two runs, its own errors drawn alike."""
    state, found = world.random.bit_generator.state, {}
    for how in ("plan", *HOW):
        world.random.bit_generator.state = state
        buyer = Buyer(world.terms, UTILITIES["mean"])
        world.nested(buyer, (1.0, 0.5))
        if how == "plan":
            fitted = buyer.fit(world.start)
            problem = buyer.problem(world.start, world.budget, fitted.posterior)
            for run in measurement_plan(problem, fitted.observations, 2, 0).runs:
                world.run(buyer, np.maximum(1.0, np.array(run.counts, dtype=np.float64)))
        else:
            world.nested(buyer, HOW[how])
        found[how] = world.utility(world.start + added(buyer.plan(world.start, world.budget)))
    return {"utility": {**found, "now": world.utility(world.start), "best": world.utility(world.best(world.budget))}}


def measurement_summary(worlds: list[Row]) -> Row:
    utility = {name: np.array([one["utility"][name] for one in worlds]) for name in worlds[0]["utility"]}
    gain = float((utility["best"] - utility["now"]).mean())
    ways = ("plan", *HOW)
    return {
        "share": {name: round(float((utility[name] - utility["now"]).mean() / gain), 3) for name in ways},
        "plan_ahead_of": {name: paired(utility["plan"], utility[name]) for name in HOW},
    }


PARTS = {
    "plan": (plan_part, plan_summary),
    "stop": (stop_part, stop_summary),
    "requirements": (requirements_part, requirements_summary),
    "measurement": (measurement_part, measurement_summary),
}


def measure(given: argparse.Namespace, part: str, number: int) -> Row:
    curves = usable(load(given.data / "lcdb" / "curves.jsonl.gz"))
    return PARTS[part][0](lcdb_world(curves, number))


def rows_of(measured: Measured) -> list[Row]:
    """The summary of each side; where a plan was made, its utility beside the other side's, paired."""
    rows = []
    for side, worlds in measured.rows.items():
        row: Row = {"part": measured.part, "side": side, "worlds": len(worlds), **PARTS[measured.part][1](worlds)}
        others = [theirs for name, theirs in measured.rows.items() if name != side]
        if others and measured.part == "plan":
            mine, its = (np.array([one["utility"]["optimal"] for one in some]) for some in (worlds, others[0]))
            row["ahead_of_other_side"] = paired(mine, its)
        rows.append(row)
    return rows


def main() -> None:
    parser = arguments(__doc__, list(PARTS), 180, "truth.json")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of lcdb/")
    given = parser.parse_args()
    for measured in gathered(given, measure):
        rows = rows_of(measured)
        for row in rows:
            print(*(f"{name}: {value}" for name, value in row.items()), sep="\n  ", flush=True)
        keep(given.out, measured.part, rows)


if __name__ == "__main__":
    main()
