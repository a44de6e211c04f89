"""What other groups' data does to a curve: effective counts, and the misfit of one model to a group."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.curves.observations import AssumedCurve
from app.planner.curves.posterior import Posterior, one_draw, point_estimate, stating
from app.planner.curves.transfer import Transfer
from tests.planner.curves.test_posterior import stated
from tests.planner.joint import joint_posterior, losses_at

SEEDS = range(8)


def clashing(posterior: Posterior) -> Transfer:
    assert posterior.transfer is not None
    return posterior.transfer


@pytest.mark.parametrize("seed", SEEDS)
def test_the_loss_is_the_curve_at_the_effective_count_and_the_misfit(seed: int) -> None:
    posterior = joint_posterior(seed, groups=4, draws=3, conflict=0.4)
    counts = np.random.default_rng(seed).uniform(1.0, 900.0, size=4)
    moved = posterior.moved(counts)
    np.testing.assert_allclose(moved.loss(counts), losses_at(posterior, counts), rtol=1e-12)
    np.testing.assert_allclose(moved.path(counts), losses_at(posterior, counts), rtol=1e-12)
    sure = moved.draw(1)
    np.testing.assert_allclose(sure.known(counts)[0], losses_at(posterior, counts)[:, 1], rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_slopes_are_difference_quotients(seed: int) -> None:
    posterior = joint_posterior(seed, groups=3, draws=4, conflict=0.5)
    counts = np.random.default_rng(seed).uniform(5.0, 900.0, size=3)
    cross = posterior.moved(counts).cross_slope(counts)
    for h in range(3):
        step = np.eye(3)[h] * 1e-3 * counts[h]
        up, down = losses_at(posterior, counts + step), losses_at(posterior, counts - step)
        quotient = (up - down) / (2.0 * step[h])
        own = posterior.moved(counts).slope(counts)[h]
        np.testing.assert_allclose(own, quotient[h], rtol=1e-5, atol=1e-12)
        others = np.arange(3) != h
        np.testing.assert_allclose(cross[others, h], quotient[others], rtol=1e-4, atol=1e-11)
        assert not cross[h, h].any()
    shares = np.random.default_rng(seed).uniform(size=(3, 4))
    found = posterior.moved(counts).mean_cross_slope(counts, shares)
    np.testing.assert_allclose(found, np.einsum("gd,ghd->gh", shares, cross), rtol=1e-12, atol=1e-15)
    loss, slope = posterior.moved(counts).loss_and_slope(counts)
    np.testing.assert_array_equal(loss, posterior.moved(counts).loss(counts))
    np.testing.assert_array_equal(slope, posterior.moved(counts).slope(counts))


def test_sizes_are_columns_and_one_draw_is_itself() -> None:
    posterior = joint_posterior(2, groups=3, draws=5, conflict=0.4)
    table = np.array([[0.0, 5.0, 700.0], [1.0, 80.0, 1e6], [3.0, 3.0, 3.0]])
    for ask in (posterior.loss, posterior.slope, posterior.band):
        np.testing.assert_array_equal(ask(table), np.stack([ask(table[:, at]) for at in range(3)], axis=1))
    np.testing.assert_array_equal(posterior.draw(3).loss(table)[..., 0], posterior.loss(table)[..., 3])
    np.testing.assert_array_equal(posterior.draw(3).known(table)[0], posterior.loss(table)[..., 3])
    np.testing.assert_array_equal(posterior.draw(3).known(table[:, 1])[1], posterior.slope(table[:, 1])[:, 3])
    assert one_draw(posterior, 7).draws == 1
    assert clashing(point_estimate(posterior)).conflict[0, 0] == pytest.approx(clashing(posterior).conflict[0].mean())


def test_without_samples_there_is_no_misfit() -> None:
    posterior = joint_posterior(1, groups=3, draws=2, conflict=0.4)
    nothing = np.zeros(3)
    moved = clashing(posterior.moved(nothing))
    assert not moved.misfit(nothing).any()
    assert not moved.harm_slope(nothing).any()
    assert np.isfinite(posterior.moved(nothing).cross_slope(nothing)).all()
    alone = np.array([0.0, 0.0, 70.0])
    assert not clashing(posterior.moved(alone)).misfit(alone)[2].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_misfit_lies_between_0_and_1_falls_with_own_data_and_is_a_matter_of_shares(seed: int) -> None:
    posterior = joint_posterior(seed, groups=4, draws=6, conflict=0.4)
    counts = np.random.default_rng(seed).uniform(0.0, 900.0, size=4)
    at = clashing(posterior.moved(counts))
    misfit = at.misfit(counts)
    assert np.all((misfit >= 0.0) & (misfit <= 1.0))
    np.testing.assert_allclose(clashing(posterior.moved(3.0 * counts)).misfit(3.0 * counts), misfit, rtol=1e-12)
    sizes = counts[:, None] + np.geomspace(1.0, 1e6, 30)
    harm = at.harm(sizes)
    assert np.all(np.diff(harm, axis=1) <= 0.0)
    assert np.all(np.diff(at.harm_slope(sizes), axis=1) >= 0.0)
    assert np.all(harm[:, -1] <= 1e-3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 1.5])
def test_the_inverse_is_the_least_count_that_bisection_finds(seed: int, share: float) -> None:
    posterior = joint_posterior(seed, groups=4, draws=5, conflict=0.5)
    some = np.random.default_rng(seed).random((4, 5)) < 0.3
    transfer = clashing(posterior)
    posterior = replace(posterior, transfer=replace(transfer, conflict=np.where(some, 0.0, transfer.conflict)))
    top = posterior.loss(np.zeros(4)).max(axis=1)
    target = posterior.asymptote.min(axis=1) * 0.9 + share * (top - posterior.asymptote.min(axis=1))
    found = posterior.inverse(target)
    for draw in range(5):
        one = posterior.draw(draw)

        def enough(counts: np.ndarray, one: Posterior = one) -> np.ndarray:
            return np.asarray(one.loss(counts)[:, 0] <= target)

        low, high = np.zeros(4), np.full(4, 1e15)
        never, at_once = ~enough(high), enough(low)
        for _ in range(200):
            middle = 0.5 * (low + high)
            low, high = np.where(enough(middle), low, middle), np.where(enough(middle), middle, high)
        expected = np.where(at_once, 0.0, high)
        assert np.all(found[never, draw] > 1e14)
        np.testing.assert_allclose(found[~never, draw], expected[~never], rtol=1e-8, atol=1e-6)


def test_without_conflict_the_inverse_is_the_closed_form_to_the_last_bit() -> None:
    posterior = joint_posterior(5, groups=4, draws=5, conflict=0.5)
    transfer = clashing(posterior)
    calm = replace(posterior, transfer=replace(transfer, conflict=np.zeros((4, 5))))
    partly = replace(posterior, transfer=replace(transfer, conflict=transfer.conflict * (np.arange(5) == 2)))
    target = np.full(4, 0.3)
    np.testing.assert_array_equal(
        np.delete(partly.inverse(target), 2, axis=1), np.delete(calm.inverse(target), 2, axis=1)
    )


def test_a_curve_that_steps_or_is_flat_is_inverted_with_its_misfit() -> None:
    curves = (AssumedCurve(0.1, 0.4, 1.0, 0.0), AssumedCurve(0.2, 0.0, 1.0, 0.0))
    transfer = Transfer.of_fit(
        np.zeros((2, 2, 1)), np.full((2, 1), np.inf), np.full(2, 100.0), np.zeros(2), ((), ()), np.full((2, 1), 0.4)
    )
    posterior = replace(stated(curves, draws=1), transfer=transfer)
    stepping = replace(posterior, threshold=np.array([[50.0], [0.0]]))
    # Flat: .2 + .4 (100/(n + 100))² ≤ .3 from n = 100. Stepping: .1 + .4 (100/(n + 100))² ≤ .2 from n = 100, and .5
    # more before 50.
    np.testing.assert_allclose(stepping.inverse(np.array([0.2, 0.3]))[:, 0], [100.0, 100.0], rtol=1e-12)
    excess = posterior.excess[0, 0]
    early = 0.1 + excess + 0.4 * (100.0 / 110.0) ** 2
    np.testing.assert_allclose(stepping.inverse(np.array([early, 0.3]))[0, 0], 10.0, rtol=1e-12)
    np.testing.assert_allclose(stepping.inverse(np.array([0.45, 0.3]))[0, 0], 50.0, rtol=1e-12)
    assert np.isinf(stepping.inverse(np.array([0.1, 0.2]))).all()
    at = np.array([[49.0, 50.0]] * 2)
    np.testing.assert_allclose(np.diff(stepping.path(at)[0, :, 0]), -excess, atol=0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_in_another_order_or_alone_have_the_same_losses(seed: int) -> None:
    posterior = joint_posterior(seed, groups=4, draws=3, conflict=0.4)
    counts = np.random.default_rng(seed).uniform(1.0, 900.0, size=4)
    order = np.random.default_rng(seed).permutation(4)
    expected = losses_at(posterior, counts)
    turned = replace(posterior.select(order), transfer=clashing(posterior).permuted(order))
    np.testing.assert_allclose(turned.moved(counts[order]).loss(counts[order]), expected[order], rtol=1e-12)
    some = order[:2]
    np.testing.assert_allclose(posterior.select(some).moved(counts).loss(counts[some]), expected[some], rtol=1e-12)
    np.testing.assert_allclose(posterior.part(some).moved(counts).loss(counts[some]), expected[some], rtol=1e-12)
    again = posterior.select(some).select(np.array([1]))
    np.testing.assert_allclose(again.moved(counts).loss(counts[some[1:]]), expected[some[1:]], rtol=1e-12)
    cross = posterior.moved(counts).cross_slope(counts)
    np.testing.assert_allclose(posterior.select(some).moved(counts).cross_slope(counts[some]), cross[some], rtol=1e-9)


def test_a_stated_curve_is_moved_by_nothing() -> None:
    posterior = joint_posterior(3, groups=3, draws=4, conflict=0.4)
    said = replace(stated((AssumedCurve(0.1, 1.0, 0.5, 0.0),), draws=4), keys=("g1",))
    told = stating(posterior, np.array([1]), said)
    counts = np.array([40.0, 90.0, 200.0])
    np.testing.assert_allclose(told.moved(counts).loss(counts)[1], 0.1 + 90.0**-0.5)
    np.testing.assert_array_equal(told.moved(counts).loss(counts)[0], posterior.moved(counts).loss(counts)[0])


def test_its_arrays_are_counted() -> None:
    posterior = joint_posterior(3, groups=3, draws=4, conflict=0.4)
    alone = replace(posterior, transfer=None)
    assert posterior.nbytes - alone.nbytes >= 8 * (3 * 3 * 4 + 2 * 3 * 4)
