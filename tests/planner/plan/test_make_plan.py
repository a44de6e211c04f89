"""The whole plan: its invariants, reasons, warnings and what is left."""

from dataclasses import replace
from random import Random
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.planner.curves.posterior import Diagnostics
from app.planner.curves.transfer import Transfer
from app.planner.plan.make_plan import make_plan
from app.planner.plan.plan import Plan
from app.planner.policies.policy import PolicyName
from app.planner.problem.problem import Problem
from app.planner.problem.sources import Source
from app.planner.utility.metric import Metric
from app.planner.utility.objective import Objective
from tests.planner.joint import joint_posterior
from tests.planner.problems import (
    ACCURACY,
    MAXIMIN,
    MONEY,
    RMSE,
    UTILITARIAN,
    isoelastic,
    offers,
    problem,
    random_curves,
    scattered,
    stated,
)

OBJECTIVES = [UTILITARIAN, isoelastic(1.0), isoelastic(5.0), MAXIMIN]
POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)
seeds = st.integers(0, 2**32 - 1)
objectives = st.sampled_from(OBJECTIVES)
property_test = settings(max_examples=12, deadline=None)


def question(seed: int, objective: Objective, *, rough: bool = True) -> Problem:
    """A random problem of 1 to 5 groups; `rough` adds lots, smallest orders, caps and a second source."""
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(1, 6))
    count = int(rng.integers(groups, 2 * groups + 1)) if rough else groups
    return problem(
        replace(scattered(random_curves(rng, groups), draws=5, seed=seed % 1000), error_correlation=0.3),
        offers(
            rng.uniform(0.2, 9.0, size=count).round(2).tolist(),
            groups=[*range(groups), *rng.integers(groups, size=count - groups).tolist()],
            least=rng.choice([0, 0, 15], size=count).tolist() if rough else None,
            lots=rng.choice([1, 1, 10], size=count).tolist() if rough else None,
            most=[None if rng.random() < 0.6 else int(rng.integers(5, 300)) for _ in range(count)] if rough else None,
        ),
        budget=float(rng.integers(0, 3000)),
        objective=objective,
        held=rng.integers(0, 400, size=groups).astype(float).tolist(),
        weights=rng.uniform(0.1, 2.0, size=groups).tolist(),
        metric=RMSE if seed % 4 == 0 else ACCURACY,
        targets=rng.uniform(0.2, 1.0, size=groups).tolist(),
    )


def orders(plan: Plan) -> dict[str, int]:
    return {source.key: source.order for source in plan.sources}


def permuted(asked: Problem, order: list[int]) -> Problem:
    place = {old: new for new, old in enumerate(order)}
    reference = asked.reference_loss
    return replace(
        asked,
        keys=tuple(asked.keys[at] for at in order),
        weights=asked.weights[order],
        held=asked.held[order],
        targets=asked.targets[order],
        reference_loss=None if reference is None else reference[order],
        posterior=asked.posterior.select(np.array(order)),
        sources=tuple(
            replace(source, yields=((place[source.yields[0][0]], 1.0),)) for source in reversed(asked.sources)
        ),
    )


@property_test
@given(seeds, objectives, st.sampled_from(POLICIES), st.randoms(use_true_random=False))
def test_permuting_the_groups_permutes_the_answer_exactly(
    seed: int, objective: Objective, policy: PolicyName, random: Random
) -> None:
    asked = question(seed, objective)
    order = list(range(len(asked.keys)))
    random.shuffle(order)
    plan, other = make_plan(asked, policy), make_plan(permuted(asked, order), policy)
    assert [group.key for group in other.groups] == [asked.keys[at] for at in order]
    assert {group.key: group for group in plan.groups} == {group.key: group for group in other.groups}
    assert orders(plan) == orders(other)
    assert (plan.utility, plan.shadow_price, plan.warnings) == (other.utility, other.shadow_price, other.warnings)


@property_test
@given(seeds, objectives, st.integers(2, 1000))
def test_scaling_costs_and_budget_changes_only_the_shadow_price(seed: int, objective: Objective, scale: int) -> None:
    asked = question(seed, objective)
    dearer = replace(
        asked,
        budget=asked.budget * scale,
        sources=tuple(replace(source, unit_cost=source.unit_cost * scale) for source in asked.sources),
    )
    plan, other = make_plan(asked, "optimal"), make_plan(dearer, "optimal")
    assert orders(plan) == orders(other)
    np.testing.assert_allclose(other.relaxed.orders, plan.relaxed.orders, rtol=1e-9)
    if plan.shadow_price is not None and other.shadow_price is not None:
        assert other.shadow_price == pytest.approx(plan.shadow_price / scale, rel=1e-9)


