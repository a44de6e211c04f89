"""Where money teaches most: the knowledge gradient against quadrature, and what exploring must keep."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planner.curves.posterior import Posterior
from app.planner.errors import ProblemError
from app.planner.plan.decide import decide
from app.planner.plan.exploration import MONEY_PARTS, SHARE_EACH, decide_exploring, explore
from app.planner.plan.make_plan import make_plan
from app.planner.plan.margins import Margins, marginal_draws
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Limit, Problem
from app.planner.quality.trying import knowledge_gradient
from tests.planner.problems import MONEY, offers, problem, stated


def learning(spread: tuple[float, float], noise: float = 0.002, draws: int = 200) -> Posterior:
    """Two curves alike but for how well their falls are known."""
    sure = stated([(0.1, 2.0, 0.5, 0.0), (0.1, 2.0, 0.5, 0.0)], draws)
    normal = np.random.default_rng(0).normal(size=(2, draws))
    normal = (normal - normal.mean(axis=1, keepdims=True)) / normal.std(axis=1, keepdims=True)
    excess = sure.excess * (1.0 + np.array([[spread[0]], [spread[1]]]) * normal)
    return replace(sure, excess=excess, noise=np.full(2, noise))


def asked(posterior: Posterior, budget: float = 400.0, prices: tuple[float, float] = (1.0, 1.0)) -> Problem:
    return problem(posterior, offers(prices), budget, held=[200.0, 200.0])


@pytest.mark.parametrize("gap", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("step", [0.1, 1.0])
def test_the_knowledge_gradient_is_what_a_normal_step_gains_over_staying(step: float, gap: float) -> None:
    grid = np.linspace(-9.0, 9.0, 400_001)
    density = np.exp(-0.5 * grid**2) / np.sqrt(2.0 * np.pi)
    gained = float((np.maximum(step * grid - gap, 0.0) * density).sum() * (grid[1] - grid[0]))
    assert knowledge_gradient(np.array(step), np.array(gap)) == pytest.approx(gained, rel=1e-6, abs=1e-12)


def test_money_goes_to_the_group_that_is_less_known() -> None:
    form = Canonical.of(asked(learning((0.02, 0.3))))
    first = decide(Canonical.of(asked(learning((0.02, 0.3)), 300.0)), "optimal")
    more = form.market.added(explore(form, first, 100 * MONEY))
    assert more[1] > 0
    assert more[0] < 0.1 * more[1]


def test_a_curve_that_is_certain_teaches_nothing() -> None:
    form = Canonical.of(asked(learning((0.0, 0.0))))
    first = decide(Canonical.of(asked(learning((0.0, 0.0)), 300.0)), "optimal")
    assert not explore(form, first, 100 * MONEY).any()


def test_noise_that_hides_what_is_learnt_lowers_its_worth() -> None:
    step = []
    for noise in (0.001, 0.05):
        posterior = learning((0.1, 0.1), noise=noise)
        fall = posterior.loss(np.full(2, 400.0)) - posterior.loss(np.full(2, 500.0))
        step.append(fall[0].var() / np.sqrt(fall[0].var() + 2.0 * noise**2))
    assert knowledge_gradient(np.array(step[1]), np.array(0.0)) < knowledge_gradient(np.array(step[0]), np.array(0.0))


def test_the_draws_of_the_margin_average_to_the_margin() -> None:
    form = Canonical.of(asked(learning((0.1, 0.3)), prices=(1.0, 3.0)))
    decision = decide(form, "optimal")
    found = marginal_draws(form, decision).mean(axis=1)
    np.testing.assert_allclose(found, Margins.of(form, decision).after, rtol=1e-9)


def test_exploring_spends_its_share_and_the_policy_the_rest() -> None:
    question = asked(learning((0.02, 0.3)))
    decision, cost = decide_exploring(question, "optimal", 0.25, seed=0)
    plain = decide(Canonical.of(asked(learning((0.02, 0.3)), 300.0)), "optimal")
    assert cost == 100 * MONEY
    assert decision.policy == "optimal"
    assert np.all(decision.orders >= plain.orders)
    assert decision.form.market.cost(decision.orders) == 400 * MONEY


def test_without_exploration_the_decision_is_the_policys() -> None:
    question = asked(learning((0.02, 0.3)))
    decision, cost = decide_exploring(question, "optimal", 0.0, seed=0)
    assert cost == 0
    np.testing.assert_array_equal(decision.orders, decide(Canonical.of(question), "optimal").orders)


def test_bounds_come_before_exploring() -> None:
    question = replace(asked(learning((0.02, 0.3))), min_count=np.array([580.0, np.nan]))
    decision, cost = decide_exploring(question, "optimal", 0.5, seed=0)
    assert decision.counts[0] >= 580.0
    assert cost + 380 * MONEY <= 400 * MONEY


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0.0, 1.0),
    st.integers(0, 2000),
    st.sampled_from([(1, 0), (25, 0), (1, 90), (40, 120)]),
    st.none() | st.integers(0, 150),
)
def test_exploring_keeps_the_budget_and_every_limit(
    share: float, budget: int, lots: tuple[int, int], most: int | None
) -> None:
    sources = offers([1.0, 2.0], lots=[lots[0], 1], least=[0, lots[1]], most=[most, None])
    limit = Limit("half", "sources", (1,), "cost", maximum=budget * MONEY / 2)
    question = replace(
        problem(learning((0.05, 0.3), draws=30), sources, float(budget), held=[200.0, 200.0]),
        limits=(limit,),
        max_count=np.array([400.0, np.nan]),
    )
    decision, cost = decide_exploring(question, "optimal", share, seed=0)
    form = decision.form
    assert 0 <= cost <= share * budget * MONEY + 1e-6
    assert form.market.cost(decision.orders) <= budget * MONEY
    assert form.region.allows(form.market, decision.orders)
    for order, source in zip(decision.orders.tolist(), form.sources, strict=True):
        assert order % source.lot_size == 0
        assert order == 0 or source.least <= order <= (order if source.cap is None else source.cap)


def test_a_share_out_of_range_is_refused() -> None:
    with pytest.raises(ProblemError, match=r"exploration is 1\.5; it must lie from 0 to 1"):
        decide_exploring(asked(learning((0.1, 0.1))), "optimal", 1.5, seed=0)


def test_the_parts_are_few_enough_to_be_batches() -> None:
    form = Canonical.of(asked(learning((0.3, 0.3))))
    first = decide(Canonical.of(asked(learning((0.3, 0.3)), 200.0)), "optimal")
    more = form.market.added(explore(form, first, 160 * MONEY))
    assert more.sum() == 160
    assert np.all(more % (160 / MONEY_PARTS) == 0)


def with_a_flat_group(chance: float, level: float = 0.4) -> Posterior:
    """Two curves alike, and a flat one that in a share `chance` of the draws starts somewhere beyond 200 samples."""
    draws = 200
    posterior = stated([(0.1, 2.0, 0.5, 0.0), (0.1, 2.0, 0.5, 0.0), (level, 0.0, 0.6, 0.0)], draws)
    rng = np.random.default_rng(1)
    waiting = np.arange(draws) < round(chance * draws)
    rng.shuffle(waiting)
    floor = np.where(waiting, level * np.sqrt(rng.uniform(size=draws)), level)
    asymptote, excess, anchor, threshold = (
        posterior.asymptote.copy(),
        posterior.excess.copy(),
        posterior.anchor.copy(),
        np.zeros((3, draws)),
    )
    asymptote[2], excess[2], anchor[2] = floor, level - floor, 200.0
    threshold[2] = np.where(waiting, 200.0 * rng.uniform(size=draws) ** (-1.0 / 0.6), 0.0)
    return replace(posterior, asymptote=asymptote, excess=excess, anchor=anchor, threshold=threshold)


def of_three(posterior: Posterior, **more: object) -> Problem:
    return problem(posterior, offers([1.0, 1.0, 1.0]), 600.0, held=[200.0] * 3, **more)


def test_by_default_a_flat_group_gets_a_bounded_share_and_the_plan_says_so() -> None:
    question = of_three(with_a_flat_group(0.1))
    plain, plan = make_plan(question, exploration=0.0), make_plan(question)
    assert plan.explored == pytest.approx(SHARE_EACH * 600 * MONEY, abs=MONEY)
    assert plan.groups[2].cost == plain.groups[2].cost + plan.explored or plan.groups[2].cost >= plan.explored
    assert [(one.code, one.group) for one in plan.warnings if one.code == "explored"] == [
        ("explored", question.keys[2])
    ]
    assert plan.groups[2].reason == "It may not have started to learn, and its share goes to finding out."
    assert not plain.explored
    assert "explored" not in {one.code for one in plain.warnings}


@pytest.mark.parametrize("budget", [601.0, 605.0, 609.0])
def test_what_both_parts_leave_over_is_spent(budget: float) -> None:
    """A flat group's samples cost 2, the others' 1: each part rounds down to whole samples."""
    question = problem(with_a_flat_group(0.1), offers([1.0, 1.0, 2.0]), budget, held=[200.0] * 3)
    plan = make_plan(question)
    assert plan.explored > 0
    assert plan.explored % (2 * MONEY) == 0
    assert plan.unspent == 0


@pytest.mark.parametrize(("chance", "level"), [(0.0, 0.4), (0.1, 0.01)])
def test_nothing_is_explored_by_default_where_all_have_started_or_little_is_to_be_had(
    chance: float, level: float
) -> None:
    question = of_three(with_a_flat_group(chance, level))
    plan = make_plan(question)
    assert plan.explored == 0
    assert [one.add for one in plan.groups] == [one.add for one in make_plan(question, exploration=0.0).groups]


def test_only_the_optimal_policy_explores_by_default() -> None:
    question = of_three(with_a_flat_group(0.1))
    for policy in ("equal", "greedy", "worst_first"):
        assert make_plan(question, policy).explored == 0


def two_vendors(weight: float | None, budget: float = 1000.0, **more: Any) -> Problem:
    """One group; s0 accepts .60 for sure, s1 about .55."""
    known, other = offers((1.0, 1.0), groups=(0, 0))
    promising = replace(other, acceptance_rate=0.55, acceptance_weight=weight, **more)
    sources = (replace(known, acceptance_rate=0.6), promising)
    return problem(stated([(0.1, 2.0, 0.5, 0.0)], draws=100), sources, budget, held=[200.0])


@pytest.mark.parametrize("least", [0, 150])
def test_a_promising_vendor_that_is_hardly_known_is_tried(least: int) -> None:
    plan = make_plan(two_vendors(20.0, min_order=least), exploration=0.2)
    orders = {one.key: one.order for one in plan.sources}
    assert orders["s1"] >= max(20, least)
    assert sum(orders.values()) == 1000
    assert make_plan(two_vendors(20.0), exploration=0.0).sources[1].order == 0


def test_money_that_would_teach_nothing_goes_back_to_the_policy() -> None:
    for asked_of in (two_vendors(None), two_vendors(1e6)):
        plan = make_plan(asked_of, exploration=0.5)
        assert [one.order for one in plan.sources] == [1000, 0]
        assert (plan.explored, plan.unspent) == (0, 0)


def test_a_vendor_of_unknown_quality_is_tried_where_the_curve_would_tell() -> None:
    known, other = offers((1.0, 0.5), groups=(0, 0), most=(None, None))
    for variance, tried in ((0.03, True), (0.0, False)):
        sources = (known, replace(other, quality=0.48, quality_variance=variance))
        asked_of = problem(stated([(0.1, 2.0, 0.5, 0.0)], draws=100), sources, 1000.0, held=[200.0])
        assert (make_plan(asked_of, exploration=0.2).sources[1].order >= 20) == tried


def test_exploring_vendors_pays_over_campaigns() -> None:
    """Four rounds of 1,000; the second vendor's rate drawn from what is believed of it, and each delivery seen."""
    rng = np.random.default_rng(5)
    brought = {0.0: 0.0, 0.2: 0.0}
    for rate in rng.beta(11.0, 9.0, size=30):
        for share in brought:
            success, failure = 11.0, 9.0
            for _ in range(4):
                mean = success / (success + failure)
                asked_of = two_vendors(success + failure)
                known, other = asked_of.sources
                asked_of = replace(asked_of, sources=(known, replace(other, acceptance_rate=mean)))
                first, second = (one.order for one in make_plan(asked_of, exploration=share).sources)
                accepted = rng.binomial(second, rate)
                brought[share] += 0.6 * first + rate * second
                success, failure = success + accepted, failure + second - accepted
    assert brought[0.2] > 1.02 * brought[0.0]
