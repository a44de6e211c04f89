"""What a posterior answers: losses, slopes, inverses and bands of its draws."""

import numpy as np
import pytest

from app.planner.arrays import FloatArray
from app.planner.curves.observations import AssumedCurve, Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior
from app.planner.fitting.fit import fit

EMPTY = Points(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
STATED = (
    AssumedCurve(0.05, 2.0, 0.5, 0.0),
    AssumedCurve(0.1, 7.0, 4.0, 40.0),
    AssumedCurve(0.0, 1.0, 0.1, 0.3),
    AssumedCurve(0.3, 0.0, 1.0, 0.0),
)


def stated(curves: tuple[AssumedCurve, ...] = STATED, draws: int = 3) -> Posterior:
    g = len(curves)
    keys = tuple(f"g{i}" for i in range(g))
    return fit(Observations(keys, (EMPTY,) * g, curves, np.full(g, 10.0), 1.0), Prior(), 0, draws)


def learnt(draws: int = 40) -> Posterior:
    counts = np.array([20.0, 60.0, 200.0, 500.0])
    points = Points(counts, 0.1 + 1.5 * counts**-0.6, np.full(4, 0.01), np.zeros(4, dtype=np.int64))
    one = Points(counts[:1], np.array([0.4]), np.array([0.02]), np.zeros(1, dtype=np.int64))
    both = Observations(("a", "b"), (points, one), (None, None), np.array([500.0, 20.0]), 1.0)
    return fit(both, Prior(), 1, draws)


@pytest.mark.parametrize("n", [1.0, 2.0, 37.5, 1e4, 1e9])
def test_an_assumed_curve_is_that_curve_in_every_draw(n: float) -> None:
    posterior = stated()
    for g, c in enumerate(STATED):
        loss = c.asymptote + c.scale * (n + c.offset) ** -c.exponent
        slope = -c.exponent * c.scale * (n + c.offset) ** (-c.exponent - 1)
        at = np.full(len(STATED), n)
        np.testing.assert_allclose(posterior.loss(at)[g], loss, rtol=1e-15)
        np.testing.assert_allclose(posterior.slope(at)[g], slope, rtol=1e-14)
        np.testing.assert_allclose(posterior.band(at)[g], loss, rtol=1e-15)


def test_an_assumed_curve_with_a_head_start_is_exact_at_zero() -> None:
    value = stated().loss(np.zeros(4))[1]
    np.testing.assert_allclose(value, 0.1 + 7.0 * 40.0**-4.0, rtol=1e-15)


def test_the_inverse_of_an_assumed_curve_is_the_closed_form() -> None:
    targets = np.array([0.25, 0.1 + 7.0 * 90.0**-4.0, 0.5, 0.4])
    expected = [(0.2 / 2.0) ** -2.0, 50.0, 0.5**-10.0 - 0.3, 0.0]
    np.testing.assert_allclose(stated().inverse(targets)[:, 0], expected, rtol=1e-9)


def test_a_target_at_or_below_the_asymptote_takes_infinitely_many_samples() -> None:
    assert np.all(np.isinf(stated().inverse(np.array([0.05, 0.0999, -0.1, 0.299]))))


def test_parameters_are_the_classical_symbols() -> None:
    for posterior in (stated(), learnt()):
        p = posterior.parameters()
        n = posterior.reference * 1.7
        classical = p["asymptote"] + p["scale"] * (n[:, None] + p["offset"]) ** -p["exponent"]
        np.testing.assert_allclose(posterior.loss(n), classical, rtol=1e-12)


@pytest.mark.parametrize("n", [0.2, 0.999, 1.001, 3.0, 90.0, 2e4])
def test_slope_is_the_finite_difference_of_loss(n: float) -> None:
    posterior, h = learnt(), 1e-5 * n
    difference = (posterior.loss(np.full(2, n + h)) - posterior.loss(np.full(2, n - h))) / (2 * h)
    np.testing.assert_allclose(posterior.slope(np.full(2, n)), difference, rtol=1e-4, atol=1e-10)


def test_below_one_sample_the_curve_is_its_tangent_at_one() -> None:
    posterior, one = learnt(), np.ones(2)
    tangent = posterior.loss(one) - 0.75 * posterior.slope(one)
    np.testing.assert_allclose(posterior.loss(one * 0.25), tangent, rtol=1e-12)


@pytest.mark.parametrize("n", [0.0, 0.4, 1.0, 17.0, 600.0])
def test_inverse_undoes_loss(n: float) -> None:
    curves = (AssumedCurve(0.05, 2.0, 0.5, 0.0), AssumedCurve(0.1, 3.0, 1.2, 5.0), AssumedCurve(0.0, 1.0, 4.0, 0.5))
    posterior = stated(curves)
    at = np.full(3, n)
    np.testing.assert_allclose(posterior.inverse(posterior.loss(at)[:, 0])[:, 0], n, rtol=1e-7, atol=1e-12)


def test_inverse_of_learnt_curves_reaches_the_target_exactly() -> None:
    posterior, target = learnt(), np.array([0.16, 0.3])
    counts = posterior.inverse(target)
    for d in range(posterior.draws):
        reached = np.isfinite(counts[:, d]) & (counts[:, d] > 0) & (counts[:, d] < 1e12)
        at = np.where(reached, counts[:, d], 1.0)
        np.testing.assert_allclose(posterior.loss(at)[reached, d], target[reached], rtol=1e-9)


def test_a_table_of_sizes_is_its_columns() -> None:
    posterior = learnt()
    table = np.array([[0.0, 5.0, 700.0], [1.0, 80.0, 1e6]])
    for ask in (posterior.loss, posterior.slope, posterior.band):
        columns: list[FloatArray] = [ask(table[:, k]) for k in range(3)]
        np.testing.assert_array_equal(ask(table), np.stack(columns, axis=1))


def test_the_band_is_the_curve_up_to_the_largest_measured_count_and_widens_beyond() -> None:
    posterior = learnt(draws=300)
    np.testing.assert_array_equal(posterior.band(posterior.reference), posterior.loss(posterior.reference))
    beyond = posterior.reference * 8
    extra = posterior.band(beyond) - posterior.loss(beyond)
    kept = posterior.band(beyond)[0] > 0
    np.testing.assert_allclose(extra[0][kept], np.sqrt(3) * posterior.discrepancy[0][kept], atol=1e-14)
    assert posterior.band(beyond).min() >= 0


def test_selected_groups_answer_as_they_did_among_all() -> None:
    posterior = learnt()
    chosen = posterior.select(np.array([1, 0]))
    assert chosen.keys == ("b", "a")
    at = np.array([30.0, 900.0])
    np.testing.assert_array_equal(chosen.band(at[::-1]), posterior.band(at)[::-1])
    assert [w.group for w in posterior.select(np.array([0])).warnings] == []


@pytest.mark.parametrize("posterior", [stated(), learnt()], ids=["stated", "learnt"])
def test_loss_and_slope_together_are_the_two_apart(posterior: Posterior) -> None:
    sizes = np.tile(np.array([0.0, 0.4, 1.0, 33.0, 1e9]), (len(posterior.keys), 1))
    for counts in (sizes, sizes[:, 1], sizes[:, 4]):
        loss, slope = posterior.loss_and_slope(counts)
        np.testing.assert_array_equal(loss, posterior.loss(counts))
        np.testing.assert_array_equal(slope, posterior.slope(counts))
