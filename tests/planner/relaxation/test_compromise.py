"""The compromise of stakeholders: closed form, a grid of all splits, brute force over whole orders, and its bound."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planner.curves.posterior import Posterior
from app.planner.errors import ProblemError
from app.planner.integer import least_share
from app.planner.plan.decide import choose, decide
from app.planner.plan.make_plan import make_plan
from app.planner.plan.stop import stop_advice
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.relaxation.compromise import parties_of, prepared, shares
from app.planner.utility.objective import Objective, ObjectiveError
from app.planner.utility.stakeholders import Stakeholder
from tests.planner.joint import joint_posterior
from tests.planner.problems import (
    MAXIMIN,
    UTILITARIAN,
    offers,
    order_vectors,
    problem,
    random_curves,
    scattered,
    stated,
)

COMPROMISE = Objective("compromise")
WANTED = (
    UTILITARIAN,
    MAXIMIN,
    Objective("isoelastic", aversion=2.0),
    Objective("cvar", tail=0.5),
    Objective("gap", lambda_=1.0),
    Objective("utilitarian", risk=0.5),
    Objective("robust", mode="regret", weight_vectors=((1.0, 0.0, 1.0), (0.0, 1.0, 0.0))),
)


def served(asked: Problem, *stakeholders: Stakeholder, objective: Objective = COMPROMISE) -> Problem:
    return replace(asked, stakeholders=stakeholders, objective=objective)


def measure(form: Canonical) -> Callable[[np.ndarray], float]:
    """The least share of whole orders, each stakeholder's own best found alone."""
    parties = parties_of(form)

    def least(orders: np.ndarray) -> float:
        counts = form.held + form.market.added(orders)
        return min(share for share in shares(form, parties, counts) if share is not None)

    return least


def small(seed: int, budget: float = 20.0, posterior: Posterior | None = None) -> Problem:
    """Three groups, two or three stakeholders of any kind, and lots so large that all orders can be tried."""
    rng = np.random.default_rng(seed)
    picked = rng.choice(len(WANTED), size=rng.integers(2, 4), replace=False).tolist()
    asked = problem(
        posterior or scattered(random_curves(rng, 3), 20, seed), offers([1.0, 1.0, 2.0], lots=[2, 2, 2]), budget
    )
    weights = [tuple(rng.dirichlet(np.ones(3)).tolist()) if rng.random() < 0.7 else None for _ in picked]
    names = [f"judge {at}" for at in range(len(picked))]
    rows = zip(names, picked, weights, strict=True)
    return served(asked, *(Stakeholder(name, WANTED[kind], weight) for name, kind, weight in rows))


def test_two_who_each_want_one_of_two_like_groups_share_the_money() -> None:
    asked = problem(stated([(0.0, 1.0, 0.5, 0.0)] * 2), offers([1.0, 1.0]), 100.0, held=[100.0, 100.0])
    alone = [Stakeholder("a", UTILITARIAN, (1.0, 0.0)), Stakeholder("b", UTILITARIAN, (0.0, 1.0))]
    plan = make_plan(served(asked, *alone))
    # Half of the money each: (100^-.5 − 150^-.5) / (100^-.5 − 200^-.5).
    share = (0.1 - 150**-0.5) / (0.1 - 200**-0.5)
    assert [source.order for source in plan.sources] == [50, 50]
    assert [one.share for one in plan.stakeholders] == pytest.approx([share, share], rel=1e-6)
    assert (plan.utility.now.mean, plan.utility.after.mean) == pytest.approx((0.0, share), rel=1e-6)


def test_three_judges_of_four_groups_as_a_grid_of_all_splits_has_it() -> None:
    scale, exponent = np.array([1.0, 2.0, 4.0, 0.8]), np.array([0.5, 0.35, 0.6, 0.3])
    price, held, budget = np.array([1.0, 1.0, 2.0, 3.0]), np.full(4, 50.0), 4_000.0
    population = np.array([0.6, 0.25, 0.1, 0.05])
    splits = np.array([split for split in product(range(41), repeat=3) if sum(split) <= 40]) / 40.0
    money = budget * np.column_stack([splits, 1.0 - splits.sum(axis=1)])
    loss = scale * (held + money / price) ** -exponent
    start = scale * held**-exponent
    utility = np.column_stack([-loss @ population, -loss.mean(axis=1), -loss.max(axis=1)])
    now = np.array([-start @ population, -start.mean(), -start.max()])
    grid = ((utility - now) / (utility.max(axis=0) - now)).min(axis=1).max()

    curves = [(0.0, float(a), float(b), 0.0) for a, b in zip(scale, exponent, strict=True)]
    asked = problem(stated(curves), offers(price.tolist()), budget, held=held.tolist())
    plan = make_plan(
        served(
            replace(asked, weights=population),
            Stakeholder("population", UTILITARIAN),
            Stakeholder("equal", UTILITARIAN, (1.0,) * 4),
            Stakeholder("worst", MAXIMIN),
        )
    )
    found = [one.share for one in plan.stakeholders if one.share is not None]
    # The grid's own best plans are a little below the true ones, by which shares are measured.
    assert min(found) == pytest.approx(grid, abs=0.004)
    assert plan.optimality.gap < 1e-4


