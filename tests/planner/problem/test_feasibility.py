"""What cannot be met: all culprits, each with its least change, in the user's keys."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.planner.errors import Constraint, Culprit, InfeasibleError
from app.planner.plan.make_plan import evaluate, make_plan
from app.planner.problem.problem import Limit, Problem
from app.planner.utility.objective import Objective
from tests.planner.numerics import EXAMPLES
from tests.planner.problems import MONEY, UTILITARIAN, name_of, offers, problem, stated
from tests.planner.questions import general


def three_groups(budget: float = 100.0, **changes: object) -> Problem:
    curves = [(0.05, 2.0, 0.5, 0.0), (0.05, 4.0, 0.5, 0.0), (0.1, 3.0, 0.5, 0.0)]
    asked = problem(stated(curves), offers([1.0, 2.0, 5.0], most=[None, 40, None]), budget)
    return replace(asked, **changes)


def culprits(asked: Problem) -> dict[str, Culprit]:
    with pytest.raises(InfeasibleError) as error:
        make_plan(asked)
    return {name_of(culprit.constraint): culprit for culprit in error.value.culprits}


def culprits_if_any(asked: Problem) -> dict[str, Culprit]:
    try:
        make_plan(asked)
    except InfeasibleError as error:
        return {name_of(culprit.constraint): culprit for culprit in error.culprits}
    return {}


def test_least_counts_dearer_than_the_budget_say_what_they_cost() -> None:
    found = culprits(three_groups(min_count=np.array([100.0, 60.0, 70.0])))
    assert set(found) == {"budget"}
    # 50 at 1, 10 at 2 and 20 at 5.
    assert found["budget"].need == 170 * MONEY
    assert found["budget"].change == "Raise the budget from 100 to 170, the least that meets all bounds."


def test_every_fault_is_listed_at_once() -> None:
    found = culprits(three_groups(min_count=np.array([np.nan, 120.0, 90.0])))
    assert set(found) == {"group:g1:min_count", "budget"}
    assert found["group:g1:min_count"].need == 90
    # 40 at 2 and 40 at 5: what the lowered minimum still costs.
    assert found["budget"].need == 280 * MONEY


def test_a_least_count_above_the_largest_is_a_culprit() -> None:
    found = culprits(three_groups(min_count=np.array([80.0, 0, 0]), max_count=np.array([70.0, np.nan, np.nan])))
    assert found["group:g0:min_count"].change == "Lower the least count of g0 from 80 to 70, its largest count."


def test_limits_against_each_other_name_the_one_that_must_give_way() -> None:
    limits = (
        Limit("dear", "sources", (1, 2), "count", minimum=30.0),
        Limit("few", "sources", (0, 1, 2), "count", maximum=20.0),
    )
    found = culprits(three_groups(limits=limits))
    assert {name: (round(culprit.have), round(culprit.need)) for name, culprit in found.items()} == {
        "set:dear": (30, 20)
    }


def test_keys_and_names_may_hold_colons() -> None:
    asked = three_groups(min_count=np.array([80.0, np.nan, np.nan]))
    keys = ("north:day:1", "g1", "g2")
    keyed = replace(asked, keys=keys, posterior=replace(asked.posterior, keys=keys))
    few = Limit("few: all", "sources", (0, 1, 2), "count", maximum=20.0)
    (least,) = culprits(replace(keyed, limits=(few,))).values()
    assert least.constraint == Constraint("group", "north:day:1", "min_count")
    assert least.change == "Lower the minimum of north:day:1 from 80 to 70."
    many = Limit("many: all", "sources", (0, 1, 2), "count", minimum=30.0)
    (limit,) = culprits(three_groups(limits=(few, many))).values()
    assert limit.change == "Lower the minimum of many: all from 30 to 20."


def test_a_share_that_cannot_be_reached_says_what_can() -> None:
    limits = (Limit("mostly g1", "groups", (1,), "count_share", minimum=0.6),)
    found = culprits(three_groups(limits=limits))
    # 90 of 190 with every sample of g1 that is sold.
    assert found["set:mostly g1"].need == pytest.approx(90.0 / 190.0, abs=1e-6)


@pytest.mark.parametrize(
    ("orders", "constraint"),
    [
        ({"s0": 200}, "budget"),
        ({"s1": 41}, "source:s1:max_order"),
        ({"s0": 3}, "source:s0:lot_size"),
        ({"s2": 10}, "group:g2:max_count"),
    ],
)
def test_a_split_typed_in_that_breaks_a_bound_is_refused(orders: dict[str, int], constraint: str) -> None:
    asked = three_groups(max_count=np.array([np.nan, np.nan, 55.0]))
    asked = replace(asked, sources=(replace(asked.sources[0], lot_size=2), *asked.sources[1:]))
    with pytest.raises(InfeasibleError) as error:
        evaluate(asked, orders)
    assert constraint in {name_of(culprit.constraint) for culprit in error.value.culprits}


def test_a_group_held_beyond_its_largest_count_buys_no_more() -> None:
    plan = make_plan(three_groups(max_count=np.array([10.0, np.nan, np.nan])))
    assert plan.groups[0].add == 0
    assert plan.groups[0].reason == "Its largest count, 50, keeps it from more."


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 3.0))
@example(4975306, 2.25)
def test_with_all_culprits_moved_the_problem_can_be_met(seed: int, ambition: float) -> None:
    asked = general(seed, Objective("utilitarian"), bounded=False)
    rng = np.random.default_rng(seed)
    asked = replace(asked, min_count=asked.held + np.round(rng.uniform(0.0, 100.0, size=len(asked.keys)) * ambition))
    found = culprits_if_any(asked)
    least = asked.min_count
    assert least is not None
    for at, key in enumerate(asked.keys):
        moved = found.get(f"group:{key}:min_count")
        # A whole sample beyond what the solver's rounding may leave open.
        least[at] = least[at] if moved is None else max(moved.need - 1e-6, 0.0)
    budget = asked.budget if "budget" not in found else int(found["budget"].need)
    plan = make_plan(replace(asked, min_count=least, budget=budget))
    assert plan.spend <= budget
    # One millionth less of the budget is too little.
    if "budget" in found:
        with pytest.raises(InfeasibleError):
            make_plan(replace(asked, min_count=least, budget=budget - 1))


def test_what_is_on_its_way_counts_for_the_bounds() -> None:
    asked = three_groups(objective=UTILITARIAN, min_count=np.array([60.0, 0, 0]))
    assert make_plan(asked).groups[0].add >= 10
    waiting = make_plan(replace(asked, pending=np.array([1000.0, 0.0, 0.0])))
    assert waiting.groups[0].add == 0
    assert waiting.groups[0].pending == 1000
