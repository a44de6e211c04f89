"""What a plan is worth beside simple rules: against brute force over budgets, and the words."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planner.plan.make_plan import make_plan
from app.planner.plan.plan import Plan
from app.planner.plan.worth import MOST_CURVES, TIMES, needed
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Limit, Problem
from tests.planner.problems import MAXIMIN, MONEY, isoelastic, offers, problem, scattered

STEEP = [(0.05, 4.0, 0.6, 0.0), (0.1, 1.5, 0.3, 0.0), (0.02, 1.0, 0.25, 0.0)]


def uneven(budget: float = 400.0, **more: object) -> Problem:
    asked = problem(scattered(STEEP, 60, seed=4), offers([1.0, 3.0, 0.5]), budget, held=[40.0, 60.0, 200.0])
    return replace(asked, **more)  # type: ignore[arg-type]  # fields of a problem


def ratio_by_trial(asked: Problem, policy: str, plan: Plan) -> float:
    """The least of many budgets at which the rule's plan expects as much."""
    for times in np.arange(0.02, 8.0, 0.02):
        other = make_plan(replace(asked, budget=round(times * plan.spend)), policy)  # type: ignore[arg-type]
        if other.utility.after.mean >= plan.utility.after.mean:
            return float(times)
    return np.inf


@pytest.mark.parametrize("objective", [None, isoelastic(2.0), MAXIMIN], ids=["mean", "isoelastic", "maximin"])
def test_the_money_a_rule_would_need_is_that_of_trying_every_budget(objective: object) -> None:
    asked = uneven() if objective is None else uneven(objective=objective)
    plan = make_plan(asked)
    rule = plan.utility.best_simple_rule
    assert rule.budget_ratio is not None
    assert plan.utility.equal_budget_ratio is not None
    assert rule.budget_ratio.mean == pytest.approx(ratio_by_trial(asked, rule.policy, plan), rel=0.04)
    assert plan.utility.equal_budget_ratio.mean == pytest.approx(ratio_by_trial(asked, "equal", plan), rel=0.04)
    assert rule.budget_ratio.mean >= 1.0 - 1e-9
    assert rule.budget_ratio.p05 <= rule.budget_ratio.mean <= rule.budget_ratio.p95


def test_the_best_simple_rule_is_the_one_that_expects_most() -> None:
    utility = make_plan(uneven()).utility
    rules = {name: getattr(utility, name) for name in ("equal", "equal_spend", "proportional")}
    best = utility.best_simple_rule
    assert best.utility == rules[best.policy]
    assert best.utility.mean == max(one.mean for one in rules.values())
    assert best.gain.mean == pytest.approx(utility.after.mean - best.utility.mean)
    assert 0.0 < best.gain.p_better < 1.0


def test_a_plan_worse_than_a_rule_would_be_reached_with_less_money() -> None:
    rule = make_plan(uneven(), "worst_first").utility.best_simple_rule
    assert rule.gain.mean < 0.0
    assert rule.budget_ratio is not None
    assert rule.budget_ratio.mean < 1.0
    assert rule.gain.p_better < 0.5
    assert "would need 0." in rule.finding


def test_what_no_budget_reaches_is_said_to_take_more_than_was_tried() -> None:
    """Equal counts are held up by a group that sells little; the plan feeds the other alone."""
    curves = scattered([(0.0, 4.0, 0.5, 0.0), (0.3, 0.0, 0.5, 0.0)], 40, seed=1)
    utility = make_plan(problem(curves, offers([1.0, 40.0]), 300.0)).utility
    assert utility.equal_budget_ratio is not None
    assert utility.equal_budget_ratio.p95 == np.inf
    assert "equal counts more than 8 times the money" in utility.best_simple_rule.finding


def test_where_nothing_is_bought_nothing_is_said_of_its_worth() -> None:
    utility = make_plan(uneven(budget=0.0)).utility
    assert utility.equal_budget_ratio is None
    assert (utility.best_simple_rule.budget_ratio, utility.best_simple_rule.finding) == (None, "")


def test_like_groups_make_it_matter_little_and_the_rule_itself_needs_no_words() -> None:
    alike = problem(scattered([STEEP[0]] * 3, 60, seed=4), offers([1.0, 1.0, 1.0]), 300.0)
    assert make_plan(alike).utility.best_simple_rule.finding.startswith("Here it matters little which is bought")
    assert make_plan(alike, "equal").utility.best_simple_rule.finding == ""


def test_a_rule_keeps_the_limits_at_every_budget() -> None:
    """At most 100 of the steepest group: what no rule may buy is not counted for it."""
    limit = Limit("few", "sources", (0,), "cost", maximum=100.0 * MONEY)
    asked = uneven(limits=(limit,))
    plan = make_plan(asked)
    rule = plan.utility.best_simple_rule
    assert rule.budget_ratio is not None
    assert rule.gain.mean >= 0.0
    assert rule.budget_ratio.mean == pytest.approx(ratio_by_trial(asked, rule.policy, plan), rel=0.06)


@pytest.mark.parametrize("times", [0.25, 3.0])
def test_other_money_makes_the_problem_that_would_be_posed_with_it(times: float) -> None:
    limits = (
        Limit("cost", "sources", (0, 1), "cost", minimum=10.0 * MONEY, maximum=100.0 * MONEY),
        Limit("share", "sources", (0,), "cost_share", maximum=0.5),
        Limit("count", "groups", (1,), "count", maximum=500.0),
    )
    asked = uneven(limits=limits)
    budget = round(times * asked.budget)
    moved, posed = Canonical.of(asked).with_budget(budget), Canonical.of(replace(asked, budget=budget))
    for name in ("most", "share", "limit"):
        np.testing.assert_array_equal(getattr(moved.market, name), getattr(posed.market, name))
    np.testing.assert_allclose(moved.region.lower, posed.region.lower)
    np.testing.assert_allclose(moved.region.upper, posed.region.upper)
    assert [one.unit for one in moved.region.bounds] == pytest.approx([one.unit for one in posed.region.bounds])


def test_many_groups_are_judged_on_fewer_draws() -> None:
    draws = 400
    assert 300 * draws > MOST_CURVES
    posterior = scattered(STEEP * 100, draws, seed=2)
    few = make_plan(problem(posterior, offers([1.0, 3.0, 0.5] * 100), 30_000.0)).utility.equal_budget_ratio
    one = make_plan(problem(scattered(STEEP, draws, seed=2), offers([1.0, 3.0, 0.5]), 300.0)).utility
    assert few is not None
    assert one.equal_budget_ratio is not None
    assert few.mean == pytest.approx(one.equal_budget_ratio.mean, rel=0.1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.0, 1.0), min_size=len(TIMES), max_size=len(TIMES)), st.floats(-0.2, 1.2))
def test_needed_is_the_first_budget_that_reaches_what_is_wanted(values: list[float], wanted: float) -> None:
    times, reached = np.array(TIMES), np.array(values)[:, None]
    found = float(needed(times, reached, np.array([wanted]))[0])
    first = next((at for at, value in enumerate(values) if value >= wanted), None)
    if first is None:
        assert found == np.inf
    else:
        assert (times[first - 1] if first else times[0]) - 1e-12 <= found <= times[first] + 1e-12
