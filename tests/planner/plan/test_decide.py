"""Whole plans by every policy: what they store, say and keep."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from app.planner.plan.make_plan import make_plan
from app.planner.plan.plan import Plan
from app.planner.policies.policy import PolicyName
from app.planner.problem.problem import Limit, Problem
from tests.planner.problems import MONEY, isoelastic, offers, problem, random_curves, scattered

POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)


def asked(groups: int = 4) -> Problem:
    curves = random_curves(np.random.default_rng(3), groups)
    prices = np.linspace(1.0, 3.0, groups).tolist()
    return problem(scattered(curves, 40, 5), offers(prices), 500.0, isoelastic(1.0), held=[40.0, 60.0, 90.0, 200.0])


def orders(plan: Plan) -> dict[str, int]:
    return {source.key: source.order for source in plan.sources}


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_makes_a_whole_plan_within_the_budget(policy: PolicyName) -> None:
    plan = make_plan(asked(), policy, seed=1)
    assert plan.policy == policy
    assert plan.spend + plan.unspent == 500 * MONEY
    assert plan.spend == sum(source.cost for source in plan.sources)
    assert (plan.unspent_reason is None) == (plan.unspent == 0)
    assert all(group.reason for group in plan.groups)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_keeps_bounds_and_limits(policy: PolicyName) -> None:
    question = replace(
        asked(),
        min_count=np.array([70.0, np.nan, np.nan, np.nan]),
        max_count=np.array([np.nan, 80.0, np.nan, np.nan]),
        limits=(Limit("late", "sources", (2, 3), "cost", maximum=200.0 * MONEY),),
    )
    plan = make_plan(question, policy, seed=1)
    counts = question.held + np.array([group.add for group in plan.groups])
    assert counts[0] >= 70.0
    assert counts[1] <= 80.0
    assert plan.sources[2].cost + plan.sources[3].cost <= 200 * MONEY


@pytest.mark.parametrize("policy", POLICIES)
def test_groups_in_another_order_get_the_same_orders(policy: PolicyName) -> None:
    question, turned = asked(), np.array([2, 0, 3, 1])
    place = np.argsort(turned)
    other = replace(
        question,
        keys=tuple(question.keys[at] for at in turned),
        weights=question.weights[turned],
        held=question.held[turned],
        targets=question.targets[turned],
        posterior=question.posterior.select(turned),
        sources=tuple(replace(one, yields=((int(place[one.yields[0][0]]), 1.0),)) for one in question.sources),
    )
    assert orders(make_plan(other, policy, seed=1)) == orders(make_plan(question, policy, seed=1))


def test_no_policy_beats_the_optimal_one() -> None:
    best = make_plan(asked(), "optimal").utility.after.mean
    for policy in POLICIES:
        assert make_plan(asked(), policy, seed=1).utility.after.mean <= best + 1e-12


def test_thompson_explores_by_its_seed_and_stores_it() -> None:
    plans = [make_plan(asked(), "thompson", seed=seed) for seed in range(4)]
    assert [plan.draw_seed for plan in plans] == [0, 1, 2, 3]
    assert len({tuple(orders(plan).items()) for plan in plans}) > 1
    assert orders(make_plan(asked(), "thompson", seed=2)) == orders(plans[2])
    assert make_plan(asked(), "optimal", seed=2).draw_seed is None


def test_exploring_is_part_of_the_spend() -> None:
    plan = make_plan(asked(), "optimal", exploration=0.2)
    assert 0 < plan.explored <= 100 * MONEY
    assert plan.spend <= 500 * MONEY
    assert make_plan(asked(), "optimal").explored == 0
