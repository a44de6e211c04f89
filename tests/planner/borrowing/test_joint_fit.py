"""Transfer between groups: evidence against dense Gaussians, recovery, what it never does, the interface."""

import numpy as np
import pytest
from scipy.special import log_ndtr
from scipy.stats import multivariate_normal

from app.planner.arrays import FloatArray
from app.planner.borrowing.joint_fit import fit_together
from app.planner.borrowing.transfer_evidence import (
    COEFFICIENT,
    NOISE_NODES,
    VARIANCE_GROWTH,
    Compositions,
    _integrated,
    _Products,
    _shapes,
    effective_counts,
    log_evidence,
)
from app.planner.curves.observations import Observations, ObservationsError, Points
from app.planner.curves.posterior import DRAWN, Posterior
from app.planner.curves.prior import Prior
from app.planner.curves.transfer import gain
from app.planner.fitting.fit import fit

ARRAYS = (*DRAWN, "reference")
WEIGHTS = np.array([[0.0, 0.5, 0.15], [0.4, 0.0, 0.0], [0.0, 0.0, 0.0]])


def observed(trained: FloatArray, losses: FloatArray, **more: object) -> Observations:
    groups = range(trained.shape[1])
    points = tuple(
        Points(trained[:, g], losses[:, g], np.full(len(trained), 0.01), np.zeros(len(trained), int)) for g in groups
    )
    fields = {
        "keys": tuple(f"g{g}" for g in groups),
        "points": points,
        "assumed": (None,) * len(groups),
        "held": trained.max(axis=0),
        "span": 1.0,
        "runs": trained,
        "run_of": (np.arange(len(trained)),) * len(groups),
    }
    return Observations(**{**fields, **more})


def drawn(rng: np.random.Generator, count: int, groups: int) -> FloatArray:
    return np.round(np.exp(rng.uniform(np.log(25), np.log(1600), (count, groups))))


def truth(runs: FloatArray, weights: FloatArray) -> FloatArray:
    """Power laws in effective sizes, with κ = 1,500."""
    helped = runs + np.stack([gain(row, runs, np.array(1500.0)).sum(axis=1) for row in weights], axis=1)
    groups = np.arange(len(weights))
    return 0.05 * (1 + groups % 3) + 1.0 * np.maximum(helped, 1.0) ** -(0.3 + 0.1 * (groups % 3))


def simulated(seed: int, weights: FloatArray, count: int = 40, noise: float = 0.02, **more: object) -> Observations:
    rng = np.random.default_rng(seed)
    runs = drawn(rng, count, len(weights))
    return observed(runs, truth(runs, weights) * (1 + rng.normal(0, noise, runs.shape)), **more)


def forecast(posterior: Posterior, runs: FloatArray) -> FloatArray:
    return np.array([posterior.moved(counts).loss(counts).mean(axis=1) for counts in runs])


def same_bytes(one: Posterior, other: Posterior) -> bool:
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in ARRAYS)


@pytest.fixture(scope="module")
def helped() -> Posterior:
    return fit_together(simulated(0, WEIGHTS), Prior(), 0, 120)


def test_the_evidence_of_a_node_is_the_dense_gaussians() -> None:
    rng = np.random.default_rng(0)
    own, others = rng.uniform(0, 500, 12), rng.uniform(0, 500, (12, 3)) * [0, 1, 1]
    data = Compositions(own, others, 1 + rng.normal(0, 0.1, 12), rng.integers(0, 3, 12), np.array([0.02, 0.1, 0.0]))
    weights, kappa = np.array([[0, 0.3, 0.1], [0, -0.01, 0.05]]), np.array([300.0, np.inf])
    sizes = effective_counts(data, weights, kappa)
    np.testing.assert_allclose(sizes[1], own - 0.01 * others[:, 1] + 0.05 * others[:, 2])
    spread = 1 + VARIANCE_GROWTH * np.log2(sizes.max(axis=1)[:, None] / np.maximum(sizes, 1))
    nodes = _integrated(_Products.of(data, _shapes(sizes), spread), 12)
    for b, n, s in ((0, 2, 9), (1, 3, 13), (1, 7, 30)):
        columns = np.column_stack([np.ones(12), _shapes(sizes)[b, :, s]])
        same = data.holdout[:, None] == data.holdout
        errors = NOISE_NODES[n] ** 2 * np.diag(spread[b]) + same * data.errors[data.holdout] ** 2
        dense = errors + COEFFICIENT**2 * columns @ columns.T
        inverse = np.linalg.inv(errors)
        covariance = np.linalg.inv(columns.T @ inverse @ columns + COEFFICIENT**-2 * np.eye(2))
        mean = covariance @ (columns.T @ inverse @ data.losses + 1 / COEFFICIENT)
        positive = log_ndtr(mean / np.sqrt(np.diag(covariance))).sum() - 2 * log_ndtr(1.0)
        expected = multivariate_normal(columns.sum(axis=1) * COEFFICIENT, dense).logpdf(data.losses) + positive
        assert nodes[b, n, s] == pytest.approx(expected, rel=1e-7)


