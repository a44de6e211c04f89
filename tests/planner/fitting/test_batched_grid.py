"""Groups are fitted together and stay strangers: same bytes alone, in company, in any order, refitted."""

import numpy as np
import pytest
from scipy.special import ndtr

from app.planner.arrays import FloatArray
from app.planner.curves.observations import AssumedCurve, Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior
from app.planner.curves.random_streams import lattice, uniforms
from app.planner.fitting.fit import fit
from app.services.curves.prior import prior_for

FIELDS = ("asymptote", "excess", "anchor", "exponent", "offset", "knot", "reference", "discrepancy")


def project(groups: int, seed: int = 0) -> Observations:
    """Groups of all kinds: none to 40 points, few and many holdouts, replicates, unknown errors."""
    rng = np.random.default_rng(seed)
    made = []
    for g in range(groups):
        size = (0, 1, 2, 5, 5, 5, 9, 12, 40)[g % 9]
        counts = np.round(np.exp(rng.uniform(np.log(5), np.log(5000), size)))
        counts[1::4] = counts[: len(counts[1::4])]
        losses = np.clip(0.1 + counts**-0.4 + rng.normal(0, 0.02, size), 0, 1)
        stderrs = np.where(rng.random(size) < 0.2, np.nan, 0.02)
        made.append(Points(counts, losses, stderrs, rng.integers(0, 1 + g % 4, size)))
    keys = tuple(f"g{g}" for g in range(groups))
    return Observations(keys, tuple(made), (None,) * groups, np.full(groups, 50.0), 1.0)


def same(a: Posterior, b: Posterior) -> bool:
    arrays = all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in FIELDS)
    residuals = all(x.tobytes() == y.tobytes() for x, y in zip(a.residuals, b.residuals, strict=True))
    return arrays and residuals and a.warnings == b.warnings and a.diagnostics == b.diagnostics and a.keys == b.keys


@pytest.mark.parametrize("trained", [False, True])
def test_a_group_has_the_same_bytes_alone_and_among_a_thousand(trained: bool) -> None:
    prior = prior_for(1.0) if trained else Prior()
    everything = project(1000)
    together = fit(everything, prior, 3, 61)
    for g in (0, 1, 2, 3, 4, 5, 6, 7, 8, 500, 998, 999):
        alone = fit(everything.select(np.array([g])), prior, 3, 61)
        assert same(alone, together.select(np.array([g]))), g


def test_order_and_company_change_nothing() -> None:
    everything = project(120, seed=1)
    together = fit(everything, Prior(), 3, 40)
    order = np.random.default_rng(2).permutation(120)[:77]
    assert same(fit(everything.select(order), Prior(), 3, 40), together.select(order))


def test_stated_and_learnt_groups_keep_their_places() -> None:
    data = project(6, seed=6)
    stated = AssumedCurve(0.1, 2.0, 0.5, 0.0)
    mixed = Observations(data.keys, data.points, (None, stated, None, None, stated, None), data.held, 1.0)
    posterior, plain = fit(mixed, Prior(), 0, 30), fit(data, Prior(), 0, 30)
    for g in (0, 2, 3, 5):
        assert same(posterior.select(np.array([g])), plain.select(np.array([g])))
    for g in (1, 4):
        assert np.all(posterior.loss(np.full(6, 100.0))[g] == 0.1 + 2.0 * 100.0**-0.5)


def test_random_numbers_are_even_within_a_group_and_strangers_between_groups() -> None:
    u = uniforms(1, tuple(f"k{g}" for g in range(200)), 300)
    assert np.all((u > 0) & (u < 1))
    assert_even(u)


def test_points_of_the_lattice_are_even_within_a_group_and_strangers_between_groups() -> None:
    points = lattice(1, tuple(f"k{g}" for g in range(200)), 300)
    np.testing.assert_array_equal(np.sort(points.order, axis=1), np.tile(np.arange(300), (200, 1)))
    first = (points.order + points.shift) / 300
    np.testing.assert_array_equal(points.place % 300, points.order)
    assert_even(np.stack([first, ndtr(points.normals(0)), ndtr(points.normals(1))], axis=1))
    some = points.select(np.array([7, 3]))
    np.testing.assert_array_equal(some.normals(1), points.normals(1)[[7, 3]])


def assert_even(u: FloatArray) -> None:
    """Of numbers [groups, 3, draws]: evenly spread within groups, independent between them."""
    assert np.all(np.abs(u.mean(axis=2) - 0.5) < 0.01)
    counts = np.stack([np.bincount((row * 10).astype(int), minlength=10) for row in u[:, 0]])
    assert np.all(np.abs(counts - 30) <= 1)
    within = np.array([np.corrcoef(one) for one in u])
    assert np.abs(within[:, [0, 0, 1], [1, 2, 2]]).max() < 0.1
    for which in range(3):
        between = np.corrcoef(u[:, which])[np.triu_indices(200, 1)]
        assert abs(between.mean()) < 0.002
        assert 0.8 / np.sqrt(300) < between.std() < 1.2 / np.sqrt(300)