@property_test
@given(seeds, objectives, st.sampled_from([0.25, 3.0, 1e6]))
def test_scaling_the_weights_changes_nothing(seed: int, objective: Objective, scale: float) -> None:
    asked = question(seed, objective)
    plan, other = make_plan(asked, "optimal"), make_plan(replace(asked, weights=asked.weights * scale), "optimal")
    assert orders(plan) == orders(other)
    assert other.utility.after.mean == pytest.approx(plan.utility.after.mean, rel=1e-12)


@property_test
@given(seeds, objectives, st.floats(1.0, 3.0))
def test_more_budget_never_lowers_the_utility(seed: int, objective: Objective, more: float) -> None:
    asked = question(seed, objective)
    plan, richer = make_plan(asked, "optimal"), make_plan(replace(asked, budget=int(asked.budget * more)), "optimal")
    tolerance = 1e-9 * max(abs(plan.utility.after.mean), 1e-3)
    assert richer.relaxed.utility >= plan.relaxed.utility - tolerance
    gain = max(abs(richer.utility.after.mean - richer.utility.now.mean), 1e-9)
    shortfall = (richer.optimality.gap + 1e-9) * 2.0 * gain
    assert richer.utility.after.mean >= plan.utility.after.mean - shortfall - tolerance


@property_test
@given(seeds, objectives, st.sampled_from(POLICIES))
def test_the_plan_adds_up_and_keeps_every_limit(seed: int, objective: Objective, policy: PolicyName) -> None:
    asked = question(seed, objective)
    plan = make_plan(asked, policy)
    assert 0 <= plan.spend == sum(source.cost for source in plan.sources) == sum(group.cost for group in plan.groups)
    assert plan.spend + plan.unspent == asked.budget
    assert (plan.unspent_reason is None) == (plan.unspent == 0 and asked.budget > 0)
    for group in plan.groups:
        assert group.add == sum(source.order for source in plan.sources if source.group == group.key)
    for source, offer in zip(plan.sources, asked.sources, strict=True):
        assert source.order == 0 or offer.min_order <= source.order <= (offer.max_order or source.order)
        assert source.order % offer.lot_size == 0
        assert source.cost == source.order * offer.unit_cost


@property_test
@given(seeds, objectives)
def test_the_answer_is_never_worse_than_a_baseline_or_than_nothing(seed: int, objective: Objective) -> None:
    utility = make_plan(question(seed, objective), "optimal").utility
    for other in (utility.now, utility.equal, utility.equal_spend, utility.proportional):
        assert utility.after.mean >= other.mean - 1e-12 * max(1.0, abs(other.mean))


@property_test
@given(seeds, objectives)
def test_a_group_of_weight_0_gets_nothing(seed: int, objective: Objective) -> None:
    asked = question(seed, objective)
    weights = asked.weights.copy()
    weights[0] = 0.0
    if weights.any():
        plan = make_plan(replace(asked, weights=weights), "optimal")
        assert plan.groups[0].add == 0
        assert plan.relaxed.orders[[at for at, s in enumerate(asked.sources) if s.yields[0][0] == 0]].sum() <= 1e-6