@pytest.mark.parametrize("seed", range(6))
def test_no_whole_orders_have_a_higher_least_share(seed: int) -> None:
    form = Canonical.of(small(seed))
    decision, least = decide(form, "optimal"), measure(form)
    reached = least(decision.orders)
    best = max(map(least, order_vectors(form)))
    assert best <= decision.bound + 1e-9
    assert reached >= best - 1e-3
    assert decision.gap == pytest.approx((decision.bound - reached) / decision.bound, abs=1e-6)


@settings(max_examples=5)
@given(seed=st.integers(0, 10**6), budget=st.floats(10.0, 1e4), joint=st.sampled_from([None, 0.0]))
def test_the_bound_holds_and_is_reached_when_samples_are_divisible(
    seed: int, budget: float, joint: float | None
) -> None:
    posterior = None if joint is None else joint_posterior(seed % 1000, 3, 8, joint, np.full(3, 50.0))
    form, divisible = prepared(Canonical.of(small(seed, budget, posterior)))
    found = divisible.relaxation
    assert found.utility <= found.bound <= found.utility + (2e-5 if not joint else 0.05)
    rng = np.random.default_rng(seed)
    for split in rng.dirichlet(np.ones(3), size=20):
        orders = split * budget / np.array([1.0, 1.0, 2.0])
        counts = form.held + form.market.added(orders)
        assert form.values.moved(counts).level(counts) <= found.bound + 1e-9


def test_where_there_are_many_sources_no_lot_is_tried_and_nothing_is_worse_than_a_simple_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = Canonical.of(small(3))
    least, tried = measure(form), decide(form, "optimal")
    monkeypatch.setattr(least_share, "CLIMBED", 0)
    monkeypatch.setattr(least_share, "_neighbours", lambda *_: pytest.fail("a lot was tried"))
    decision = decide(form, "optimal")
    assert least(tried.orders) >= least(decision.orders) >= max(map(least, decision.baselines.values()))


def test_one_stakeholder_alone_is_served_as_by_its_objective() -> None:
    for wanted in WANTED[:6]:
        asked = small(3)
        alone = served(asked, Stakeholder("only", wanted, (1.0, 2.0, 3.0)))
        plain = served(replace(asked, weights=np.array([1.0, 2.0, 3.0])), objective=wanted)
        form = Canonical.of(alone)
        least = measure(form)
        assert least(decide(form, "optimal").orders) >= least(choose(Canonical.of(plain), "optimal")) - 1e-3


def test_every_objective_s_plan_says_how_the_stakeholders_fare() -> None:
    asked = small(5, budget=100.0)
    for objective in (UTILITARIAN, MAXIMIN, COMPROMISE):
        for policy in ("optimal", "equal", "worst_first"):
            plan = make_plan(replace(asked, objective=objective), policy)
            assert [one.name for one in plan.stakeholders] == [one.name for one in asked.stakeholders]
            assert all(one.share is not None and one.share <= 1.0 + 1e-6 for one in plan.stakeholders)
    fair, other = make_plan(asked), make_plan(replace(asked, objective=MAXIMIN))
    assert min(one.share or 0.0 for one in fair.stakeholders) >= min(one.share or 0.0 for one in other.stakeholders)


def test_who_can_gain_nothing_has_no_share_and_holds_nobody_back() -> None:
    asked = problem(stated([(0.0, 1.0, 0.5, 0.0)] * 2), offers([1.0], groups=[0]), 100.0)
    first = Stakeholder("first", UTILITARIAN, (1.0, 0.0))
    second = Stakeholder("second", UTILITARIAN, (0.0, 1.0))
    plan = make_plan(served(asked, first, second))
    assert [one.share for one in plan.stakeholders] == [pytest.approx(1.0), None]
    none = make_plan(served(replace(asked, budget=0), first, second))
    assert [one.share for one in none.stakeholders] == [None, None]


def test_money_stops_where_the_shares_of_all_that_it_can_bring_do_not_pay_it() -> None:
    asked = small(2, budget=200.0)
    little, much = (stop_advice(asked, value_per_utility=value) for value in (1.0, 1e6))
    assert little.worth_spending < much.worth_spending == asked.budget
    assert 0.9 < much.gain <= 1.0


def test_what_cannot_be_served_is_said() -> None:
    asked = small(1)
    with pytest.raises(ProblemError, match="needs stakeholders"):
        replace(asked, stakeholders=())
    one = Stakeholder("a", UTILITARIAN)
    with pytest.raises(ProblemError, match="name occurs twice"):
        replace(asked, stakeholders=(one, one))
    with pytest.raises(ProblemError, match="one weight for each"):
        replace(asked, stakeholders=(replace(one, weights=(1.0, 1.0)),))
    with pytest.raises(ProblemError, match="stakeholder a: weights"):
        replace(asked, stakeholders=(replace(one, weights=(0.0, 0.0, 0.0)),))
    with pytest.raises(ProblemError, match="stakeholder a: the objective targets"):
        replace(asked, stakeholders=(replace(one, objective=Objective("targets")),))
    with pytest.raises(ObjectiveError, match="cannot want a compromise"):
        Stakeholder("a", COMPROMISE)
