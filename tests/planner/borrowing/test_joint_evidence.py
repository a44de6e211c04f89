"""The evidence of one group against dense Gaussians and against plain integration over the coefficients."""

import numpy as np
import pytest
from scipy.special import log_ndtr
from scipy.stats import multivariate_normal

from app.planner.arrays import FloatArray
from app.planner.borrowing.joint_evidence import (
    FRESH,
    JITTER,
    OTHERS,
    SIGMA_SPREAD,
    SIGMAS,
    TYPICAL_SIGMA,
    TYPICAL_SIZE,
    Compositions,
    coefficients,
    columns,
    effective_counts,
    look,
    misfits,
)
from app.planner.borrowing.strata import OWN, STRATA, centres


def data(seed: int = 0, points: int = 9) -> Compositions:
    rng = np.random.default_rng(seed)
    own, others = rng.uniform(20, 500, points), rng.uniform(0, 500, (points, 3))
    losses = 0.5 + 0.5 * ((own + 0.3 * others.sum(axis=1) + 50) / 400) ** -0.5
    errors = np.array([0.03, 0.0])
    biggest = max(own.max(), others.max())
    return Compositions(own, others, losses / losses.min(), rng.integers(0, 2, points), errors, biggest)


def candidates(number: int, seed: int = 1) -> tuple[FloatArray, np.ndarray]:
    mean, sd = centres(3)
    rng = np.random.default_rng(seed)
    stratum = rng.integers(0, len(STRATA), number)
    return mean[stratum] + sd[stratum] * rng.standard_normal((number, 3 + OWN)), stratum


def covariance(one: Compositions, sigma: float, fresh: float) -> FloatArray:
    """V by its definition, entry by entry."""
    counts, size = np.column_stack([one.own, one.others]), len(one.own)
    omega = np.array([1.0, OTHERS, OTHERS, OTHERS])
    both = np.array([[omega @ np.minimum(a, b) for b in counts] for a in counts])
    reference = both[one.largest, one.largest]
    found = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            shared = (1 - fresh) * reference * both[i, j] / (both[i, i] * both[j, j])
            new = (i == j) * (fresh * reference / both[i, i] + JITTER)
            luck = (one.holdout[i] == one.holdout[j]) * one.errors[one.holdout[i]] ** 2
            found[i, j] = sigma**2 * (shared + new) + luck
    return found


def test_effective_counts_and_misfit_are_as_defined() -> None:
    one, x = data(), np.log(np.array([[0.5, 0.1, 1.0, 0.3, 0.6, 2.0]]))
    w, kappa = np.array([0.5, 0.1, 1.0]), 2.0 * one.biggest
    worth = one.own + (w * one.others / (1 + one.others / kappa)).sum(axis=1)
    np.testing.assert_allclose(effective_counts(one, x)[0], worth)
    share = (one.others @ (1 - w)) / (one.own + one.others.sum(axis=1))
    np.testing.assert_allclose(misfits(one, x)[0], share**2)


def test_the_evidence_of_a_noise_node_is_the_dense_gaussians() -> None:
    one = data()
    x, stratum = candidates(20)
    looked = look(one, x, stratum)
    mean, precision = coefficients(stratum)
    power, misfit = columns(one, x)
    largest = int(np.argmax(one.own + one.others.sum(axis=1)))
    typical = TYPICAL_SIGMA * np.sqrt(TYPICAL_SIZE / (one.own + 0.4 * one.others.sum(axis=1))[largest])
    for b in range(len(x)):
        design = np.column_stack([np.ones(len(one.own)), power[b], misfit[b]])
        for t, (fresh, sigma) in enumerate((f, s) for f in FRESH for s in SIGMAS):
            v = covariance(one, sigma, fresh)
            dense = v + design / precision[b] @ design.T
            inside = np.linalg.inv(design.T @ np.linalg.solve(v, design) + np.diag(precision[b]))
            at = inside @ (design.T @ np.linalg.solve(v, one.losses) + precision[b] * mean[b])
            cut = log_ndtr(at[1:] / np.sqrt(np.diag(inside)[1:])).sum()
            expected = multivariate_normal(design @ mean[b], dense).logpdf(one.losses) + cut
            expected += 0.5 * len(one.own) * np.log(2 * np.pi) - 0.5 * (np.log(sigma / typical) / SIGMA_SPREAD) ** 2
            assert looked.by_noise[b, t] == pytest.approx(expected, rel=1e-6, abs=1e-5)
            np.testing.assert_allclose(looked.mean[b, t], at, rtol=1e-5, atol=1e-6)
            assert looked.sd[b, t] == pytest.approx(np.sqrt(inside[2, 2]), rel=1e-6)


def test_only_some_noise_nodes_give_the_same_there_and_nothing_elsewhere() -> None:
    one, (x, stratum), some = data(), candidates(6), np.array([2, 9, 17])
    every, part = look(one, x, stratum), look(one, x, stratum, some).over(some)
    np.testing.assert_allclose(part.by_noise[:, some], every.by_noise[:, some], rtol=1e-12)
    assert np.all(np.isneginf(np.delete(part.by_noise, some, axis=1)))


def test_the_evidence_does_not_depend_on_the_order_of_the_points_or_of_the_others() -> None:
    one, (x, stratum) = data(), candidates(8)
    order, columns_ = np.random.default_rng(3).permutation(len(one.own)), np.array([2, 0, 1])
    turned = Compositions(
        one.own[order], one.others[order][:, columns_], one.losses[order], one.holdout[order], one.errors, one.biggest
    )
    other = np.column_stack([x[:, columns_], x[:, 3:]])
    np.testing.assert_allclose(look(turned, other, stratum).log, look(one, x, stratum).log, rtol=1e-8)


def test_extremes_stay_finite() -> None:
    own = np.array([0.0, 1.0, 1e9, 0.0])
    one = Compositions(own, np.array([[0.0], [1e9], [1.0], [1e9]]), np.ones(4), np.zeros(4, int), np.zeros(1), 1e9)
    mean, sd = centres(1)
    x = np.concatenate([mean, mean + 20 * sd, mean - 20 * sd])
    looked = look(one, x, np.tile(np.arange(len(STRATA)), 3))
    assert np.all(np.isfinite(looked.log))
    assert np.all(np.isfinite(looked.mean))
