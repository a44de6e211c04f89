"""How far plans go beyond what was measured, against brute force over budgets."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.curves.posterior import Posterior
from app.planner.plan import make_plan
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.relaxation.relax import relax
from app.planner.verdict.reach import budget_within, stretched
from tests.planner.problems import MONEY, offers, problem, random_curves, stated


def measured(curves: Posterior, largest: list[float]) -> Posterior:
    """As if each group had been measured up to so many samples, 0: never."""
    known = tuple(
        one._replace(points=3 if count else 0, distinct_sizes=3, largest_count=count)
        for one, count in zip(curves.diagnostics, largest, strict=True)
    )
    return replace(curves, diagnostics=known)


def asked(budget: float, largest: list[float]) -> Problem:
    curves = stated([(0.05, 2.0, 0.5, 0.0), (0.1, 3.0, 0.4, 0.0), (0.02, 1.0, 0.6, 0.0)])
    return problem(measured(curves, largest), offers([1.0, 2.0, 1.0]), budget, held=[100.0, 100.0, 100.0])


def test_groups_with_much_money_beyond_their_reach_are_named() -> None:
    one = asked(10_000.0, [100.0, 5_000.0, 100.0])
    assert stretched(one, make_plan(one), reach=3.0, share=0.2) == ("g0",)
    assert stretched(one, make_plan(one), reach=3.0, share=0.01) == ("g0", "g2")
    assert stretched(one, make_plan(one), reach=100.0, share=0.01) == ()


def test_groups_never_measured_have_no_reach() -> None:
    one = asked(10_000.0, [0.0, 5_000.0, 0.0])
    assert stretched(one, make_plan(one), reach=3.0, share=0.01) == ()


@pytest.mark.parametrize("seed", range(5))
def test_the_budget_is_the_last_that_keeps_within(seed: int) -> None:
    rng = np.random.default_rng(seed)
    held = rng.integers(50, 200, 5).tolist()
    curves = measured(stated(random_curves(rng, 5)), [float(count) for count in held])
    one = problem(curves, offers(rng.uniform(0.5, 3.0, 5).tolist()), 20_000.0, held=held)
    far = stretched(one, make_plan(one), reach=3.0, share=0.0)
    assert far
    found = budget_within(one, 3.0, far)
    names = {f"g{at}": 3.0 * count for at, count in enumerate(held)}

    def keeps(budget: int) -> bool:
        form = Canonical.of(replace(one, budget=budget))
        counts = relax(form, form.utility).relaxation.counts
        return all(count <= names[key] for key, count in zip(form.keys, counts, strict=True) if key in far)

    grid = np.arange(1, 401) * one.budget // 400
    last = max((budget for budget in grid.tolist() if keeps(budget)), default=0)
    assert found == pytest.approx(last, abs=one.budget / 100)
    assert keeps(found) or found == 0


def test_where_what_is_held_is_beyond_already_no_budget_keeps_within() -> None:
    one = asked(10_000.0, [10.0, 5_000.0, 5_000.0])
    assert budget_within(one, 3.0, ("g0",)) < one.budget / 100 + MONEY
