"""Which verdict holds first, on problems where it is plain."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.plan import Plan, StopAdvice, make_plan, stop_advice
from app.planner.problem.problem import Problem
from app.planner.verdict import PlanVerdict, Thresholds, judge_plan
from app.planner.wording import Warning
from tests.planner.problems import MAXIMIN, Curve, offers, problem, scattered
from tests.planner.verdict.test_reach import measured

STEEP: Curve = (0.05, 4.0, 0.5, 0.0)
FLAT: Curve = (0.05, 0.4, 0.5, 0.0)
USUAL = Thresholds()


def asked(curves: list[Curve], budget: float = 1_000.0, measured_to: float = 1_000.0) -> Problem:
    """Groups of 1,000 samples, one a currency unit; curves that are nearly known."""
    known = measured(scattered(curves, 200, 1), [measured_to] * len(curves))
    return problem(known, offers([1.0] * len(curves)), budget, held=[1_000.0] * len(curves))


def judged(
    one: Problem, warnings: tuple[Warning, ...] = (), stop: StopAdvice | None = None, thresholds: Thresholds = USUAL
) -> tuple[Plan, PlanVerdict]:
    plan = make_plan(one)
    return plan, judge_plan(one, plan, warnings, stop, thresholds)


def test_a_plan_that_a_simple_rule_does_not_reach_is_to_be_bought() -> None:
    _, verdict = judged(asked([STEEP, FLAT, FLAT, FLAT]))
    assert verdict.kind == "buy"
    assert verdict.changes is not None
    assert verdict.instead is not None
    assert 0.0 < verdict.instead.mean.gain.mean < verdict.changes.mean.gain.mean


def test_where_equal_counts_are_the_plan_any_split_does() -> None:
    _, verdict = judged(asked([STEEP, STEEP]))
    assert verdict.kind == "any"


def test_a_plan_that_is_better_for_the_worst_group_alone_is_not_any() -> None:
    one = replace(asked([STEEP, FLAT, FLAT, FLAT]), objective=MAXIMIN)
    _, verdict = judged(one)
    assert verdict.kind == "buy"


def test_a_lead_below_what_the_project_calls_little_is_any() -> None:
    one = asked([STEEP, FLAT, FLAT, FLAT])
    assert judged(one, thresholds=Thresholds(least_difference=0.5))[1].kind == "any"
    assert judged(one, thresholds=Thresholds(least_chance=0.9999))[1].kind == "any"


def test_money_that_is_not_worth_spending_is_kept() -> None:
    one = asked([STEEP, FLAT])
    _, verdict = judged(one, stop=stop_advice(one, value_per_utility=1.0))
    assert verdict.kind == "keep"
    assert verdict.changes is not None


def test_without_money_there_is_nothing_to_buy() -> None:
    assert judged(asked([STEEP, FLAT], budget=0.0))[1].kind == "keep"


def test_of_which_only_a_part_is_worth_spending_a_part_is_bought() -> None:
    one = asked([STEEP, FLAT, FLAT, FLAT], budget=1_900.0)
    stop = stop_advice(one, value_per_utility=100_000.0)
    assert 0 < stop.worth_spending < 0.9 * one.budget
    _, verdict = judged(one, stop=stop)
    assert (verdict.kind, verdict.budget, verdict.groups) == ("part", stop.worth_spending, ())


def test_money_for_groups_that_no_run_was_trained_on_waits_for_a_measurement() -> None:
    one = asked([STEEP, FLAT, FLAT, FLAT])
    stale = (Warning("stale", "…", group="g0"),)
    assert judged(one, stale)[1] == replace(judged(one)[1], kind="measure", groups=("g0",))
    assert judged(one, (Warning("stale", "…", group="g3"),))[1].kind == "buy"
    share = Thresholds(measure_share=1.0)
    plan, verdict = judged(one, stale, thresholds=share)
    alone = sum(group.cost for group in plan.groups if group.key == "g0") == plan.spend
    assert verdict.kind == ("measure" if alone else "buy")


def test_a_gain_within_the_noise_is_measured_first() -> None:
    verdict = judged(asked([STEEP, FLAT]), (Warning("no_gain", "…"),))[1]
    assert (verdict.kind, verdict.groups) == ("measure", ())


def test_a_group_far_beyond_what_was_measured_is_bought_in_part() -> None:
    one = asked([STEEP, FLAT, FLAT, FLAT], budget=10_000.0)
    plan, verdict = judged(one)
    assert verdict.kind == "part"
    assert verdict.groups == ("g0",)
    assert verdict.budget is not None
    assert 0 < verdict.budget < plan.spend
    within = make_plan(replace(one, budget=verdict.budget))
    assert next(group for group in within.groups if group.key == "g0").count_after <= 3_000


def test_where_even_what_is_held_is_far_from_what_was_measured_it_is_measured() -> None:
    verdict = judged(asked([STEEP, FLAT, FLAT, FLAT], measured_to=10.0))[1]
    assert (verdict.kind, verdict.budget) == ("measure", None)


@pytest.mark.parametrize("seed", range(8))
def test_the_order_of_groups_and_sources_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = asked([STEEP, FLAT, STEEP, FLAT], budget=float(rng.integers(100, 20_000)))
    order = rng.permutation(4).tolist()
    place = np.argsort(order).tolist()
    sources = [replace(source, yields=((place[at], 1.0),)) for at, source in enumerate(one.sources)]
    other = replace(
        one,
        keys=tuple(one.keys[at] for at in order),
        posterior=one.posterior.select(np.array(order)),
        sources=tuple(sources[::-1]),
    )
    here, there = judged(one)[1], judged(other)[1]
    assert (here.kind, sorted(here.groups), here.budget) == (there.kind, sorted(there.groups), there.budget)