@property_test
@example(128, MAXIMIN, 199)
@given(seeds, objectives, st.integers(1, 200))
def test_of_two_like_sources_the_dearer_waits_for_the_cheaper(seed: int, objective: Objective, cap: int) -> None:
    asked = question(seed, objective, rough=False)
    cheap = replace(asked.sources[0], max_order=cap)
    dear = Source("dear", cheap.yields, cheap.unit_cost + cheap.unit_cost // 3 + 1, 0, cap, 1)
    plan = make_plan(replace(asked, sources=(cheap, dear, *asked.sources[1:])), "optimal")
    assert plan.sources[1].order == 0 or plan.sources[0].order == cap


@property_test
@given(seeds, objectives, st.sampled_from(POLICIES))
def test_the_same_inputs_give_the_same_plan(seed: int, objective: Objective, policy: PolicyName) -> None:
    assert repr(make_plan(question(seed, objective), policy)) == repr(make_plan(question(seed, objective), policy))


def two_groups(budget: float = 100.0, policy: PolicyName = "optimal", **changes: Any) -> Plan:
    asked = problem(stated([(0.05, 2.0, 0.5, 0.0), (0.05, 4.0, 0.5, 0.0)]), offers([1.0, 2.0]), budget)
    return make_plan(replace(asked, **changes), policy)


def codes(plan: Plan) -> set[str]:
    return {warning.code for warning in plan.warnings}


def test_a_plain_plan_raises_no_alarm() -> None:
    for policy in POLICIES:
        assert codes(two_groups(policy=policy)) == set()


def test_the_interval_of_a_sure_curve_is_a_point_and_ties_count_half() -> None:
    utility = two_groups(policy="equal").utility
    assert utility.after.p05 == utility.after.p95 == pytest.approx(utility.after.mean)
    assert utility.best_simple_rule.policy == "equal"
    assert utility.best_simple_rule.gain.p_better == 0.5


def test_the_metric_after_is_that_of_the_counts_after() -> None:
    for group, scale in zip(two_groups().groups, (2.0, 4.0), strict=True):
        assert group.metric_now.p50 == pytest.approx(0.95 - scale / 50.0**0.5)
        assert group.metric_after.mean == pytest.approx(0.95 - scale / (50.0 + group.add) ** 0.5)
        slope = 0.5 * 0.5 * scale * (50.0 + group.add) ** -1.5
        assert group.marginal_after == pytest.approx(slope / (1.0 if scale == 2.0 else 2.0))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("budget", "changes", "reason"),
    [
        (0.0, {}, "The budget is 0"),
        (0.5, {}, "less than the cheapest further order, 1"),
        (100.0, {"sources": ()}, "No source sells samples"),
        (100.0, {"sources": offers([1.0, 2.0], most=[10, 5])}, "Every source is at its largest order"),
    ],
)
def test_money_that_is_left_has_a_reason(
    policy: PolicyName, budget: float, changes: dict[str, Any], reason: str
) -> None:
    plan = two_groups(budget, policy, **changes)
    assert plan.unspent == round(budget * MONEY) - plan.spend
    assert reason in (plan.unspent_reason or "")


def test_money_no_group_gains_from_is_left() -> None:
    plan = two_groups(posterior=stated([(0.1, 0.0, 0.5, 0.0), (0.2, 0.0, 0.5, 0.0)]))
    assert plan.spend == 0
    assert "gain no more" in (plan.unspent_reason or "")
    assert plan.groups[0].reason.startswith("Saturation")
    assert codes(plan) == {"budget_unspent"}


def test_a_group_without_a_source_gets_nothing_and_says_so() -> None:
    plan = two_groups(sources=offers([1.0]))
    assert plan.groups[1].add == 0
    assert plan.groups[1].marginal_now is None
    assert plan.groups[1].reason == "No source sells samples of it."
    assert [(warning.code, warning.group) for warning in plan.warnings] == [("no_source", "g1")]
    assert codes(two_groups(sources=offers([1.0]), weights=np.array([1.0, 0.0]))) == set()


def test_a_binding_cap_is_named_with_its_source() -> None:
    plan = two_groups(sources=offers([1.0, 2.0], most=[None, 3]))
    assert plan.sources[1].binding == ("max_order",)
    assert plan.sources[0].binding == ("budget",)
    assert [(warning.code, warning.source) for warning in plan.warnings] == [("bound_binds", "s1")]
    assert "sell no more than 3" in plan.groups[1].reason


def test_a_smallest_order_beyond_the_budget_is_named() -> None:
    plan = two_groups(sources=offers([1.0, 2.0], least=[0, 60]))
    assert plan.groups[1].reason == "Its smallest order costs 120, more than the budget."


def test_a_smallest_order_not_worth_it_is_named() -> None:
    plan = two_groups(
        sources=offers([1.0, 2.0], least=[0, 48]), posterior=stated([(0.0, 4.0, 0.5, 0.0), (0.0, 1.8, 0.5, 0.0)])
    )
    assert plan.groups[1].reason == "Its smallest order would take more money than it is worth here."
    assert "min_order" in plan.sources[1].binding


def test_targets_are_said_to_be_reached_or_out_of_reach() -> None:
    plan = two_groups(targets=np.array([0.6, 0.96]))
    assert {(warning.code, warning.group) for warning in plan.warnings} == {
        ("target_reached", "g0"),
        ("hopeless_target", "g1"),
    }
    assert codes(two_groups(targets=np.array([0.7, 0.9]))) == set()


