"""The plan's invariants in the general setting: any market, bounds, limits, every kind of utility."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.planner.plan.decide import decide
from app.planner.plan.make_plan import evaluate, make_plan
from app.planner.plan.plan import Plan
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.problem.sources import Tier
from app.planner.utility.objective import Objective
from tests.planner.numerics import EXAMPLES
from tests.planner.questions import KINDS, general

seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(KINDS)
invariant = settings(max_examples=EXAMPLES, deadline=None)


def orders(plan: Plan) -> dict[str, int]:
    return {source.key: source.order for source in plan.sources}


def gain(plan: Plan) -> float:
    return max(plan.utility.after.mean - plan.utility.now.mean, 1e-9)


def permuted(asked: Problem, order: list[int]) -> Problem:
    place = {old: new for new, old in enumerate(order)}
    moved = {
        name: None if getattr(asked, name) is None else getattr(asked, name)[order]
        for name in ("weights", "held", "targets", "reference_loss", "raw", "pending", "pending_raw", "max_count")
    }
    sources = tuple(
        replace(source, yields=tuple(sorted((place[group], share) for group, share in source.yields)))
        for source in reversed(asked.sources)
    )
    last = len(sources) - 1
    vectors = tuple(tuple(vector[at] for at in order) for vector in asked.objective.weight_vectors)
    return replace(
        asked,
        **moved,
        keys=tuple(asked.keys[at] for at in order),
        posterior=asked.posterior.select(np.array(order)),
        sources=sources,
        objective=replace(asked.objective, weight_vectors=vectors),
        limits=tuple(replace(limit, members=tuple(last - at for at in limit.members)) for limit in asked.limits),
    )


@invariant
@given(seeds, kinds, st.randoms(use_true_random=False))
def test_permuting_groups_and_sources_permutes_the_answer(seed: int, kind: Objective, random: Random) -> None:
    asked = general(seed, kind)
    order = list(range(len(asked.keys)))
    random.shuffle(order)
    plan, other = make_plan(asked), make_plan(permuted(asked, order))
    assert orders(plan) == orders(other)
    assert {group.key: group.add for group in plan.groups} == {group.key: group.add for group in other.groups}
    assert other.relaxed.utility == pytest.approx(plan.relaxed.utility, rel=1e-9, abs=1e-12)


@invariant
@given(seeds, kinds, st.integers(2, 50))
def test_scaling_all_money_scales_only_the_shadow_price(seed: int, kind: Objective, scale: int) -> None:
    asked = general(seed, kind)
    # Rounding an accepted share up to a whole millionth is not scaled.
    sources = [replace(source, billed="delivered") for source in asked.sources]
    asked = replace(asked, sources=tuple(sources))
    dearer = replace(
        asked,
        budget=asked.budget * scale,
        sources=tuple(
            replace(
                source,
                unit_cost=source.unit_cost * scale,
                fixed_cost=source.fixed_cost * scale,
                tiers=tuple(Tier(tier.start, tier.unit_cost * scale) for tier in source.tiers),
            )
            for source in sources
        ),
        limits=tuple(
            replace(limit, maximum=(limit.maximum or 0.0) * scale) if limit.measure == "cost" else limit
            for limit in asked.limits
        ),
    )
    plan, other = make_plan(asked), make_plan(dearer)
    assert orders(plan) == orders(other)
    if plan.shadow_price and other.shadow_price:
        assert other.shadow_price == pytest.approx(plan.shadow_price / scale, rel=1e-6)


@invariant
@given(seeds, kinds, st.sampled_from([0.25, 3.0, 1e6]))
def test_scaling_all_weights_changes_nothing(seed: int, kind: Objective, scale: float) -> None:
    asked = general(seed, kind)
    plan, other = make_plan(asked), make_plan(replace(asked, weights=asked.weights * scale))
    assert orders(plan) == orders(other)


@invariant
@given(seeds, kinds.filter(lambda kind: kind.mode != "regret"), st.floats(1.0, 3.0))
@example(7444, Objective("utilitarian"), 2.0)
def test_more_budget_never_lowers_the_utility(seed: int, kind: Objective, more: float) -> None:
    asked = general(seed, kind)
    asked = replace(asked, limits=tuple(limit for limit in asked.limits if limit.measure != "cost_share"))
    plan, richer = make_plan(asked), make_plan(replace(asked, budget=int(asked.budget * more)))
    room = 1e-6 * gain(richer) + 1e-12 * abs(plan.utility.after.mean)
    assert richer.relaxed.utility >= plan.relaxed.utility - room
    assert richer.utility.after.mean >= plan.utility.after.mean - (richer.optimality.gap * 1.1) * gain(richer) - room


@invariant
@given(seeds, kinds.filter(lambda kind: kind.mode != "regret"))
def test_a_looser_bound_never_lowers_the_utility(seed: int, kind: Objective) -> None:
    asked = general(seed, kind)
    looser = replace(asked, max_count=None, limits=())
    plan, freer = make_plan(asked), make_plan(looser)
    room = 1e-6 * gain(freer) + 1e-12 * abs(plan.utility.after.mean)
    assert freer.relaxed.utility >= plan.relaxed.utility - room
    assert freer.utility.after.mean >= plan.utility.after.mean - (freer.optimality.gap * 1.1) * gain(freer) - room


@invariant
@given(seeds, kinds)
def test_every_answer_keeps_budget_bounds_and_limits(seed: int, kind: Objective) -> None:
    asked = general(seed, kind)
    plan, form = make_plan(asked), Canonical.of(asked)
    assert plan.spend + plan.unspent == asked.budget
    assert plan.spend == sum(source.cost for source in plan.sources) <= asked.budget
    bought = np.array([orders(plan)[source.key] for source in form.sources])
    assert form.region.allows(form.market, bought)
    for source, order in zip(form.sources, bought.tolist(), strict=True):
        assert order == 0 or source.min_order <= order <= (source.max_order or order)
        assert order % source.lot_size == 0
    # evaluate() checks the same orders on its own and finds the same utility.
    assert evaluate(asked, orders(plan)).utility.after == plan.utility.after


@invariant
@given(seeds, kinds)
@example(30007, Objective("isoelastic", aversion=4.0))
def test_the_gap_is_true_and_no_allowed_baseline_is_better(seed: int, kind: Objective) -> None:
    form = Canonical.of(general(seed, kind))
    decision = decide(form, "optimal")
    utility, values = decision.form.utility, decision.form.values
    total = utility.total(decision.after.value)
    # Benefits are of order 1: where U is 0, their last digit is what rounding leaves.
    assert decision.bound >= total - max(1e-12 * abs(total), 1e-15)
    for rival in (*decision.baselines.values(), np.zeros_like(decision.orders)):
        if form.region.allows(form.market, rival) and form.market.cost(rival) <= form.market.budget:
            there = values.total(form.held + form.market.added(rival))
            assert total >= there - 1e-12 * max(1.0, abs(there))
            assert decision.bound >= there - 1e-9 * max(abs(there), 1e-3)


@invariant
@given(seeds, st.sampled_from([kind for kind in KINDS if kind.kind != "robust"]))
@example(3984, Objective("utilitarian"))
@example(3368, Objective("maximin"))
def test_a_group_of_weight_0_that_no_other_group_comes_with_gets_nothing(seed: int, kind: Objective) -> None:
    asked = general(seed, kind)
    alone = [len(source.yields) == 1 for source in asked.sources]
    weights = asked.weights.copy()
    weights[0] = 0.0
    if not weights.any() or (kind.kind == "targets" and not (weights > 0).any()):
        return
    # A share of what is spent is a reason to spend more on anything: see the next test.
    asked = replace(asked, limits=tuple(limit for limit in asked.limits if limit.measure != "cost_share"))
    plan = make_plan(replace(asked, weights=weights))
    for source, order, single in zip(asked.sources, plan.sources, alone, strict=True):
        if single and source.yields[0][0] == 0:
            assert order.order == 0


def test_samples_of_no_use_are_bought_where_a_vendors_share_of_the_money_leaves_no_better_way() -> None:
    asked = general(2865, Objective("utilitarian"))
    weights = asked.weights.copy()
    weights[0] = 0.0
    asked = replace(asked, weights=weights)
    plan = make_plan(asked)
    useless = [at for at, source in enumerate(asked.sources) if source.yields == ((0, 1.0),)]
    assert [limit.measure for limit in asked.limits] == ["cost_share"]
    assert plan.sources[useless[0]].order > 0
    none = (replace(asked.sources[at], fixed_order=0) if at in useless else asked.sources[at] for at in range(3))
    without = make_plan(replace(asked, sources=tuple(none)))
    assert plan.utility.after.mean > without.utility.after.mean + 0.01 * gain(plan)
    assert plan.relaxed.utility > without.relaxed.utility + 0.01 * gain(plan)


@invariant
@given(seeds, kinds)
@example(8526, Objective("maximin"))
def test_the_same_inputs_give_the_same_plan(seed: int, kind: Objective) -> None:
    assert repr(make_plan(general(seed, kind))) == repr(make_plan(general(seed, kind)))


@invariant
@given(seeds, kinds, st.integers(5, 200))
@example(16, Objective("utilitarian"), 6)
def test_of_two_like_sources_the_dearer_waits_for_the_cheaper(seed: int, kind: Objective, cap: int) -> None:
    asked = general(seed, kind, whole=False, bounded=False)
    cheap = replace(asked.sources[0], max_order=cap, tiers=())
    dear = replace(cheap, key="dear", unit_cost=cheap.unit_cost + cheap.unit_cost // 3 + 1)
    plan = make_plan(replace(asked, sources=(cheap, dear, *asked.sources[1:])))
    assert plan.sources[1].order == 0 or plan.sources[0].order == cap


@invariant
@given(seeds, kinds, st.integers(1, 60))
def test_an_order_held_fixed_is_kept_and_the_rest_is_optimised_round_it(seed: int, kind: Objective, held: int) -> None:
    asked = general(seed, kind, bounded=False)
    first = replace(asked.sources[0], min_order=0, lot_size=1, max_order=None)
    fixed = replace(first, fixed_order=held)
    if fixed.cost(held) > asked.budget:
        return
    plan = make_plan(replace(asked, sources=(fixed, *asked.sources[1:])))
    assert plan.sources[0].order == held
    free = make_plan(replace(asked, sources=(first, *asked.sources[1:])))
    room = 1e-6 * gain(free) + 1e-12 * abs(free.utility.after.mean)
    if kind.mode != "regret":
        assert free.relaxed.utility >= plan.relaxed.utility - room