def test_the_evidence_does_not_depend_on_the_order_of_the_points() -> None:
    rng = np.random.default_rng(1)
    others = rng.uniform(0, 500, (20, 2)) * [0, 1]
    data = Compositions(rng.uniform(1, 500, 20), others, rng.uniform(0.8, 1.2, 20), np.zeros(20, int), np.array([0.1]))
    order = rng.permutation(20)
    turned = Compositions(data.own[order], data.others[order], data.losses[order], data.holdout, data.errors)
    candidates = np.array([[0.0, 0.0], [0.0, 0.7]]), np.array([np.inf, 200.0])
    np.testing.assert_allclose(log_evidence(data, *candidates), log_evidence(turned, *candidates), rtol=1e-10)


def test_real_weights_come_back_and_absent_ones_stay_small(helped: Posterior) -> None:
    assert helped.transfer is not None
    assert np.all(helped.transfer.off[:2] < 0.01)
    assert helped.transfer.off[2] > 0.8
    received = {
        (key, r.source): r for key, all_ in zip(helped.keys, helped.transfer.received, strict=True) for r in all_
    }
    assert received["g0", "g1"].mean == pytest.approx(0.5, rel=0.35)
    assert received["g1", "g0"].mean == pytest.approx(0.4, rel=0.35)
    assert received["g0", "g1"].p05 <= received["g0", "g1"].mean <= received["g0", "g1"].p95
    assert not any(key == "g2" for key, _ in received)


def test_forecasts_of_new_compositions_at_least_halve_their_error(helped: Posterior) -> None:
    asked = drawn(np.random.default_rng(99), 40, 3)
    alone = fit(simulated(0, WEIGHTS), Prior(), 0, 120)
    errors = [np.abs(forecast(one, asked) - truth(asked, WEIGHTS))[:, :2].mean() for one in (helped, alone)]
    assert errors[0] < 0.5 * errors[1], errors


def test_harm_is_seen_and_never_helps() -> None:
    weights = np.array([[0.0, -0.1], [0.0, 0.0]])
    rng = np.random.default_rng(3)
    runs = np.column_stack([rng.uniform(300, 1600, 40), rng.uniform(25, 1600, 40)]).round()
    losses = truth(runs, weights) * (1 + rng.normal(0, 0.003, runs.shape))
    posterior = fit_together(observed(runs, losses), Prior(), 0, 60)
    assert posterior.transfer is not None
    assert posterior.transfer.off[0] < 0.2
    assert np.all(posterior.cross_slope(posterior.transfer.held)[0, 1] >= 0.0)
    assert "harms" in next(w.detail for w in posterior.warnings if w.code == "transfer")


def test_without_transfer_its_mass_is_small_and_forecasts_lose_nothing() -> None:
    off, errors = [], []
    for seed in range(10):
        observations = simulated(100 + seed, np.zeros((3, 3)), noise=0.05)
        together, alone = fit_together(observations, Prior(), 0, 60), fit(observations, Prior(), 0, 60)
        off += together.transfer.off.tolist() if together.transfer is not None else [1.0]
        asked = drawn(np.random.default_rng(seed), 20, 3)
        expected = truth(asked, np.zeros((3, 3)))
        errors.append([np.abs(forecast(one, asked) - expected).mean() for one in (together, alone)])
    assert np.median(off) >= 0.8
    mean = np.mean(errors, axis=0)
    assert mean[0] < 1.03 * mean[1], mean


