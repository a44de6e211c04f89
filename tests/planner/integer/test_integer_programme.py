"""Whole orders in the general setting against brute force, and the exact cost of an order."""

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planner.plan.decide import decide
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.problem.sources import Source, Tier
from app.planner.utility.objective import Objective
from tests.planner.numerics import EXAMPLES
from tests.planner.problems import MONEY, problem, random_curves, scattered
from tests.planner.questions import KINDS, fitted_to, with_bounds


def small(seed: int, kind: Objective) -> Problem:
    """Two or three sources with fixed costs, tiers and lots, few enough orders to try them all."""
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(1, 4))
    sources = []
    for at in range(int(rng.integers(2, 4))):
        fed = int(rng.integers(1, min(groups, 2) + 1))
        members = np.sort(rng.choice(groups, fed, replace=False)).tolist()
        price = round(float(rng.uniform(0.5, 4.0)), 2)
        sources.append(
            Source(
                f"s{at}",
                tuple(zip(members, rng.dirichlet(np.ones(fed + 1))[:fed].tolist(), strict=True)),
                round(price * MONEY),
                min_order=int(rng.choice([0, 6])),
                max_order=int(rng.integers(10, 40)),
                lot_size=int(rng.choice([1, 2, 5])),
                tiers=(Tier(int(rng.integers(5, 15)), round(price * float(rng.choice([0.5, 1.5])) * MONEY)),),
                fixed_cost=round(float(rng.choice([0.0, 8.0])) * MONEY),
            )
        )
    asked = problem(
        scattered(random_curves(rng, groups), draws=2, seed=seed),
        tuple(sources),
        budget=float(rng.integers(20, 80)),
        objective=fitted_to(kind, rng, groups),
        held=rng.integers(2, 40, size=groups).astype(float).tolist(),
        weights=rng.uniform(0.3, 2.0, size=groups).tolist(),
        targets=rng.uniform(0.3, 0.9, size=groups).tolist(),
    )
    return with_bounds(asked, rng)


def best_by_trying_all(form: Canonical) -> float:
    choices = [[0, *range(source.least, (source.cap or 0) + 1, source.lot_size)] for source in form.sources]
    best = -np.inf
    for orders in product(*choices):
        vector = np.array(orders, dtype=np.int64)
        if form.market.cost(vector) <= form.market.budget and form.region.allows(form.market, vector):
            best = max(best, form.utility.at(form.held + form.market.added(vector)))
    return best


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.kind}-{kind.aversion}-{kind.power}-{kind.mode}")
@pytest.mark.parametrize("seed", range(4))
def test_small_problems_have_the_whole_optimum(seed: int, kind: Objective) -> None:
    decision = decide(Canonical.of(small(seed, kind)), "optimal")
    form = decision.form
    best = best_by_trying_all(form)
    gain = max(best - form.utility.at(form.held), 1e-9)
    after = form.utility.total(decision.after.value)
    assert decision.bound >= best - 1e-9 * gain
    assert after >= best - 1e-6 * gain
    assert (best - after) / gain <= decision.gap + 1e-9


def by_hand(source: Source, order: int) -> int:
    """The cost sample by sample, in exact fractions."""
    if not order:
        return 0
    share = Fraction(1) if source.billed == "delivered" else Fraction(str(source.acceptance_rate))
    start = Fraction(source.ordered if source.project_tiers else 0) * share
    cost, at, end = Fraction(0), start, start + order * share
    edges = sorted({start, end, *(Fraction(tier.start) for tier in source.tiers if start < tier.start < end)})
    for low, high in pairwise(edges):
        price = source.unit_cost
        for tier in source.tiers:
            if low >= tier.start:
                price = tier.unit_cost
        cost += (high - low) * price
        at = high
    assert at == end
    return source.fixed_cost - int(-cost // 1)


tiers = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 9_000_000)), max_size=3, unique_by=lambda tier: tier[0])


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    tiers,
    st.integers(1, 500),
    st.integers(0, 400),
    st.booleans(),
    st.sampled_from(["delivered", "accepted"]),
    st.sampled_from([1.0, 0.9, 0.37]),
)
def test_the_cost_of_an_order_is_exact(
    found: list[tuple[int, int]], order: int, ordered: int, project: bool, billed: str, rate: float
) -> None:
    source = Source(
        "west",
        ((0, 1.0),),
        1_234_567,
        tiers=tuple(Tier(*tier) for tier in sorted(found)),
        fixed_cost=5_000_001,
        ordered=ordered,
        project_tiers=project,
        billed="accepted" if billed == "accepted" else "delivered",
        acceptance_rate=rate,
    )
    assert source.cost(order) == by_hand(source, order)
    # Where only accepted samples are billed, whole ones, several orders can cost the same: the largest is meant.
    paid = source.cost(order)
    most = source.affordable(paid)
    assert most >= order
    assert source.cost(most) == paid < source.cost(most + 1)
    segments = source.segments()
    linear = source.fixed_cost + sum(price * min(max(order - start, 0.0), length) for start, length, price in segments)
    assert linear == pytest.approx(source.cost(order), abs=2.0)


def test_a_total_over_the_project_leaves_what_is_not_ordered_yet() -> None:
    source = Source("west", ((0, 1.0),), MONEY, max_order=80, lot_size=10, max_total=105, ordered=50)
    assert source.cap == 50
