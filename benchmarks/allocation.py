"""How long allocation takes, beside CVXPY + Clarabel on one vectorised formulation of the same problem.

CPU time of one process with one thread, medians; both sides start from the same numbers in memory: ours from the
planner's arrays, CVXPY from NumPy's, the building and compiling of its problem included. Run: make bench-allocation.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import cvxpy as cp
import numpy as np
import results_files
from scores import table

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Diagnostics, Posterior
from app.planner.integer.whole_orders import best_whole
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.problem.sources import Source
from app.planner.relaxation.multiplier import solve
from app.planner.relaxation.price_ladder import Ladder
from app.planner.relaxation.relax import relax
from app.planner.utility.metric import Metric
from app.planner.utility.objective import Objective
from app.planner.utility.utility import Utility

ACCURACY = Metric("maximize", 0.0, 1.0)
UTILITARIAN, LOG, MAXIMIN = Objective("utilitarian"), Objective("isoelastic", aversion=1.0), Objective("maximin")
MONEY = 1_000_000


class Numbers:
    """Random groups: curves a + A (n + d)^(−c), counts held, weights, prices, and a budget of 100 samples a group."""

    def __init__(self, groups: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.groups = groups
        self.asymptote, self.scale = rng.uniform(0.0, 0.2, groups), rng.uniform(0.5, 2.0, groups)
        self.exponent, self.offset = rng.uniform(0.2, 0.9, groups), rng.uniform(0.0, 100.0, groups)
        self.held = np.floor(rng.uniform(50.0, 500.0, groups))
        self.weights = rng.uniform(0.5, 2.0, groups)
        self.price = np.round(rng.uniform(1.0, 20.0, groups), 2)
        self.budget = 1000.0 * groups
        self.keys = tuple(f"g{at:07d}" for at in range(groups))

    def posterior(self, draws: int, seed: int = 0) -> Posterior:
        """The curves as they are, or scattered over draws."""
        noise = np.random.default_rng(seed).standard_normal((2, self.groups, draws)) * (0.1 if draws > 1 else 0.0)
        ones = np.ones((self.groups, draws))
        return Posterior(
            keys=self.keys,
            asymptote=self.asymptote[:, None] * ones,
            excess=self.scale[:, None] * np.exp(noise[0]),
            anchor=ones,
            exponent=self.exponent[:, None] * np.exp(noise[1]),
            offset=self.offset[:, None] * ones,
            knot=np.maximum(0.0, 1.0 - self.offset)[:, None] * ones,
            reference=np.ones(self.groups),
            noise=np.zeros(self.groups),
            discrepancy=0.0 * ones,
            threshold=0.0 * ones,
            diagnostics=(Diagnostics(0, 0, 0.0, 0),) * self.groups,
            residuals=(np.zeros(0),) * self.groups,
            warnings=(),
        )

    def problem(self, objective: Objective, draws: int = 1, sources: tuple[Source, ...] | None = None) -> Problem:
        own = tuple(
            Source(key, ((at, 1.0),), round(price * MONEY))
            for at, (key, price) in enumerate(zip(self.keys, self.price.tolist(), strict=True))
        )
        return Problem(
            self.keys, self.weights, self.held, np.full(self.groups, np.nan), None, ACCURACY, objective,
            self.posterior(draws), sources or own, round(self.budget * MONEY),
        )  # fmt: skip


def timed(run: Callable[[], Any], times: int) -> tuple[float, Any]:
    """Median CPU seconds and the last answer, after a first run that does not count."""
    answer, taken = run(), []
    for _ in range(times):
        start = process_time()
        answer = run()
        taken.append(process_time() - start)
    return median(taken), answer


def cone(numbers: Numbers, objective: Objective, yields: FloatArray | None = None, draws: int = 1) -> float:
    """The best U by CVXPY + Clarabel; yields [groups, sources], or one source per group."""
    posterior, weights = numbers.posterior(draws), numbers.weights / numbers.weights.sum()
    price = numbers.price[: numbers.groups if yields is None else yields.shape[1]] / numbers.budget
    # In the solver's favour: money in shares of an equal split, sizes as growth of what is held, all near 1.
    spent, base = cp.Variable(len(price), nonneg=True), numbers.held + numbers.offset
    each = cp.multiply(1.0 / (len(price) * price), spent)
    growth = cp.Variable(numbers.groups)
    bought = each if yields is None else yields @ each
    fits = [growth <= cp.log(1.0 + cp.multiply(1.0 / base, bought)), cp.sum(spent) <= len(price)]
    scale, power = posterior.excess * base[:, None] ** -posterior.exponent, -posterior.exponent
    column = cp.reshape(growth, (numbers.groups, 1), order="C") @ np.ones((1, draws))
    loss = posterior.asymptote + cp.multiply(scale, cp.exp(cp.multiply(power, column)))
    if objective.kind == "maximin":
        goal = cp.min(1.0 - cp.sum(loss, axis=1) / draws)
    elif objective.kind == "isoelastic":
        goal = weights @ (cp.sum(cp.log(1.0 - loss), axis=1) / draws)
    else:
        goal = weights @ (1.0 - cp.sum(loss, axis=1) / draws)
    return float(cp.Problem(cp.Maximize(goal), fits).solve(solver=cp.CLARABEL))


def beside_cvxpy(times: int) -> list[dict[str, object]]:
    rows = []
    for name, objective in (("utilitarian", UTILITARIAN), ("maximin", MAXIMIN), ("isoelastic, log", LOG)):
        numbers = Numbers(1000)
        form = Canonical.of(numbers.problem(objective))
        ours, divisible = timed(lambda form=form: relax(form, form.utility), 40 * times)
        whole, answer = timed(lambda form=form: best_whole(form, relax(form, form.utility), []), 40 * times)
        theirs, utility = timed(lambda numbers=numbers, objective=objective: cone(numbers, objective), times)
        gain = divisible.relaxation.utility - form.utility.at(form.held)
        gap = (divisible.relaxation.bound - form.utility.at(form.held + form.market.added(answer[0]))) / gain
        rows.append(
            {
                "1,000 groups, known curves": name,
                "divisible ms": round(1e3 * ours, 3),
                "whole samples ms": round(1e3 * whole, 3),
                "CVXPY ms": round(1e3 * theirs, 1),
                "divisible x": round(theirs / ours),
                "whole x": round(theirs / whole),
                "utility less CVXPY's, of the gain": f"{(divisible.relaxation.utility - utility) / gain:.1e}",
                "whole gap": f"{gap:.1e}",
            }
        )
    return rows


def with_draws(times: int) -> list[dict[str, object]]:
    rows = []
    for name, objective in (("utilitarian", UTILITARIAN), ("isoelastic, log", LOG)):
        form = Canonical.of(Numbers(1000).problem(objective, draws=200))
        ours, found = timed(lambda form=form: relax(form, form.utility), times)
        whole, _ = timed(lambda form=form: best_whole(form, relax(form, form.utility), []), times)
        rows.append(
            {
                "1,000 groups, 200 draws": name,
                "divisible s": round(ours, 3),
                "whole samples s": round(whole, 3),
                "residual": f"{found.relaxation.residual:.0e}",
            }
        )
    return rows


def growth(largest: int, times: int) -> list[dict[str, object]]:
    rows = []
    for groups in (size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= largest):
        numbers = Numbers(groups)
        order = np.arange(groups)
        for name, objective in (("utilitarian", UTILITARIAN), ("maximin", MAXIMIN)):
            utility = Utility.of(
                objective, numbers.weights, ACCURACY, None, np.full(groups, np.nan), numbers.held,
                numbers.posterior(1), order,
            )  # fmt: skip

            def answer(utility: Utility = utility, numbers: Numbers = numbers, order: Any = order) -> Any:
                share = numbers.price / numbers.budget
                return solve(utility, Ladder.of(numbers.held, 1.0, order, share, np.full(len(share), np.inf)))

            taken, found = timed(answer, times)
            rows.append(growth_row(groups, name, taken, f"{found.residual:.0e}"))
        if groups <= 100_000:
            form = Canonical.of(numbers.problem(UTILITARIAN))
            taken, _ = timed(lambda form=form: best_whole(form, relax(form, form.utility), []), 1)
            rows.append(growth_row(groups, "utilitarian, whole samples", taken, ""))
    return rows


def growth_row(groups: int, what: str, taken: float, residual: str) -> dict[str, object]:
    each = round(1e6 * taken / groups, 3)
    return {"groups": groups, "utility": what, "s": round(taken, 4), "microseconds a group": each, "residual": residual}


def mixed_sources(groups: int, sources: int, seed: int = 0) -> tuple[tuple[Source, ...], FloatArray]:
    """Sources that feed five groups each, and their yields [groups, sources]."""
    rng = np.random.default_rng(seed)
    yields = np.zeros((groups, sources))
    for at in range(sources):
        fed = rng.choice(groups, 5, replace=False)
        yields[fed, at] = rng.dirichlet(np.ones(5)) * 0.95
    price = Numbers(max(groups, sources)).price
    listed = tuple(
        Source(
            f"s{at:04d}",
            tuple((int(group), float(yields[group, at])) for group in np.flatnonzero(yields[:, at])),
            round(price[at] * MONEY),
        )
        for at in range(sources)
    )
    return listed, yields


def cutting_planes(times: int) -> list[dict[str, object]]:
    rows = []
    for draws in (1, 200):
        numbers = Numbers(100)
        numbers.price = Numbers(200).price
        sources, yields = mixed_sources(100, 200)
        asked = replace(Numbers(100).problem(UTILITARIAN, draws=draws, sources=sources))
        form = Canonical.of(asked)
        ours, found = timed(lambda form=form: relax(form, form.utility), times)
        theirs, utility = timed(
            lambda numbers=numbers, yields=yields, draws=draws: cone(numbers, UTILITARIAN, yields, draws), 1
        )
        gain = found.relaxation.utility - form.utility.at(form.held)
        rows.append(
            {
                "200 sources x 100 groups, mixed": f"{draws} draws",
                "cutting planes s": round(ours, 3),
                "gap": f"{found.relaxation.residual:.0e}",
                "CVXPY s": round(theirs, 3),
                "x": round(theirs / ours, 1),
                "utility less CVXPY's, of the gain": f"{(found.relaxation.utility - utility) / gain:.1e}",
            }
        )
    return rows


def integer_programme(times: int) -> list[dict[str, object]]:
    rows = []
    for seed in range(3):
        form = Canonical.of(Numbers(20, seed).problem(UTILITARIAN, sources=in_lots(seed)))
        taken, answer = timed(lambda form=form: best_whole(form, relax(form, form.utility), []), times)
        orders, bound, method, _ = answer
        now, after = form.values.total(form.held), form.values.total(form.held + form.market.added(orders))
        gap = f"{(bound - after) / (bound - now):.1e}"
        rows.append({"50 sources, fixed costs, lots": f"seed {seed}", "s": round(taken, 2), "gap": gap, "by": method})
    return rows


def in_lots(seed: int) -> tuple[Source, ...]:
    """50 sources of 20 groups, mixed, with fixed costs, lots and some smallest orders."""
    sources, _ = mixed_sources(20, 50, seed)
    rng = np.random.default_rng(seed)
    return tuple(
        replace(
            source,
            fixed_cost=int(rng.integers(50, 500)) * MONEY,
            lot_size=int(rng.choice([10, 25, 50])),
            min_order=int(rng.choice([0, 100])),
        )
        for source in sources
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="runs of which the median is taken")
    parser.add_argument("--largest", type=int, default=1_000_000, help="largest number of groups")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "allocation.json")
    given = parser.parse_args()
    parts = {
        "beside CVXPY + Clarabel": lambda: beside_cvxpy(given.times),
        "posterior draws": lambda: with_draws(given.times),
        "growth": lambda: growth(given.largest, min(given.times, 3)),
        "cutting planes": lambda: cutting_planes(min(given.times, 3)),
        "integer programme": lambda: integer_programme(1),
    }
    results = {}
    for name, part in parts.items():
        results[name] = part()
        print(f"\n## {name}\n\n{table(results[name])}", flush=True)
    results_files.write(given.out, results)


if __name__ == "__main__":
    main()