@pytest.mark.parametrize(
    "runs",
    [
        np.geomspace(25, 1600, 12)[:, None] * [1.0, 0.5, 2.0],
        np.column_stack([np.geomspace(25, 1600, 12), np.full((12, 2), 400.0)]),
    ],
    ids=["nested subsets", "others constant"],
)
def test_counts_that_do_not_vary_apart_leave_the_fit_as_it_is(runs: FloatArray) -> None:
    losses = np.repeat(0.1 + runs[:, :1] ** -0.5, 3, axis=1)
    observations = observed(runs, losses)
    first = np.array([0])
    together, alone = fit_together(observations, Prior(), 2, 50), fit(observations, Prior(), 2, 50)
    assert same_bytes(together.select(first), alone.select(first))


def test_own_counts_alone_are_fitted_as_ever() -> None:
    observations = simulated(5, WEIGHTS, runs=None, run_of=None)
    assert same_bytes(fit_together(observations, Prior(), 1, 50), fit(observations, Prior(), 1, 50))


def test_the_same_arguments_give_the_same_bytes(helped: Posterior) -> None:
    again = fit_together(simulated(0, WEIGHTS), Prior(), 0, 120)
    assert same_bytes(helped, again)
    assert helped.transfer is not None
    assert again.transfer is not None
    assert helped.transfer.weights.tobytes() == again.transfer.weights.tobytes()


def test_permuting_the_groups_permutes_everything_to_the_last_bit(helped: Posterior) -> None:
    order = np.array([2, 0, 1])
    observations = simulated(0, WEIGHTS)
    assert observations.runs is not None
    losses = np.column_stack([observations.points[g].losses for g in order])
    other = fit_together(observed(observations.runs[:, order], losses, keys=("g2", "g0", "g1")), Prior(), 0, 120)
    expected = helped.select(order)
    assert same_bytes(other, expected)
    counts = np.array([300.0, 70.0, 900.0])
    np.testing.assert_array_equal(
        other.moved(counts[order]).loss(counts[order]), helped.moved(counts).loss(counts)[order]
    )
    np.testing.assert_array_equal(other.cross_slope(counts[order])[0], helped.cross_slope(counts)[2, order])


def test_slopes_are_the_derivatives_of_the_joint_loss(helped: Posterior) -> None:
    counts = np.array([300.0, 500.0, 200.0])
    here = helped.moved(counts)
    own, cross = here.slope(counts), here.cross_slope(counts)
    for h in range(3):
        step = np.eye(3)[h] * 0.01
        up, down = (helped.moved(c).loss(c) for c in (counts + step, counts - step))
        expected = cross[:, h].copy()
        expected[h] += own[h]
        np.testing.assert_allclose((up - down) / 0.02, expected, rtol=1e-5, atol=1e-12)


def test_the_benefit_is_concave_and_never_falls_in_any_direction(helped: Posterior) -> None:
    rng = np.random.default_rng(7)
    for a, b in zip(drawn(rng, 10, 3), drawn(rng, 10, 3), strict=True):
        ends = [helped.moved(c).loss(c) for c in (a, b, (a + b) / 2)]
        assert np.all(ends[2] <= (ends[0] + ends[1]) / 2 + 1e-12)
        assert np.all(helped.moved(a).cross_slope(a) <= 0.0)


def test_the_inverse_counts_own_samples_with_the_others_held(helped: Posterior) -> None:
    target = helped.loss(np.array([900.0, 900.0, 900.0])).mean(axis=1)
    counts = helped.inverse(target)
    inside = np.isfinite(counts) & (counts > 0)
    reached = np.stack([helped.loss(row)[np.arange(3), i] for i, row in enumerate(np.where(inside, counts, 1.0).T)], 1)
    np.testing.assert_allclose(reached[inside], np.broadcast_to(target[:, None], counts.shape)[inside], rtol=1e-9)
    assert inside.mean() > 0.9


def test_selecting_a_group_keeps_what_it_is_told(helped: Posterior) -> None:
    one, counts = helped.select(np.array([1])), np.array([[10.0, 1000.0]])
    np.testing.assert_array_equal(one.loss(counts), helped.loss(np.repeat(counts, 3, axis=0))[1:2])
    np.testing.assert_array_equal(one.moved(np.zeros(3)).loss(counts)[0], helped.moved(np.zeros(3)).loss(
        np.repeat(counts, 3, axis=0))[1])  # fmt: skip


