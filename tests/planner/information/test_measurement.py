"""Which runs tell most: against closed forms and against a simulation of what would be seen."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import multivariate_normal

from app.planner.arrays import FloatArray
from app.planner.curves.observations import AssumedCurve, Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior
from app.planner.curves.transfer import Transfer
from app.planner.errors import ProblemError
from app.planner.fitting.fit import fit
from app.planner.information.measurement import AS_GOOD, measurement_plan, too_little_is_known, usual_plan
from app.planner.information.preposterior import Belief
from app.planner.plan.decide import decide
from app.planner.plan.margins import marginal_draws, slope_draws
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from tests.planner.problems import isoelastic, offers, problem, scattered, stated


def normal_draws(draws: int, sd: float, seed: int = 0) -> FloatArray:
    """Even quantiles of N(0, sd²), shuffled."""
    even = ndtri((np.arange(draws) + 0.5) / draws) * sd
    return np.asarray(np.random.default_rng(seed).permutation(even))


@pytest.mark.parametrize("shared", [0.0, 0.02, 0.5])
def test_of_a_normal_quantity_the_expected_variance_is_the_conjugate_one(shared: float) -> None:
    amount, training = normal_draws(128, 0.1), 0.03
    loads = [1.0, 0.4, 0.7]
    belief = Belief.of("a", amount, training, shared)
    for runs in range(1, 4):
        belief = belief.after(0.5 + loads[runs - 1] * amount, seed=5)
        load = np.array(loads[:runs])
        covariance = training**2 * np.eye(runs) + shared**2
        information = 0.1**-2 + load @ np.linalg.solve(covariance, load)
        assert belief.variance() == pytest.approx(1.0 / information, rel=0.12)


def test_nothing_seen_leaves_the_variance_of_the_draws() -> None:
    draws = normal_draws(100, 2.0)
    assert Belief.of("a", draws, 0.1, 0.0).variance() == pytest.approx(draws.var(), rel=0.02)


def test_a_run_that_tells_nothing_changes_nothing() -> None:
    belief = Belief.of("a", normal_draws(100, 2.0), 0.1, 0.05)
    assert belief.after(np.full(100, 0.3), seed=0).variance() == pytest.approx(belief.variance(), rel=1e-12)


def curved(draws: int, seed: int) -> Posterior:
    """Two groups whose level, floor and exponent are all unknown."""
    sure = scattered([(0.08, 1.2, 0.5, 0.0), (0.12, 0.9, 0.35, 0.0)], draws, seed)
    exponent = sure.exponent * np.exp(0.35 * np.random.default_rng(seed + 9).normal(size=sure.exponent.shape))
    anchor = 400.0 * np.ones_like(exponent)
    excess = np.array([[0.06], [0.1]]) * sure.excess / np.array([[1.2], [0.9]])
    return replace(
        sure,
        exponent=exponent,
        anchor=anchor,
        excess=excess,
        reference=np.array([400.0, 400.0]),
        noise=np.array([0.006, 0.01]),
    )


def measured(posterior: Posterior, stderr: float = 0.0) -> Observations:
    """One run of 400 samples per group on holdout 0, on the mean curve."""
    loss = posterior.loss(np.full(2, 400.0)).mean(axis=1)
    points = tuple(
        Points(np.array([400.0]), loss[[g]], np.array([stderr]), np.zeros(1, dtype=np.int64)) for g in range(2)
    )
    return Observations(posterior.keys, points, (None, None), np.full(2, 400.0), 1.0)


def question(draws: int = 128, seed: int = 1) -> tuple[Problem, Observations]:
    posterior = curved(draws, seed)
    return problem(posterior, offers([1.0, 2.0]), 300.0, held=[400.0, 400.0]), measured(posterior)


def simulated_variance(quantity: FloatArray, means: list[FloatArray], training: float, seed: int) -> float:
    """E Var(q | y) by drawing truths and errors and weighing every draw, one truth after the other."""
    rng = np.random.default_rng(seed)
    table = np.stack(means, axis=1)
    covariance = training**2 * np.eye(table.shape[1])
    found = []
    for truth in rng.choice(len(quantity), size=200, replace=False):
        seen = rng.multivariate_normal(table[truth], covariance)
        weight = np.exp(multivariate_normal(seen, covariance).logpdf(table))
        weight /= weight.sum()
        mean = float(weight @ quantity)
        found.append(float(weight @ (quantity - mean) ** 2))
    return float(np.mean(found))


@pytest.mark.parametrize("group", [0, 1])
def test_the_best_size_is_the_one_that_simulation_finds(group: int) -> None:
    asked, seen = question()
    plan = measurement_plan(asked, seen, runs=1, seed=0)
    large = curved(4000, seed=77)
    counts = np.array(plan.recommended)
    utility = Canonical.of(problem(large, offers([1.0, 2.0]), 300.0, held=[400.0, 400.0])).utility
    quantity = slope_draws(utility, counts)[group]
    noise = float(large.noise[group])
    sizes = [round(400 * 2.0 ** (-0.5 * step)) for step in range(12)]
    simulated = [
        simulated_variance(quantity, [large.loss(np.full(2, float(size)))[group]], noise, seed=3) for size in sizes
    ]
    chosen = sizes.index(plan.runs[0].counts[group])
    assert simulated[chosen] <= min(simulated) + 0.05 * float(quantity.var())


def test_the_expected_variance_is_that_of_a_simulation() -> None:
    large = curved(4000, seed=77)
    posterior = large.select(np.array([0]))
    quantity = -posterior.slope(np.array([600.0]))[0]
    means = [posterior.loss(np.array([size]))[0] for size in (50.0, 200.0)]
    belief = Belief.of("a", quantity, 0.006, 0.0)
    expected = [belief.after(means[0], 0).variance(), belief.after(means[0], 0).after(means[1], 0).variance()]
    # 160 draws stand for 4,000: their own variance differs, so shares of it are compared.
    for runs in (1, 2):
        simulated = simulated_variance(quantity, means[:runs], 0.006, seed=4) / quantity.var()
        assert expected[runs - 1] / belief.variance() == pytest.approx(simulated, abs=0.08)


def test_more_runs_never_raise_the_expected_variance() -> None:
    asked, seen = question()
    plan = measurement_plan(asked, seen, runs=6, seed=0)
    falls = [plan.variance_now, *(run.variance_after for run in plan.runs)]
    assert np.all(np.diff(falls) <= 0.0)
    assert falls[1] < 0.9 * falls[0]
    assert plan.variance_after == falls[-1]
    assert [run.variance_before for run in plan.runs] == falls[:-1]


def halving_left(asked: Problem, seen: Observations, sizes: list[float]) -> float:
    """The variance that runs of both groups on `sizes` leave, from the beliefs themselves."""
    posterior = asked.posterior
    counts = np.array(measurement_plan(asked, seen, runs=1, seed=0).recommended)
    form = Canonical.of(asked)
    quantity = marginal_draws(form, decide(form, "optimal"))
    np.testing.assert_allclose(counts, decide(form, "optimal").counts)
    left = 0.0
    for g in range(2):
        belief = Belief.of(asked.keys[g], quantity[g], float(posterior.noise[g]), 0.0)
        least = belief.variance()
        for size in sizes:
            belief = belief.after(posterior.loss(np.full(2, size))[g], 0)
            least = min(least, belief.variance())
        left += least
    return left


def test_beside_the_plan_stands_what_plain_halving_would_leave() -> None:
    """400 of each group are held and were trained on: halving goes on at 200 and 100."""
    asked, seen = question()
    plan = measurement_plan(asked, seen, runs=2, seed=0)
    assert plan.variance_halving == pytest.approx(halving_left(asked, seen, [200.0, 100.0]), rel=1e-9)
    assert plan.gain_over_halving == pytest.approx(1.0 - (plan.variance_after / plan.variance_halving) ** 0.5)


def test_halving_begins_with_all_that_is_held_where_no_run_was_trained_on_it() -> None:
    asked, seen = question()
    points = tuple(replace(one, counts=np.array([104.0])) for one in seen.points)
    plan = measurement_plan(asked, replace(seen, points=points), runs=3, seed=0)
    assert plan.variance_halving == pytest.approx(halving_left(asked, seen, [400.0, 200.0, 50.0]), rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_one_run_is_never_worse_than_a_halved_one_and_says_so_only_where_it_is_better(seed: int) -> None:
    plan = measurement_plan(*question(seed=seed), runs=1, seed=0)
    assert plan.variance_after <= plan.variance_halving
    assert plan.advice is not None
    assert ("Halving is as good" in plan.advice) is (plan.gain_over_halving < AS_GOOD)


def test_a_longer_plan_begins_with_the_shorter_one() -> None:
    asked, seen = question()
    long, short = (measurement_plan(asked, seen, runs=runs, seed=0) for runs in (4, 2))
    assert long.runs[:2] == short.runs


def test_sizes_are_whole_and_held() -> None:
    asked, seen = question()
    for run in measurement_plan(asked, seen, runs=5, seed=0).runs:
        assert all(1 <= size <= 400 for size in run.counts)


def test_groups_in_another_order_get_the_same_runs() -> None:
    asked, seen = question()
    turned = np.array([1, 0])
    other = problem(
        asked.posterior.select(turned),
        tuple(replace(source, yields=((1 - source.yields[0][0], 1.0),)) for source in asked.sources),
        300.0,
        held=[400.0, 400.0],
    )
    straight = measurement_plan(asked, seen, runs=3, seed=0)
    crossed = measurement_plan(other, seen.permuted(turned), runs=3, seed=0)
    assert [run.counts[::-1] for run in crossed.runs] == [run.counts for run in straight.runs]
    assert crossed.variance_after == pytest.approx(straight.variance_after, rel=1e-12)


def test_certain_curves_need_no_run() -> None:
    sure = stated([(0.08, 1.2, 0.5, 0.0), (0.12, 0.9, 0.35, 0.0)], draws=20)
    plan = measurement_plan(problem(sure, offers([1.0, 2.0]), 300.0), measured(sure), runs=3, seed=0)
    assert plan.runs == ()
    assert plan.variance_now == 0.0
    assert plan.note is not None


def test_nothing_held_says_what_to_do_first() -> None:
    posterior = curved(40, 2)
    asked = replace(problem(posterior, offers([1.0, 2.0]), 300.0), held=np.zeros(2))
    plan = measurement_plan(asked, measured(posterior), runs=2, seed=0)
    assert plan.runs == ()
    assert plan.note == "No samples are held, so nothing can be trained on; buy some of each group first."


def test_the_slope_in_every_draw_averages_to_that_of_the_utility() -> None:
    posterior = curved(50, 3)
    for objective in (isoelastic(2.0), isoelastic(0.0)):
        utility = Canonical.of(problem(posterior, offers([1.0, 2.0]), 300.0, objective=objective)).utility
        counts = np.array([300.0, 700.0])
        np.testing.assert_allclose(slope_draws(utility, counts).mean(axis=1), utility.terms(counts).slope, rtol=1e-12)


def test_a_count_of_runs_out_of_range_is_refused() -> None:
    asked, seen = question(draws=10)
    for runs in (0, 21):
        with pytest.raises(ProblemError, match=f"runs is {runs}; ask for 1 to 20"):
            measurement_plan(asked, seen, runs=runs, seed=0)


def test_learnt_curves_are_planned_for_too() -> None:
    counts = np.array([20.0, 60.0, 200.0, 400.0])
    points = tuple(
        Points(counts, level + 1.5 * counts**-0.6, np.full(4, 0.01), np.zeros(4, dtype=np.int64))
        for level in (0.1, 0.2)
    )
    seen = Observations(("a", "b"), points, (None, None), np.array([400.0, 400.0]), 1.0)
    asked = problem(fit(seen, Prior(), 1, 60), offers([1.0, 1.0]), 200.0, held=[400.0, 400.0])
    plan = measurement_plan(asked, seen, runs=2, seed=0)
    assert len(plan.runs) == 2
    assert plan.variance_after < plan.variance_now


def shared_model(posterior: Posterior, *runs: tuple[float, float]) -> Observations:
    """One model for both groups, trained on these counts, on the mean curve of `posterior`."""
    counts = np.array(runs, dtype=np.float64).reshape(-1, 2)
    number, loss = len(counts), posterior.loss(counts.T).mean(axis=2) if runs else np.zeros((2, 0))
    points = tuple(Points(counts[:, g], loss[g], np.zeros(number), np.zeros(number, dtype=np.int64)) for g in range(2))
    seen = Observations(posterior.keys, points, (None, None), np.array([400.0, 200.0]), 1.0)
    return replace(seen, runs=counts, run_of=(np.arange(number),) * 2, joint=True)


MADE = ((400.0, 200.0), (200.0, 100.0), (100.0, 50.0))


def with_transfer(draws: int) -> Posterior:
    posterior = curved(draws, 1)
    weights = np.zeros((2, 2, draws))
    weights[0, 1] = weights[1, 0] = np.linspace(0.0, 0.8, draws)
    transfer = Transfer.of_fit(weights, np.full((2, draws), 5000.0), np.array([400.0, 200.0]), np.zeros(2), ((), ()))
    return replace(posterior, transfer=transfer)


def test_of_one_model_the_most_telling_compositions_are_chosen() -> None:
    """Against every composition's variance, computed one by one."""
    posterior = with_transfer(80)
    asked = problem(posterior, offers([1.0, 2.0]), 300.0, held=[400.0, 200.0])
    seen = shared_model(posterior, *MADE)
    plan = measurement_plan(asked, seen, runs=2, seed=0)
    form = Canonical.of(asked)
    quantity = marginal_draws(form, decide(form, "optimal"))
    start = [Belief.of(key, quantity[g], float(posterior.noise[g]), 0.0) for g, key in enumerate(asked.keys)]

    def after(beliefs: list[Belief], counts: tuple[int, ...]) -> list[Belief]:
        moved = posterior.moved(np.array(counts, dtype=np.float64))
        means = moved.loss(np.array(counts, dtype=np.float64))
        return [belief.after(means[g], 0) for g, belief in enumerate(beliefs)]

    def left(beliefs: list[Belief]) -> float:
        return sum(belief.variance() for belief in beliefs)

    offered = [(100, 200), (200, 200), (400, 50), (400, 100), (50, 25), (25, 12)]
    first = min(offered, key=lambda counts: left(after(start, counts)))
    assert plan.runs[0].counts == first
    then = after(start, first)
    offered.remove(first)
    assert plan.runs[1].counts == min(offered, key=lambda counts: left(after(then, counts)))
    assert plan.runs[1].variance_after == pytest.approx(left(after(then, plan.runs[1].counts)), rel=1e-9)
    assert plan.variance_after is not None
    assert plan.variance_now is not None
    assert plan.variance_after < plan.variance_now
    assert all("gain per cost" in run.reason or "No further run" in run.reason for run in plan.runs)


