"""Plans where groups clash: against brute force, the simple rules, and the bound that is claimed."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.arrays import FloatArray
from app.planner.plan.decide import choose, decide
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.relaxation.compromise import with_base
from app.planner.relaxation.relax import TOTALS, relax
from app.planner.utility.objective import Objective
from tests.planner.joint import joint_posterior
from tests.planner.problems import UTILITARIAN, offers, order_vectors, problem
from tests.planner.questions import KINDS, fitted_to

RISKY = Objective("isoelastic", aversion=1.0, risk=0.4)


def clashing(
    seed: int, groups: int, draws: int = 8, conflict: float = 0.5, objective: Objective = UTILITARIAN
) -> Problem:
    """Random curves that move each other, prices .5 to 6, and money for about as much as is held."""
    rng = np.random.default_rng(seed + 100)
    held = rng.uniform(20.0, 400.0, size=groups)
    return problem(
        joint_posterior(seed, groups, draws, conflict, held),
        offers(rng.uniform(0.5, 6.0, size=groups).tolist()),
        float(2.0 * held.sum()),
        fitted_to(objective, rng, groups),
        held=held.tolist(),
        targets=rng.uniform(0.5, 0.9, size=groups).tolist(),
    )


def brute(form: Canonical, seed: int, points: int = 160) -> float:
    """The best U of random splits of the money, and of steps from the best of them."""
    rng = np.random.default_rng(seed)
    groups = len(form.keys)

    def total(split: FloatArray) -> float:
        return form.values.total(form.held + form.market.added(split / form.market.share))

    splits = [*rng.dirichlet(np.full(groups, 0.7), size=points), *np.eye(groups), np.zeros(groups)]
    splits += [split * rng.random() for split in rng.dirichlet(np.ones(groups), size=points // 4)]
    totals = [total(split) for split in splits]
    best, there = max(totals), splits[int(np.argmax(totals))]
    for _ in range(points // 2):
        split = np.abs(there + 0.2 * rng.random() ** 3 * rng.normal(size=groups))
        split /= max(1.0, split.sum())
        if total(split) > best:
            best, there = total(split), split
    return best


@pytest.mark.parametrize("conflict", [0.0, 0.2, 0.6])
def test_hardly_any_random_split_is_better_and_none_is_above_the_bound(conflict: float) -> None:
    lost, left = [], []
    for seed in range(12):
        form = Canonical.of(clashing(seed, groups=2 + seed % 3, conflict=conflict))
        found = relax(form, form.utility)
        best = brute(form, seed)
        gain = best - form.values.total(form.held)
        assert best <= found.relaxation.bound + 1e-9, seed
        assert found.relaxation.utility == pytest.approx(form.values.total(found.relaxation.counts), abs=1e-12)
        assert (found.proof == TOTALS) == (conflict > 0.0)
        lost.append((best - found.relaxation.utility) / gain)
        left.append((found.relaxation.bound - found.relaxation.utility) / gain)
    assert max(lost) <= 1e-4
    assert max(left) <= 2e-3


@pytest.mark.parametrize(
    "kind", [*KINDS, RISKY], ids=lambda kind: f"{kind.kind}-{kind.aversion}-{kind.power}-{kind.mode}"
)
def test_every_utility_is_planned_for_and_no_simple_rule_is_better(kind: Objective) -> None:
    seed = 1
    asked = clashing(seed, groups=3, objective=kind)
    found = decide(Canonical.of(asked), "optimal")
    form = found.form
    total = form.values.total(found.counts)
    rules = [form.held + form.market.added(orders) for orders in found.baselines.values()]
    assert total >= max(form.values.total(counts) for counts in [*rules, form.held]) - 1e-12
    assert total <= found.bound + 1e-12
    best = brute(with_base(form), seed, points=100)
    assert best <= found.relaxed.bound + 1e-9
    assert total >= best - 0.06 * max(best - form.values.total(form.held), 1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_whole_orders_in_lots_are_nearly_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    asked = clashing(seed, groups=2, draws=3)
    sources = offers([1.0, 2.5], lots=[20, 10], least=[40, 20])
    asked = replace(asked, sources=sources, budget=round(float(rng.integers(300, 500))) * 1_000_000)
    form = Canonical.of(asked)
    totals = [form.values.total(form.held + form.market.added(orders)) for orders in order_vectors(form)]
    found = decide(form, "optimal")
    total, now = form.values.total(found.counts), form.values.total(form.held)
    assert max(totals) <= found.bound + 1e-12
    assert total >= max(totals) - 0.01 * (max(totals) - now)
    np.testing.assert_array_equal(choose(form, "optimal"), found.orders)


def test_where_others_data_only_harms_what_was_ordered_of_it_is_given_back() -> None:
    asked = clashing(1, groups=2, draws=3)
    transfer = asked.posterior.transfer
    assert transfer is not None
    alone = replace(transfer, weights=np.zeros((2, 2, 3)), conflict=np.array([[0.8] * 3, [0.0] * 3]))
    posterior = replace(asked.posterior, transfer=alone, excess=asked.posterior.excess * np.array([[1.0], [0.0]]))
    # The second group learns nothing; its samples only make the model unlike the first.
    asked = replace(asked, posterior=posterior, weights=np.array([1.0, 1e-3]), sources=offers([5.0, 0.5]))
    found = decide(Canonical.of(asked), "optimal")
    assert found.orders[1] == 0
    assert found.orders[0] > 0


@pytest.mark.parametrize("seed", range(6))
def test_the_price_is_what_more_money_brings(seed: int) -> None:
    asked = clashing(seed, groups=3)
    less, more = (replace(asked, budget=round(asked.budget * (1.0 + part))) for part in (-0.1, 0.1))
    low, high = (relax(form, form.utility).relaxation.utility for form in map(Canonical.of, (less, more)))
    form = Canonical.of(asked)
    assert relax(form, form.utility).relaxation.multiplier == pytest.approx((high - low) / 0.2, rel=0.3)


@pytest.mark.parametrize("seed", range(6))
def test_the_bound_of_the_misfit_is_convex_below_it_and_exact_at_both_ends(seed: int) -> None:
    rng = np.random.default_rng(seed)
    posterior = joint_posterior(seed, groups=4, draws=3, conflict=0.5)
    transfer = posterior.transfer
    assert transfer is not None
    mixtures = rng.uniform(1.0, 400.0, size=(4, 40))
    sums = mixtures.sum(axis=0)
    low, high = np.quantile(sums, [0.1, 0.9])
    mixtures = mixtures[:, (sums >= low) & (sums <= high)]
    bound = replace(transfer, within=(low, high))

    def harms(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        return transfer.moved(counts).harm(counts), bound.moved(counts).harm(counts)

    for one, other in zip(mixtures.T, np.roll(mixtures, 1, axis=1).T, strict=True):
        true, below = harms(one)
        assert np.all(below <= true + 1e-12)
        between = harms(0.5 * (one + other))[1]
        assert np.all(between <= 0.5 * (below + harms(other)[1]) + 1e-12)
        for total in (low, high):
            np.testing.assert_allclose(*harms(one * total / one.sum()), rtol=1e-9)
    counts = mixtures[:, 0]
    for h in range(4):
        step = 1e-3 * np.eye(4)[h]
        slope = (harms(counts + step)[1] - harms(counts - step)[1]) / 2e-3
        at = bound.moved(counts)
        others = np.arange(4) != h
        np.testing.assert_allclose(at.harm_slopes(counts)[others, h], slope[others], rtol=1e-5, atol=1e-12)
        np.testing.assert_allclose(at.harm_slope(counts)[h], slope[h], rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("objective", [UTILITARIAN, RISKY], ids=["all draws", "the worst"])
def test_values_have_their_gradient_and_are_the_same_beside(objective: Objective) -> None:
    form = Canonical.of(clashing(3, groups=4, draws=10, objective=objective))
    counts = form.held + 80.0
    value, gradient = form.values.tangents(counts)
    np.testing.assert_allclose(value, form.values.at(counts), rtol=1e-12)
    for h in range(4):
        step = 1e-3 * np.eye(4)[h]
        slope = (form.values.at(counts + step) - form.values.at(counts - step)) / 2e-3
        np.testing.assert_allclose(gradient[:, h], slope, rtol=1e-4, atol=1e-10)
    standing, near = form.values.standing(counts), counts.copy()
    near[2] += 17.0
    assert standing.total_beside(near) == pytest.approx(form.values.total(near), abs=1e-13)
    assert standing.total_beside(counts * 1.5) == pytest.approx(form.values.total(counts * 1.5), abs=1e-13)


def test_fifty_groups_are_planned_together_and_more_with_the_others_held() -> None:
    few, many = (Canonical.of(clashing(0, groups, draws=300)) for groups in (50, 60))
    assert few.values.crossed
    assert not many.values.crossed
