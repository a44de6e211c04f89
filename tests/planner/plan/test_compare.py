"""Answers to varied problems are compared by one measure, on the same draws; stated curves leave the others' alone."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.arrays import FloatArray
from app.planner.borrowing.joint_fit import fit_together
from app.planner.curves.observations import Observations, Points
from app.planner.curves.posterior import Posterior, stating
from app.planner.curves.transfer import Transfer
from app.planner.plan.compare import Outlook, Outlooks, UtilityMeasure, gain_of
from app.planner.plan.make_plan import make_plan
from app.planner.problem.canonical import Canonical
from app.planner.utility.objective import Objective
from app.planner.utility.utility import TAIL
from app.services.curves.prior import prior_for
from tests.planner.problems import offers, problem, scattered, stated

HOLDOUTS = np.zeros(4, dtype=np.int64)
CURVES = [(0.05, 2.0, 0.5, 0.0), (0.1, 3.0, 0.5, 10.0), (0.0, 1.0, 0.25, 0.0)]


def test_a_gain_is_taken_draw_by_draw_and_its_chance_is_never_certain() -> None:
    """Two draws above, one level: (2 + ½ + ½) / (4 + 1)."""
    gain = gain_of(Outlook(2.5, np.array([1.0, 2.0, 3.0, 4.0])), Outlook(2.0, np.array([1.0, 1.0, 4.0, 2.0])))
    assert (gain.mean, gain.p_better) == (0.5, 0.6)
    assert -1.0 <= gain.p05 <= gain.mean <= gain.p95 <= 2.0
    surely = gain_of(Outlook(1.0, np.ones(300)), Outlook(0.0, np.zeros(300)))
    assert surely.p_better == pytest.approx(300.5 / 301.0)
    assert gain_of(Outlook(0.0, np.zeros(300)), Outlook(1.0, np.ones(300))).p_better == pytest.approx(0.5 / 301.0)


def test_now_after_and_rivals_stand_on_one_path_of_each_draw() -> None:
    """Every draw of the utility follows the band of its draw: the same number times the root of the doublings."""
    own = problem(strayed(40), offers([1.0, 2.0, 1.5]), 200.0)
    form = Canonical.of(own)
    outlooks = Outlooks.of(form, 1.0)
    for times in (1.0, 2.0, 8.0):
        counts = times * form.held
        band = own.posterior.band(counts)
        held = np.clip(band, *np.quantile(band, (TAIL, 1.0 - TAIL), axis=1)[:, :, None])
        assert outlooks.at(counts).draws == pytest.approx(1.0 - held.mean(axis=0), abs=1e-12)
        assert outlooks.at(counts).mean == pytest.approx(1.0 - own.posterior.loss(counts).mean(), abs=1e-12)


def test_the_record_of_forecasts_widens_the_draws_about_their_mean() -> None:
    own = problem(strayed(40), offers([1.0, 2.0, 1.5]), 200.0)
    form = Canonical.of(own)
    narrow, wide = (Outlooks.of(form, factor).at(3.0 * form.held) for factor in (1.0, 1.5))
    assert wide.mean == narrow.mean
    assert wide.draws - wide.draws.mean() == pytest.approx(1.5 * (narrow.draws - narrow.draws.mean()))
    plain, widened = make_plan(own).utility, make_plan(replace(own, widening=1.5)).utility
    assert widened.after.mean == plain.after.mean
    assert widened.after.p95 - widened.after.p05 == pytest.approx(1.5 * (plain.after.p95 - plain.after.p05))
    assert widened.best_simple_rule.gain.p05 < plain.best_simple_rule.gain.p05


def test_fewer_draws_are_looked_at_where_groups_are_many() -> None:
    form = Canonical.of(problem(strayed(400), offers([1.0, 2.0, 1.5]), 200.0))
    outlooks = Outlooks.of(form, 1.0)
    assert len(outlooks.fewer(10_000).at(form.held).draws) == 400
    assert len(outlooks.fewer(600).at(form.held).draws) == 200
    assert len(outlooks.fewer(1).at(form.held).draws) == 100
    assert outlooks.fewer(600).at(2.0 * form.held).draws.std() == pytest.approx(
        outlooks.at(2.0 * form.held).draws.std(), rel=0.2
    )


@pytest.mark.parametrize("groups", [8, 24])
def test_what_is_said_of_a_utility_is_true_of_worlds_whose_runs_share_errors(groups: int) -> None:
    """Power laws measured at four nested sizes, with and without a luck of each run that all groups share. Of the 90 %
    intervals of the mean benefit at thrice the counts about as many hold the truth, of draws of the curves few."""
    said, curves = [], []
    for seed in range(40):
        truth, form = simulated(groups, common=0.02 * (seed % 2), seed=seed)
        counts = 3.0 * form.held
        one = Outlooks.of(form, 1.0).at(counts).interval
        low, high = np.quantile(form.utility.draws(counts), (0.05, 0.95))
        said.append(one.p05 <= truth <= one.p95)
        curves.append(low <= truth <= high)
    assert 0.8 <= np.mean(said) <= 0.975
    assert np.mean(curves) < 0.6


def simulated(groups: int, common: float, seed: int) -> tuple[float, Canonical]:
    """The true mean benefit at thrice the counts, and the problem as its runs show it."""
    rng = np.random.default_rng(seed)
    held = np.round(200.0 * 2.0 ** rng.uniform(-1.0, 1.0, groups))
    floor, level, c = (rng.uniform(low, high, groups) for low, high in ((0.02, 0.12), (0.2, 0.4), (0.25, 0.8)))

    def loss(counts: FloatArray) -> FloatArray:
        return np.minimum(0.95, floor + (level - floor) * (counts / 200.0) ** -c)

    sizes = held * np.array([[0.125], [0.25], [0.5], [1.0]])
    true, shared = loss(sizes), rng.standard_normal(groups)
    luck = 0.004 * rng.standard_normal(true.shape) + common * rng.standard_normal((4, 1))
    seen = np.clip(true + np.sqrt(true * (1.0 - true) / 1000.0) * shared + luck, 0.01, 0.99)
    stderrs = np.sqrt(seen * (1.0 - seen) / 1000.0)
    observations = Observations(
        keys=tuple(f"g{at:02d}" for at in range(groups)),
        points=tuple(Points(*(rows[:, at] for rows in (sizes, seen, stderrs)), HOLDOUTS) for at in range(groups)),
        assumed=(None,) * groups,
        held=held,
        span=1.0,
        runs=sizes,
        run_of=(np.arange(4),) * groups,
    )
    posterior = fit_together(observations, prior_for(1.0), 0, 200)
    form = Canonical.of(problem(posterior, offers([1.0] * groups), 100.0, held=held.tolist()))
    return float(1.0 - loss(3.0 * held).mean()), form


def strayed(draws: int) -> Posterior:
    """Three scattered groups measured at 50, which may leave their curves beyond."""
    curves = scattered(CURVES, draws, seed=1)
    away = 0.02 * np.random.default_rng(7).standard_normal((3, draws))
    return replace(curves, reference=np.full(3, 50.0), discrepancy=away)


@pytest.mark.parametrize(
    "objective",
    [Objective("utilitarian"), Objective("isoelastic", aversion=2.0), Objective("cvar", tail=0.5),
     Objective("robust", mode="regret", weight_vectors=((1.0, 0.0, 0.0), (0.0, 1.0, 1.0)))],
    ids=lambda objective: objective.kind,
)  # fmt: skip
def test_a_problem_measured_by_itself_has_its_plan_s_utility(objective: Objective) -> None:
    own = problem(scattered(CURVES, 40, seed=1), offers([1.0, 2.0, 1.5]), 200.0, objective)
    plan = make_plan(own)
    outlook = UtilityMeasure.of(own).outlook(own, {source.key: source.order for source in plan.sources})
    assert outlook.mean == pytest.approx(plan.utility.after.mean, abs=1e-12)
    assert outlook.interval.p05 == pytest.approx(plan.utility.after.p05)
    assert outlook.interval.p95 == pytest.approx(plan.utility.after.p95)


def test_orders_are_measured_on_the_other_problem_s_curves_and_sources_by_the_first_s_weights() -> None:
    """By hand: the weighted mean of 1 − loss at 50 + yield · acceptance · quality · order."""
    first = problem(stated(CURVES), offers([1.0, 2.0, 1.5]), 200.0, weights=[1.0, 2.0, 1.0])
    mixed = replace(offers([1.0])[0], yields=((0, 0.5), (1, 0.25)), acceptance_rate=0.8, quality=0.5)
    other_curves = stated([(0.0, 1.0, 0.5, 0.0), *CURVES[1:]])
    other = problem(other_curves, (mixed,), 100.0, Objective("maximin"), weights=[9.0, 1.0, 1.0])
    counts = 50.0 + 100.0 * 0.8 * 0.5 * np.array([0.5, 0.25, 0.0])
    losses = [counts[0] ** -0.5, 0.1 + 3.0 * (counts[1] + 10.0) ** -0.5, counts[2] ** -0.25]
    expected = np.array([0.25, 0.5, 0.25]) @ (1.0 - np.array(losses))
    found = UtilityMeasure.of(first).outlook(other, {"s0": 100})
    assert found.mean == pytest.approx(expected)
    assert found.draws == pytest.approx(expected)


def test_stated_curves_leave_the_other_groups_draws_as_they_are() -> None:
    before = scattered(CURVES, 30, seed=2)
    after = stating(before, np.array([1]), stated([(0.2, 1.0, 0.5, 0.0)], 30, keys=["g1"]))
    counts = np.array([70.0, 100.0, 40.0])
    assert after.keys == before.keys
    assert after.loss(counts)[1] == pytest.approx(0.2 + 100.0**-0.5)
    np.testing.assert_array_equal(after.loss(counts)[[0, 2]], before.loss(counts)[[0, 2]])


def test_a_stated_curve_is_moved_by_no_other_group_but_moves_them_as_before() -> None:
    weights = np.full((3, 3, 30), 0.5) * (1.0 - np.eye(3))[:, :, None]
    transfer = Transfer.of_fit(weights, np.full((3, 30), 500.0), np.full(3, 50.0), np.zeros(3), ((), (), ()))
    before = replace(scattered(CURVES, 30, seed=3), transfer=transfer)
    after = stating(before, np.array([1]), stated([(0.2, 1.0, 0.5, 0.0)], 30, keys=["g1"]))
    for held in (np.array([50.0, 50.0, 50.0]), np.array([500.0, 90.0, 10.0])):
        moved, as_before = after.moved(held).loss(held), before.moved(held).loss(held)
        assert moved[1] == pytest.approx(0.2 + held[1] ** -0.5)
        np.testing.assert_array_equal(moved[[0, 2]], as_before[[0, 2]])
    assert np.all(before.transfer is not None and before.transfer.weights[1, 0] == 0.5)