def test_the_warning_says_by_how_much(helped: Posterior) -> None:
    told = {w.group: w.detail for w in helped.warnings if w.code == "transfer"}
    assert set(told) == {"g0", "g1"}
    assert "most through g1" in told["g0"]


def test_many_groups_share_one_weight_by_their_attributes() -> None:
    attributes = tuple({"side": "left" if g < 4 else "right"} for g in range(8))
    side = np.arange(8) < 4
    weights = np.where(side[:, None] == side, 0.4, 0.12)
    np.fill_diagonal(weights, 0.0)
    posterior = fit_together(simulated(11, weights, count=40, attributes=attributes), Prior(), 0, 60)
    assert posterior.transfer is not None
    mean = posterior.transfer.weights.mean(axis=2)
    on = np.flatnonzero(posterior.transfer.off < 0.2)
    assert len(on) >= 4
    near, far = (
        np.mean([mean[g][side == side[g]].sum() / 3 for g in on]),
        np.mean([mean[g][side != side[g]].mean() for g in on]),
    )
    assert near > 1.5 * far > 0


@pytest.mark.parametrize("losses", [0.0, 1.0, 1e-9])
def test_flat_and_extreme_losses_stay_finite(losses: float) -> None:
    runs = drawn(np.random.default_rng(8), 20, 3)
    runs[:4] = [[0, 0, 1e9], [1, 0, 0], [1e9, 1e9, 1e9], [0, 0, 0]]
    posterior = fit_together(observed(runs, np.full(runs.shape, losses)), Prior(), 0, 20)
    at = np.array([0.0, 1e9, 10.0])
    for values in (posterior.loss(at), posterior.slope(at), posterior.band(at), posterior.cross_slope(at)):
        assert np.all(np.isfinite(values))


def test_runs_that_contradict_the_points_are_refused() -> None:
    runs = drawn(np.random.default_rng(9), 8, 2)
    with pytest.raises(ObservationsError, match="not those of their runs"):
        observed(runs, np.ones(runs.shape), runs=runs + 1)
    with pytest.raises(ObservationsError, match="together with run_of"):
        observed(runs, np.ones(runs.shape), run_of=None)
    with pytest.raises(ObservationsError, match="one of the 8 runs"):
        observed(runs, np.ones(runs.shape), run_of=(np.arange(1, 9),) * 2)
    with pytest.raises(ObservationsError, match="another group"):
        observed(runs, np.ones(runs.shape), parent=(0, None))


def test_attributes_that_differ_are_counted_with_missing_ones() -> None:
    runs = drawn(np.random.default_rng(9), 8, 3)
    attributes = ({"sex": "F", "race": "Black"}, {"sex": "M", "race": "Black"}, {"sex": "M"})
    found = observed(runs, np.ones(runs.shape), attributes=attributes).differences(np.arange(len(attributes)))
    np.testing.assert_array_equal(found, [[0, 1, 2], [1, 0, 1], [2, 1, 0]])


def test_many_runs_are_thinned_for_the_evidence_and_still_tell_who_helps_whom() -> None:
    many = simulated(3, WEIGHTS, count=900)
    posterior = fit_together(many, Prior(), 0, 100)
    assert posterior.transfer is not None
    means = posterior.transfer.weights.mean(axis=2)
    np.testing.assert_allclose(means[0], WEIGHTS[0], atol=0.15)
    np.testing.assert_allclose(means[1], WEIGHTS[1], atol=0.15)


def test_thinning_keeps_the_ends_and_spreads_evenly() -> None:
    n = np.arange(1000.0)
    whole = Compositions(n, n[:, None], n, np.zeros(1000, dtype=np.int64), np.zeros(1))
    thin = whole.thinned(150)
    assert (len(thin.own), thin.own[0], thin.own[-1]) == (150, 0.0, 999.0)
    assert np.ptp(np.diff(thin.own)) <= 1.0
    np.testing.assert_array_equal(thin.losses, thin.own)
    assert whole.thinned(1000) is whole