def test_counts_that_moved_since_the_last_measurement_are_said_to_be_stale() -> None:
    curves = stated([(0.05, 2.0, 0.5, 0.0), (0.05, 4.0, 0.5, 0.0)])
    held = two_groups(posterior=curves).groups[0].count
    for share, said in [(1.0, []), (0.85, []), (0.5, ["g0"])]:
        measured = (Diagnostics(4, 4, share * held, 1), Diagnostics(4, 4, 1e6, 1))
        plan = two_groups(posterior=replace(curves, diagnostics=measured))
        assert [warning.group for warning in plan.warnings if warning.code == "stale"] == said


def test_a_gain_within_the_noise_is_said_to_be() -> None:
    flat = scattered([(0.1, 0.02, 0.3, 0.0), (0.2, 0.02, 0.3, 0.0)], draws=200, seed=3)
    assert codes(two_groups(posterior=flat)) == {"no_gain"}


def test_a_price_that_turns_the_need_round_is_named() -> None:
    plan = two_groups(50.0, sources=offers([1.0, 9.0]))
    assert [(warning.code, warning.group) for warning in plan.warnings] == [("price_dominates", "g1")]
    assert plan.groups[1].reason == "Its samples are dearer than the others'."


@pytest.mark.parametrize(("metric", "now"), [(ACCURACY, 0.245), (RMSE, 0.755)])
def test_maximin_names_a_hopeless_group_and_what_aversion_would_do(metric: Metric, now: float) -> None:
    curves = [(0.6 + 0.155 - 2.0 / 200.0**0.5, 2.0, 0.5, 0.0), (0.05, 4.0, 0.5, 0.0), (0.02, 3.0, 0.45, 0.0)]
    asked = problem(stated(curves), offers([1.0, 1.0, 2.0]), 20_000.0, MAXIMIN, held=[200.0, 100.0, 100.0])
    plan = make_plan(replace(asked, metric=metric, reference_loss=np.ones(3)), "optimal")
    assert plan.groups[0].metric_now.mean == pytest.approx(now)
    assert [(warning.code, warning.group) for warning in plan.warnings] == [("hopeless", "g0")]
    assert "100 % of the money" in plan.warnings[0].detail
    assert "aversion 5 would give it" in plan.warnings[0].detail
    assert plan.groups[0].reason.startswith("It is among the worst off")
    resting = make_plan(replace(asked, objective=Objective("maximin", stop_ratio=0.1)), "optimal")
    assert 0 < resting.groups[0].add < plan.groups[0].add
    assert codes(resting) == set()


def test_a_stopped_group_says_that_it_rests() -> None:
    asked = problem(
        stated([(0.6, 0.5, 0.5, 0.0), (0.05, 4.0, 0.5, 0.0)]),
        offers([1.0, 1.0]),
        100.0,
        Objective("maximin", stop_ratio=0.5),
        held=[200.0, 100.0],
    )
    plan = make_plan(asked, "optimal")
    assert plan.groups[0].add == 0
    assert (
        plan.groups[0].reason
        == "It gains less than 50 % per cost of what the best group gains, so stop_ratio leaves it at rest."
    )
    assert plan.shadow_price is None


def test_nothing_more_to_buy_has_no_shadow_price() -> None:
    plan = two_groups(10_000.0, sources=offers([1.0, 2.0], most=[10, 5]))
    assert plan.shadow_price is None
    assert codes(plan) == {"bound_binds", "budget_unspent"}


def test_the_baselines_know_how_far_they_are_from_the_optimum() -> None:
    best, rule = two_groups(), two_groups(policy="equal_spend")
    gain = best.utility.after.mean - best.utility.now.mean
    lost = best.utility.after.mean - rule.utility.after.mean
    assert rule.optimality.gap == pytest.approx(lost / gain, rel=0.02)
    assert rule.optimality.method == "equal_spend"


def moving_each_other(weight: float, conflict: float, added: tuple[float, float] = (1.0, 1.0)) -> Problem:
    """Two like groups of 200 samples each, that move each other alike, at two prices."""
    curves = [(0.05, 1.5, 0.5, 0.0)] * 2
    weights = np.array([[0.0, weight], [weight, 0.0]])[:, :, None]
    transfer = Transfer.of_fit(
        weights, np.full((2, 1), np.inf), np.full(2, 200.0), np.zeros(2), ((), ()), np.full((2, 1), conflict)
    )
    return problem(replace(stated(curves), transfer=transfer), offers(list(added)), 100.0, held=[200.0, 200.0])


