"""Transfer between groups: evidence against dense Gaussians, recovery, what it never does, the interface."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.arrays import FloatArray
from app.planner.borrowing.joint_fit import fit_together
from app.planner.borrowing.strata import STRATA
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
        "joint": True,
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


def test_real_weights_come_back_and_absent_ones_stay_small(helped: Posterior) -> None:
    assert helped.transfer is not None
    assert np.all(helped.transfer.off[:2] < 0.01)
    assert helped.transfer.weights[2, :2].mean() < 0.5 * helped.transfer.weights[0, 1].mean()
    received = {
        (key, r.source): r for key, all_ in zip(helped.keys, helped.transfer.received, strict=True) for r in all_
    }
    # One project's forty runs leave a weight open by a third.
    others = [fit_together(simulated(seed, WEIGHTS), Prior(), 0, 120).transfer for seed in (1, 2)]
    means = np.mean([one.weights.mean(axis=2) for one in (helped.transfer, *others) if one], axis=0)
    assert means[0, 1] == pytest.approx(0.5, rel=0.2)
    assert means[1, 0] == pytest.approx(0.4, rel=0.2)
    assert received["g0", "g1"].p05 <= received["g0", "g1"].mean <= received["g0", "g1"].p95


def test_forecasts_of_new_compositions_at_least_halve_their_error(helped: Posterior) -> None:
    asked = drawn(np.random.default_rng(99), 40, 3)
    alone = fit(simulated(0, WEIGHTS), Prior(), 0, 120)
    errors = [np.abs(forecast(one, asked) - truth(asked, WEIGHTS))[:, :2].mean() for one in (helped, alone)]
    assert errors[0] < 0.5 * errors[1], errors


def test_groups_that_have_nothing_to_do_with_each_other_are_seen_to() -> None:
    off = []
    for seed in range(6):
        transfer = fit_together(simulated(100 + seed, np.zeros((3, 3)), noise=0.05), Prior(), 0, 60).transfer
        off += [] if transfer is None else transfer.off.tolist()
    assert np.median(off) >= 0.8


def test_of_separate_models_other_counts_say_nothing() -> None:
    one = simulated(5, WEIGHTS, joint=False)
    assert one.runs is not None
    others = one.runs.copy()
    others[:, 1] *= 3.0
    points = (one.points[0], replace(one.points[1], counts=others[:, 1]), one.points[2])
    moved = fit(replace(one, runs=others, points=points), Prior(), 1, 50)
    assert same_bytes(fit(one, Prior(), 1, 50).select(np.array([0])), moved.select(np.array([0])))
    assert fit_together(one, Prior(), 1, 50).transfer is None


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
    # What is unlike is a sum over the groups, which rounds by their order on some processors.
    found, known = other.cross_slope(counts[order])[0], helped.cross_slope(counts)[2, order]
    np.testing.assert_allclose(found, known, rtol=1e-13, atol=0.0)


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


def test_without_conflict_the_benefit_is_concave_and_never_falls_in_any_direction() -> None:
    peaceful = Prior(strata=np.where(STRATA[:, 2] > 0.0, -np.inf, 0.0))
    helped = fit_together(simulated(0, WEIGHTS), peaceful, 0, 120)
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