def test_a_model_that_was_not_trained_on_all_that_is_held_is_first() -> None:
    posterior = with_transfer(60)
    asked = problem(posterior, offers([1.0, 2.0]), 300.0, held=[400.0, 200.0])
    seen = shared_model(posterior, (150.0, 80.0), (200.0, 100.0), (100.0, 50.0))
    first = measurement_plan(asked, seen, runs=1, seed=0).runs[0]
    assert first.counts == (400, 200)
    assert first.reason.startswith("All that is held")


def test_no_composition_is_made_twice_and_none_is_left_in_the_end() -> None:
    posterior = with_transfer(40)
    asked = problem(posterior, offers([1.0, 2.0]), 300.0, held=[400.0, 200.0])
    plan = measurement_plan(asked, shared_model(posterior, *MADE), runs=20, seed=0)
    planned = [run.counts for run in plan.runs]
    assert sorted(planned) == [(25, 12), (50, 25), (100, 200), (200, 200), (400, 50), (400, 100)]
    done = measurement_plan(asked, shared_model(posterior, *MADE, *planned), runs=3, seed=0)
    assert done.runs == ()
    assert done.note is not None
    assert "buy samples first" in done.note


def test_left_out_the_number_of_runs_is_the_usual_one() -> None:
    posterior = with_transfer(40)
    asked = problem(posterior, offers([1.0, 2.0]), 300.0, held=[400.0, 200.0])
    assert len(measurement_plan(asked, shared_model(posterior, *MADE), runs=None, seed=0).runs) == 5
    assert len(measurement_plan(*question(), runs=None, seed=0).runs) == 3


