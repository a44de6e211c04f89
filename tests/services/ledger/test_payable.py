"""Orders cost what can be paid: whole minor units, halves up, and never more than there is."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.planner.plan import Plan, make_plan
from app.planner.problem import Problem
from app.services.ledger.payable import payably, rounded
from tests.planner.problems import offers, problem, stated

CENT, YEN = 10_000, 1_000_000
CURVES = stated([(0.05, 0.8, 0.4, 0.0), (0.1, 1.5, 0.5, 0.0), (0.02, 0.9, 0.3, 0.0)])


def plan_of(asked: Problem) -> Plan:
    return payably(asked, make_plan)


@given(st.integers(0, 10**15), st.sampled_from([1, 100, 1_000, CENT, YEN]))
def test_halves_are_rounded_up(amount: int, unit: int) -> None:
    found = rounded(amount, unit)
    assert found % unit == 0
    assert Fraction(-1, 2) < Fraction(found - amount, unit) <= Fraction(1, 2)


@pytest.mark.parametrize("unit", [CENT, YEN])
@pytest.mark.parametrize("budget", [7.01, 50.0, 123.45])
def test_what_is_to_be_paid_adds_up_and_is_never_more_than_there_is(unit: int, budget: float) -> None:
    asked = problem(CURVES, offers([0.3335, 0.50251, 1.2345]), budget)
    asked = replace(asked, payable=unit, budget=asked.budget // unit * unit)
    exact, plan = make_plan(asked), plan_of(asked)
    assert plan.spend == sum(one.cost for one in plan.sources) == sum(one.cost for one in plan.groups) <= asked.budget
    assert plan.spend + plan.unspent == asked.budget
    assert all(one.cost % unit == 0 for one in [*plan.sources, *plan.groups])
    if plan.spend == sum(rounded(one.cost, unit) for one in exact.sources):
        assert [one.order for one in plan.sources] == [one.order for one in exact.sources]
        assert all(abs(one.cost - other.cost) <= unit for one, other in zip(plan.groups, exact.groups, strict=True))


def test_a_plan_whose_rounding_passes_the_budget_is_made_anew_with_less() -> None:
    """Three orders of 0.335 each are 1.005, but 1.02 to pay, and 1.01 is there."""
    asked = problem(CURVES, offers([0.335, 0.335, 0.335], most=[1, 1, 1]), 1.01)
    asked = replace(asked, payable=CENT)
    assert [one.order for one in make_plan(asked).sources] == [1, 1, 1]
    plan = plan_of(asked)
    assert sum(one.order for one in plan.sources) == 2
    assert (plan.spend, plan.unspent) == (68 * CENT, 33 * CENT)
