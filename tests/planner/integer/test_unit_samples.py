"""Many groups at once come to the same whole samples as one step at a time, and to the best there is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.planner.arrays import FloatArray, IntArray
from app.planner.integer.unit_levels import level_up
from app.planner.integer.unit_samples import _State, has_single_samples, top_up
from app.planner.problem.canonical import Canonical
from app.planner.problem.market import Market
from app.planner.relaxation.multiplier import solve, solve_fitted
from app.planner.relaxation.price_ladder import Ladder
from app.planner.relaxation.relax import relax
from app.planner.relaxation.tabulation import solve_by_tables
from app.planner.utility.objective import Objective
from app.planner.utility.utility import Utility
from tests.planner.problems import MAXIMIN, best_by_brute_force, offers, problem, random_curves, scattered

OBJECTIVES = [Objective("utilitarian"), Objective("isoelastic", aversion=1.0), Objective("isoelastic", aversion=3.0)]


def random_task(seed: int, groups: int, objective: Objective, samples: float, equal_prices: bool) -> Canonical:
    """The budget pays for about so many samples."""
    rng = np.random.default_rng(seed)
    prices = np.full(groups, 1.0) if equal_prices else np.round(rng.uniform(0.3, 9.0, groups), 2)
    held, weights = rng.integers(1, 60, groups).tolist(), rng.uniform(0.2, 3.0, groups).tolist()
    posterior = scattered(random_curves(rng, groups), 7, seed)
    budget = float(prices.mean()) * samples
    return Canonical.of(problem(posterior, offers(prices.tolist()), budget, objective, held, weights))


def ladder_of(form: Canonical) -> Ladder:
    market = form.market
    return Ladder.of(form.held, 1.0, market.group, market.share, market.limit)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", range(4))
def test_at_equal_prices_the_answer_is_the_best_of_all(objective: Objective, seed: int) -> None:
    form = random_task(seed, 3, objective, 9.0, equal_prices=True)
    assert has_single_samples(form.market)
    found, total = top_up(form.utility, form.market, form.held, np.zeros(3, dtype=np.int64))
    assert total == pytest.approx(form.utility.at(form.held + form.market.added(found)), abs=1e-15)
    assert total == pytest.approx(best_by_brute_force(form), abs=1e-12)


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30), st.sampled_from(OBJECTIVES), st.floats(0.5, 300.0), st.booleans())
def test_no_affordable_step_and_no_swap_is_left_that_helps(
    seed: int, groups: int, objective: Objective, samples: float, equal_prices: bool
) -> None:
    form = random_task(seed, groups, objective, samples, equal_prices)
    market, utility = form.market, form.utility
    orders, _ = top_up(utility, market, form.held, market.rounded_down(solve(utility, ladder_of(form)).orders))
    left = market.budget - market.cost(orders)
    assert left >= 0
    assert np.all((orders >= 0) & (orders <= market.most))
    here = utility.at(form.held + market.added(orders))
    tolerance = 1e-13 * max(1.0, abs(here))
    for forth in range(groups):
        for back in (None, *range(groups)):
            changed = moved(orders, forth, back)
            if changed is not None and market.cost(changed) <= market.budget:
                assert utility.at(form.held + market.added(changed)) <= here + tolerance


def moved(orders: IntArray, forth: int, back: int | None) -> IntArray | None:
    changed = orders.copy()
    changed[forth] += 1
    if back is not None:
        changed[back] -= 1
    return None if changed.min() < 0 or back == forth else changed


@pytest.mark.parametrize("seed", range(6))
def test_step_by_step_ends_no_better(seed: int) -> None:
    form = random_task(seed, 40, OBJECTIVES[seed % 3], 400.0, equal_prices=False)
    start = form.market.rounded_down(solve(form.utility, ladder_of(form)).orders)
    _, quick = top_up(form.utility, form.market, form.held, start)
    orders, market = start.copy(), form.market
    while True:
        here = form.utility.terms(form.held + orders).value
        gain = form.utility.weights * (form.utility.terms(form.held + orders + 1.0).value - here)
        able = np.flatnonzero((market.unit_cost <= market.budget - market.cost(orders)) & (gain > 0.0))
        if not len(able):
            break
        orders[able[np.argmax(gain[able] / market.unit_cost[able])]] += 1
    assert quick >= form.utility.at(form.held + orders) - 1e-12


@pytest.mark.parametrize("seed", range(20))
def test_no_swap_is_missed_for_want_of_an_exact_gain(seed: int) -> None:
    """The first swap, of which most gains are known within bounds alone, is the best of all swaps."""
    form = random_task(seed, 25, OBJECTIVES[seed % 3], 300.0, equal_prices=False)
    market, utility = form.market, form.utility
    state = _State.of(utility, market, form.held, market.rounded_down(solve(utility, ladder_of(form)).orders))
    state.fill_up()
    before, left = state.orders.copy(), state.left
    here = utility.at(form.held + market.added(before))
    best = 0.0
    for forth in range(25):
        for back in range(25):
            changed = moved(before, forth, back)
            if changed is not None and market.unit_cost[forth] <= left + market.unit_cost[back]:
                best = max(best, utility.at(form.held + market.added(changed)) - here)
    swapped = state.swap()
    assert swapped or best <= 1e-13 * abs(here)
    if swapped:
        reached = utility.at(form.held + market.added(state.orders)) - here
        assert reached == pytest.approx(best, rel=1e-6, abs=1e-13 * abs(here))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", range(5))
def test_fitted_power_laws_and_tables_reach_the_same_optimum(objective: Objective, seed: int) -> None:
    form = random_task(seed, 20, objective, 500.0, equal_prices=False)
    near = solve_fitted(form.utility, ladder_of(form), 1e-9)
    table = solve_by_tables(form.utility, ladder_of(form), 1e-9)
    either = relax(form, form.utility).relaxation
    gain = table.utility - form.utility.at(form.held)
    assert either.residual <= 1e-9
    assert either.utility == pytest.approx(table.utility, abs=3e-9 * gain)
    assert near.bound >= table.utility - 1e-9 * gain
    if objective.aversion == 0.0:
        # Far from the tangents that continue φ, the laws never need the tables.
        assert near.residual <= 1e-9


def levelled_by_single_steps(utility: Utility, market: Market, held: FloatArray, orders: IntArray) -> FloatArray:
    """V [groups] after feeding the worst off sample by sample, then at the cost of groups that stay above them."""
    orders, price = orders.copy(), market.unit_cost
    while True:
        left = market.budget - market.cost(orders)
        below, value, above = (utility.terms(np.maximum(held + orders + step, 0.0)).value for step in (-1.0, 0.0, 1.0))
        fed = [at for at in np.argsort(value, kind="stable").tolist() if above[at] > value[at]]
        affordable = [at for at in fed if price[at] <= left]
        if affordable:
            orders[affordable[0]] += 1
            continue
        spare = np.where(orders > 0, below, -np.inf)
        swaps = [
            (forth, back)
            for forth in fed
            for back in np.argsort(-spare, kind="stable").tolist()
            if back != forth and price[forth] <= left + price[back] and spare[back] > value[forth] * (1.0 + 1e-15)
        ]
        if not swaps:
            return value
        orders[swaps[0][0]] += 1
        orders[swaps[0][1]] -= 1


@pytest.mark.parametrize("seed", range(20))
def test_levelling_many_groups_at_once_ends_where_single_steps_do(seed: int) -> None:
    form = random_task(seed, 25, MAXIMIN, 300.0, equal_prices=seed % 4 == 0)
    market, utility = form.market, form.utility
    start = market.rounded_down(relax(form, utility).relaxation.orders)
    quick, total = level_up(utility, market, form.held, start)
    assert market.cost(quick) <= market.budget
    value = utility.terms(form.held + quick).value
    assert total == value.min()
    single = levelled_by_single_steps(utility, market, form.held, start)
    np.testing.assert_allclose(np.sort(value), np.sort(single), atol=1e-13)