def test_a_model_s_groups_in_another_order_get_the_same_runs() -> None:
    posterior, turned = with_transfer(60), np.array([1, 0])
    seen = shared_model(posterior, *MADE)
    asked = problem(posterior, offers([1.0, 2.0]), 300.0, held=[400.0, 200.0])
    transfer = posterior.transfer
    assert transfer is not None
    other = problem(
        replace(posterior.select(turned), transfer=transfer.permuted(turned)),
        tuple(replace(source, yields=((1 - source.yields[0][0], 1.0),)) for source in asked.sources),
        300.0,
        held=[200.0, 400.0],
    )
    straight = measurement_plan(asked, seen, runs=4, seed=0)
    crossed = measurement_plan(other, seen.permuted(turned), runs=4, seed=0)
    assert [run.counts[::-1] for run in crossed.runs] == [run.counts for run in straight.runs]


def test_the_usual_runs_are_those_not_made_yet_and_never_more_than_asked() -> None:
    posterior = curved(20, 1)
    nothing = shared_model(posterior)
    assert too_little_is_known(nothing)
    plan = usual_plan(nothing, None)
    assert [run.counts for run in plan.runs] == [(400, 200), (200, 100), (100, 50), (100, 200), (400, 50)]
    assert (plan.variance_now, plan.gain_over_halving, plan.recommended, plan.note) == (None, None, None, None)
    assert plan.held == (400, 200)
    assert usual_plan(nothing, 2).runs == plan.runs[:2]
    two = shared_model(posterior, (405.0, 200.0), (400.0, 200.0), (100.0, 205.0))
    assert not too_little_is_known(two)
    some = shared_model(posterior, (400.0, 200.0), (400.0, 200.0), (100.0, 205.0))
    assert too_little_is_known(some)
    assert usual_plan(some, None).runs == plan.runs[1:3] + plan.runs[4:]
    with pytest.raises(ProblemError, match="runs is 0"):
        usual_plan(nothing, 0)


def test_of_stated_curves_separate_models_and_nothing_held_there_are_no_usual_runs() -> None:
    posterior = curved(20, 1)
    nothing = shared_model(posterior)
    stated_curve = AssumedCurve(0.1, 1.0, 0.5, 0.0)
    assert not too_little_is_known(replace(nothing, assumed=(stated_curve,) * 2))
    assert too_little_is_known(replace(nothing, assumed=(stated_curve, None)))
    assert not too_little_is_known(replace(nothing, held=np.zeros(2)))
    assert not too_little_is_known(replace(nothing, runs=None, run_of=None))
