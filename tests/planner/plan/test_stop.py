"""Stop advice against closed forms; evaluation advice on cases whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.curves.observations import Observations, Points
from app.planner.errors import ProblemError
from app.planner.information.evaluation import evaluation_advice, holdout_variance
from app.planner.plan.stop import _last_worth_its_cost, stop_advice
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.problem.sources import Source
from app.planner.relaxation.relax import relax
from app.planner.utility.objective import Objective
from tests.planner.problems import (
    MAXIMIN,
    MONEY,
    isoelastic,
    offers,
    problem,
    random_curves,
    scattered,
    stated,
)

CURVE = (0.05, 2.0, 0.5, 0.0)


def single(budget: float, price: float = 1.0) -> Problem:
    return problem(stated([CURVE]), offers([price]), budget, held=[100.0])


@pytest.mark.parametrize("price", [1.0, 4.0])
def test_buying_stops_where_the_next_sample_is_worth_its_price(price: float) -> None:
    value = 50_000.0
    # value · b c n^(−c−1) = price
    count = (value * 2.0 * 0.5 / price) ** (1 / 1.5)
    advice = stop_advice(single(10_000.0, price), value_per_utility=value)
    assert advice.worth_spending / MONEY == pytest.approx((count - 100.0) * price, rel=2e-4)
    assert not advice.stop


@pytest.mark.parametrize(
    "objective",
    [Objective("utilitarian"), isoelastic(1.0), isoelastic(3.0), MAXIMIN, Objective("gap", lambda_=2.0)],
)
def test_no_other_spend_is_worth_more_beyond_its_cost(objective: Objective) -> None:
    rng = np.random.default_rng(5)
    curves = scattered(random_curves(rng, 8), 20, 5)
    prices, held = rng.uniform(0.5, 5.0, 8).tolist(), rng.integers(20, 200, 8).tolist()
    asked = problem(curves, offers(prices), 20_000.0, objective, held, rng.uniform(0.5, 2.0, 8).tolist())

    def utility(budget: int) -> float:
        form = Canonical.of(replace(asked, budget=budget))
        return relax(form, form.utility).relaxation.utility

    utilities = {spend: utility(spend) for spend in budgets(asked.budget)}
    for value in (3e4, 1e6, 3e7):
        stop = stop_advice(asked, value_per_utility=value).worth_spending
        best = max(value * found - spend / MONEY for spend, found in utilities.items())
        # What is less than a 4,096th of the budget is not worth a purchase.
        least = best - 1e-6 * abs(best) - (0.0 if stop else 20_000.0 / 4096)
        assert value * utility(stop) - stop / MONEY >= least, value


def budgets(most: int) -> list[int]:
    return [round(share * most) for share in np.linspace(0.0, 1.0, 101) ** 2]


def test_a_spend_is_found_without_the_multiplier_too() -> None:
    """A source that feeds two groups: the budgets are tried, and agree with the multiplier where each has its own."""
    curves, value = stated([CURVE, CURVE]), 50_000.0
    apart = problem(curves, offers([1.0, 1.0]), 10_000.0, held=[100.0, 100.0])
    together = replace(apart, sources=(Source("both", ((0, 0.5), (1, 0.5)), MONEY),))
    expected = stop_advice(apart, value_per_utility=value).worth_spending
    assert 0 < expected < apart.budget
    # Golden section stops at a bracket of a 2,500th of the budget or less.
    found = stop_advice(together, value_per_utility=value).worth_spending
    assert found == pytest.approx(expected, abs=0.002 * apart.budget)


@pytest.mark.parametrize("unknown", [1, 300, 1_000])
def test_a_worth_that_is_not_known_leads_nowhere(unknown: int) -> None:
    """At the least spend, at the whole budget, or on the way."""

    def worth(spend: int) -> float:
        hidden = spend == unknown or (unknown == 300 and 1 < spend < 1_000)
        return float("nan") if hidden else 100.0 / spend

    assert _last_worth_its_cost(worth, 1_000) is None
    assert _last_worth_its_cost(lambda spend: 100.0 / spend, 1_000) == 100


def test_all_is_worth_spending_when_the_last_money_still_pays() -> None:
    advice = stop_advice(single(50.0), value_per_utility=1e6)
    assert advice.worth_spending == 50 * MONEY
    assert advice.gain == pytest.approx(2.0 * (100.0**-0.5 - 150.0**-0.5))
    assert advice.worth == pytest.approx(1e6 * advice.gain)


def test_nothing_is_worth_spending_when_the_first_sample_costs_too_much() -> None:
    # The first sample is worth value · 2 · .5 · 100^−1.5 = value / 1000.
    assert stop_advice(single(500.0), value_per_utility=900.0).stop
    assert not stop_advice(single(500.0), value_per_utility=1500.0).stop


def test_the_smallest_gain_stops_where_the_rest_buys_less() -> None:
    budget, least = 10_000.0, 0.01
    advice = stop_advice(single(budget), smallest_gain=least)
    # 2 n^−½ − 2 (100 + B)^−½ = least
    count = (2.0 / (least + 2.0 * 10_100.0**-0.5)) ** 2
    assert advice.worth_spending / MONEY == pytest.approx(count - 100.0, abs=budget / 4096 + 1)


def test_a_round_that_gains_too_little_is_not_bought() -> None:
    advice = stop_advice(single(5.0), smallest_gain=0.05)
    assert advice.stop
    assert advice.reason.startswith("Stop: the 5")


def test_with_both_the_earlier_stop_counts() -> None:
    asked = single(10_000.0)
    both = stop_advice(asked, value_per_utility=50_000.0, smallest_gain=0.01).worth_spending
    each = [
        stop_advice(asked, value_per_utility=50_000.0).worth_spending,
        stop_advice(asked, smallest_gain=0.01).worth_spending,
    ]
    assert both == min(each)


def test_a_budget_of_nothing_has_nothing_to_stop() -> None:
    assert stop_advice(single(0.0), value_per_utility=1.0).worth_spending == 0


@pytest.mark.parametrize("numbers", [{}, {"value_per_utility": 0.0}, {"smallest_gain": -1.0}])
def test_stop_advice_says_what_it_needs(numbers: dict[str, float]) -> None:
    with pytest.raises(ProblemError, match=r"state one of them|must be above 0"):
        stop_advice(single(10.0), **numbers)


def seen(stderr: float, runs: int = 4, holdouts: int = 1) -> Observations:
    counts = np.linspace(100.0, 400.0, runs)
    points = Points(counts, 0.3 + counts**-0.5, np.full(runs, stderr), np.arange(runs) % holdouts)
    return Observations(("g0",), (points,), (None,), np.array([400.0]), 1.0)


def uncertain(curve_sd: float, noise: float = 0.0) -> Problem:
    """A curve that falls from n = 400 on by A (1 − (N/400)^−½), A ~ N(.04, curve_sd²)."""
    sure = stated([CURVE], draws=401)
    normal = np.random.default_rng(0).normal(size=401)
    excess = 0.04 + curve_sd * (normal - normal.mean()) / normal.std()
    posterior = replace(
        sure,
        asymptote=0.3 - excess[None, :],
        excess=excess[None, :],
        anchor=np.full((1, 401), 400.0),
        reference=np.array([400.0]),
        noise=np.array([noise]),
    )
    return problem(posterior, offers([1.0]), 1200.0, held=[400.0])


def test_the_variances_are_the_stated_formula() -> None:
    (advice,) = evaluation_advice(uncertain(0.01, noise=0.003), seen(0.004))
    # All money buys 1,200 samples: N = 1,600, where A (1 − ½) has sd .005.
    assert advice.training_variance == pytest.approx(0.005**2 + 0.003**2 / 4, rel=1e-9)
    assert advice.evaluation_variance == pytest.approx(0.004**2, rel=1e-9)
    assert advice.advice == "training"
    assert advice.enlarge is None


def test_a_holdout_error_larger_than_the_whole_curve_asks_for_evaluation() -> None:
    # What the census shows: an error of .02 beside a curve that has .01 left at all.
    (advice,) = evaluation_advice(uncertain(0.005), seen(0.02))
    assert advice.advice == "evaluation"
    assert advice.enlarge == pytest.approx((0.02 / 0.0025) ** 2)
    assert "More evaluation samples help more" in advice.reason


def test_a_second_holdout_halves_the_variance() -> None:
    assert holdout_variance(seen(0.02, holdouts=2).points[0]) == pytest.approx(0.02**2 / 2)
    assert holdout_variance(seen(0.02, runs=8).points[0]) == pytest.approx(0.02**2)


def test_without_a_stated_error_the_holdout_cannot_be_judged() -> None:
    (advice,) = evaluation_advice(uncertain(0.01), seen(float("nan")))
    assert advice.advice == "training"
    assert "state stderr or eval_size" in advice.reason


def test_certain_curves_need_neither() -> None:
    none = Points(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    (advice,) = evaluation_advice(single(10.0), Observations(("g0",), (none,), (None,), np.array([100.0]), 1.0))
    assert advice.advice == "neither"


@pytest.mark.parametrize("objective", [isoelastic(3.0), MAXIMIN])
def test_the_objective_weighs_both_alike(objective: object) -> None:
    plain = evaluation_advice(uncertain(0.01), seen(0.004))[0]
    other = evaluation_advice(replace(uncertain(0.01), objective=objective), seen(0.004))[0]
    ratio = other.evaluation_variance / plain.evaluation_variance
    assert other.training_variance / plain.training_variance == pytest.approx(ratio)
    assert other.advice == plain.advice