@pytest.mark.parametrize(
    ("weight", "conflict", "said"),
    # 1.5 / √200 is .106, 1.5 / √300 .087: half weights take .019 off the loss of .15, M² is 1/16; of weights 0, 1/4.
    [(0.5, 0.2, set()), (0.5, 0.4, {"g0", "g1"}), (0.0, 0.03, {"g0", "g1"}), (0.0, 0.004, set()), (0.0, 0.0, set())],
)
def test_where_misfit_takes_more_than_others_data_brings_another_model_is_the_cure(
    weight: float, conflict: float, said: set[str]
) -> None:
    plan = make_plan(moving_each_other(weight, conflict))
    assert {warning.group for warning in plan.warnings if warning.code == "conflict"} == said


def test_the_conflict_is_told_in_shares_of_the_loss() -> None:
    plan = make_plan(moving_each_other(0.5, 0.4))
    detail = next(warning.detail for warning in plan.warnings if warning.code == "conflict")
    # .4/16 of .05 + .0866 + .025, and .0195 of it.
    assert "misfit makes 15 % of its loss, and their data takes 12 % off it" in detail


def test_reasons_say_what_of_a_gain_comes_from_what_is_bought_of_others() -> None:
    dear = make_plan(moving_each_other(0.5, 0.0, added=(50.0, 0.5)))
    assert dear.groups[0].add == 0
    assert dear.groups[0].reason.endswith("Of its gain, 100 % comes from what is bought of others.")
    assert "of others" not in dear.groups[1].reason
    both = make_plan(moving_each_other(0.5, 0.0))
    # 50 samples of each: 1.5 (300^−½ − 375^−½) in all, to 350 by its own.
    own = 1.0 - (300.0**-0.5 - 350.0**-0.5) / (300.0**-0.5 - 375.0**-0.5)
    for group in both.groups:
        assert group.add == 50
        assert f"Of its gain, {own:.0%}".replace("%", " %") in group.reason


def test_reasons_say_for_whose_sake_samples_of_a_group_that_does_not_count_are_bought() -> None:
    cheap = replace(moving_each_other(0.5, 0.0, added=(50.0, 0.5)), weights=np.array([1.0, 0.0]))
    [served, unweighed] = make_plan(cheap).groups
    assert (served.add, unweighed.add) == (0, 200)
    assert unweighed.reason == "Its weight is 0; its samples are bought for what they teach others, most of all 'g0'."
    assert served.reason.endswith("Of its gain, 100 % comes from what is bought of others.")
    apart = replace(moving_each_other(0.0, 0.0), weights=np.array([1.0, 0.0]))
    assert make_plan(apart).groups[1].reason == "Its weight is 0, so it does not count."


def test_reasons_say_that_samples_come_along_with_those_of_groups_that_count() -> None:
    curves = stated([(0.05, 1.0, 0.5, 0.0)] * 2, draws=5)
    both = Source("both", ((0, 0.5), (1, 0.5)), MONEY)
    plan = make_plan(problem(curves, (both,), 100.0, held=[200.0, 200.0], weights=[1.0, 0.0]))
    assert plan.groups[1].reason == "Its weight is 0; its samples come along from sources of groups that count."


def test_reasons_say_what_others_samples_take_back() -> None:
    harmed = make_plan(moving_each_other(0.0, 0.2, added=(1.0, 1.0)))
    assert all("takes back" in group.reason for group in harmed.groups)
    alone = make_plan(moving_each_other(0.0, 0.0))
    assert not any("of others" in group.reason for group in alone.groups)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_plans_where_groups_clash(policy: PolicyName) -> None:
    posterior = joint_posterior(4, groups=3, draws=6, conflict=0.5)
    plan = make_plan(problem(posterior, offers([1.0, 2.0, 4.0]), 300.0, isoelastic(1.0)), policy)
    assert plan.spend <= 300 * MONEY
    assert np.isfinite(plan.utility.after.mean)
    assert plan.optimality.gap >= 0.0


@pytest.mark.parametrize("policy", get_args(PolicyName))
@pytest.mark.parametrize("budget", [0.0, 1000.0])
def test_samples_that_cost_nothing_are_paid_with_nothing_by_every_policy(policy: PolicyName, budget: float) -> None:
    sources = offers((1.0, 0.0, 2.0), groups=(0, 0, 1), most=(None, 300, None))
    curves = stated([(0.1, 2.0, 0.5, 0.0)] * 2, draws=20)
    plan = make_plan(problem(curves, sources, budget, held=[200.0, 200.0]), policy)
    orders = {one.key: (one.order, one.cost) for one in plan.sources}
    assert orders["s1"][1] == 0
    assert plan.spend == orders["s0"][1] + orders["s2"][1] <= budget * MONEY
    if policy in ("optimal", "greedy"):
        assert orders["s1"][0] == 300
