"""Shadow prices of bounds against what loosening them really gains, and what a plan says about them."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.errors import ProblemError
from app.planner.plan.make_plan import evaluate, make_plan
from app.planner.plan.plan import Plan
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Limit, Problem
from app.planner.problem.sources import Source
from app.planner.relaxation.relax import relax
from app.planner.utility.objective import Objective
from tests.planner.problems import MAXIMIN, MONEY, UTILITARIAN, isoelastic, name_of, offers, problem, stated
from tests.planner.relaxation.test_cutting_planes import with_transfer

CURVES = [(0.05, 2.0, 0.5, 0.0), (0.05, 4.0, 0.5, 0.0), (0.1, 3.0, 0.4, 0.0)]


def asked_for(mixed: bool, objective: Objective = UTILITARIAN) -> Problem:
    """Three groups with own sources, or also one source that feeds two of them."""
    sources = offers([1.0, 2.0, 4.0], most=[None, 30, None])
    if mixed:
        sources = (*sources, Source("mixed", ((0, 0.4), (2, 0.4)), 2 * MONEY))
    return problem(stated(CURVES), sources, 400.0, objective)


def price_of(plan: Plan, constraint: str) -> float:
    return next(bound.shadow_price for bound in plan.bounds if name_of(bound.constraint) == constraint)


def best(asked: Problem) -> float:
    form = Canonical.of(asked)
    return relax(form, form.utility).relaxation.utility


def loosened(asked: Problem, constraint: str, by: float) -> Problem:
    kind, key, *_ = (*constraint.split(":"), "")
    if kind == "budget":
        return replace(asked, budget=asked.budget + round(by * MONEY))
    if kind == "source":
        sources = [
            replace(source, max_order=round((source.max_order or 0) + by)) if source.key == key else source
            for source in asked.sources
        ]
        return replace(asked, sources=tuple(sources))
    if kind == "set":
        unit = MONEY if asked.limits[0].measure == "cost" else 1
        return replace(asked, limits=(replace(asked.limits[0], maximum=(asked.limits[0].maximum or 0) + by * unit),))
    name = "max_count" if constraint.endswith("max_count") else "min_count"
    bounds = getattr(asked, name).copy()
    bounds[asked.keys.index(key)] += by if name == "max_count" else -by
    return replace(asked, **{name: bounds})


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(
    ("changes", "constraint", "step"),
    [
        ({}, "budget", 0.5),
        ({}, "source:s1:max_order", 1),
        ({"max_count": np.array([90.0, np.nan, np.nan])}, "group:g0:max_count", 0.5),
        ({"min_count": np.array([0.0, 0.0, 120.0])}, "group:g2:min_count", 0.5),
        ({"limits": (Limit("dear", "sources", (1, 2), "cost", maximum=50.0 * MONEY),)}, "set:dear", 0.5),
        ({"limits": (Limit("dear", "sources", (1, 2), "cost_share", maximum=0.1),)}, "set:dear", 1e-3),
        ({"limits": (Limit("rare", "groups", (1, 2), "count_share", maximum=0.5),)}, "set:rare", 1e-3),
    ],
)
def test_a_shadow_price_is_the_gain_of_loosening_the_bound(
    mixed: bool, changes: dict[str, object], constraint: str, step: float
) -> None:
    asked = replace(asked_for(mixed), **changes)
    price = price_of(make_plan(asked), constraint)
    more, less = best(loosened(asked, constraint, step)), best(loosened(asked, constraint, -step))
    assert price > 0.0
    assert price == pytest.approx((more - less) / (2.0 * step), rel=2e-2)


def test_a_bound_that_costs_nothing_has_no_price() -> None:
    asked = replace(asked_for(mixed=True), max_count=np.full(3, 1e6))
    assert {name_of(bound.constraint) for bound in make_plan(asked).bounds} == {"budget", "source:s1:max_order"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_count": np.array([90.0, np.nan, np.nan])}, "Its largest count, 90"),
        ({"min_count": np.array([0.0, 0.0, 120.0])}, "Its least count, 120"),
        ({"limits": (Limit("dear", "sources", (1, 2), "cost", maximum=90.0 * MONEY),)}, "The limit dear"),
    ],
)
def test_a_bound_that_decides_is_said_to(changes: dict[str, object], words: str) -> None:
    warnings = make_plan(replace(asked_for(mixed=False), **changes)).warnings
    assert any(warning.code == "bound_binds" and warning.detail.startswith(words) for warning in warnings)


def test_stop_ratio_is_said_to_be_left_out_where_sources_are_mixed() -> None:
    plan = make_plan(asked_for(mixed=True, objective=Objective("maximin", stop_ratio=0.1)))
    assert "stop_ratio_ignored" in {warning.code for warning in plan.warnings}


def test_transfer_is_said_to_be_held_where_the_problem_is_too_large() -> None:
    few, many = with_transfer(0, groups=3, draws=5), with_transfer(0, groups=60, draws=600)
    assert "transfer_held" not in {warning.code for warning in make_plan(few).warnings}
    assert "transfer_held" in {warning.code for warning in make_plan(many).warnings}


def test_a_split_typed_in_is_judged_as_it_is_and_against_the_best() -> None:
    asked = asked_for(mixed=True)
    plan, given = make_plan(asked), evaluate(asked, {"s0": 100, "mixed": 50})
    assert {source.key: source.order for source in given.sources} == {"s0": 100, "s1": 0, "s2": 0, "mixed": 50}
    assert [group.add for group in given.groups] == [120, 0, 20]
    assert given.policy == "given"
    gain = plan.utility.after.mean - given.utility.after.mean
    assert given.optimality.gap * (plan.utility.after.mean - plan.utility.now.mean) == pytest.approx(gain, rel=0.02)
    with pytest.raises(ProblemError, match="no source is called nowhere"):
        evaluate(asked, {"nowhere": 1})


@pytest.mark.parametrize("objective", [UTILITARIAN, isoelastic(1.0), MAXIMIN, Objective("cvar", tail=0.4)])
def test_the_proof_is_a_sentence_and_the_gap_small(objective: Objective) -> None:
    plan = make_plan(asked_for(mixed=True, objective=objective))
    assert plan.optimality.gap <= 1e-4
    assert plan.optimality.proof.endswith(".")


def test_money_that_maximin_cannot_use_for_the_worst_goes_to_the_next_worst() -> None:
    sources = (
        Source("s0", ((0, 1.0),), MONEY, max_order=5),
        Source("both", ((1, 0.5), (2, 0.4)), MONEY),
        Source("s2", ((2, 1.0),), MONEY),
    )
    curves = [(0.4, 2.0, 0.5, 0.0), (0.05, 3.0, 0.5, 0.0), (0.05, 3.0, 0.5, 0.0)]
    plan = make_plan(problem(stated(curves), sources, 300.0, MAXIMIN))
    assert plan.sources[0].order == 5
    # The two that can still be raised end level: 0.5 both = 0.4 both + s2.
    assert plan.groups[1].add == pytest.approx(plan.groups[2].add, abs=2)
    assert plan.unspent == 0
