"""What groups say together of a shape that all have: told at each group's size, narrowed by each, not by an odd one."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.borrowing.common_shape import common, likelihood
from app.planner.borrowing.joint_fit import fit_together
from app.planner.borrowing.pooling import pool
from app.planner.borrowing.shape_tables import plain
from app.planner.curves.observations import Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior
from app.planner.fitting.fit import fit

PRIOR = Prior()
SIZES = np.array([40.0, 80.0, 160.0, 320.0])


def project(exponents: list[float], noise: float, seed: int = 0, scales: list[float] | None = None) -> Observations:
    """Groups of an open bound, each with a level of its own and the floor .2 of it, scored on the same four runs."""
    rng, groups = np.random.default_rng(seed), len(exponents)
    n = SIZES[:, None] * np.array(scales or [1.0] * groups)
    level = 5.0 * np.exp(rng.normal(0, 0.5, groups))
    losses = level * (0.2 + 0.8 * (n / 320.0) ** -np.array(exponents)) * np.exp(rng.normal(0, noise, n.shape))
    points = tuple(Points(n[:, g], losses[:, g], np.zeros(4), np.arange(4)) for g in range(groups))
    keys = tuple(f"g{g}" for g in range(groups))
    alone = (None,) * groups
    return Observations(keys, points, alone, n[-1], None, runs=n, run_of=(np.arange(4),) * groups)


def said(observations: Observations, posterior: Posterior, group: int, donors: list[int]) -> np.ndarray:
    tables = {h: likelihood(posterior, PRIOR, h) for h in donors}
    return common(observations, posterior, PRIOR, group, tables)


def log_c(q: np.ndarray) -> tuple[float, float]:
    """Mean and sd of log c."""
    mass, at = q.sum(axis=(1, 2)), np.log(PRIOR.exponents)
    mean = float(mass @ at)
    return mean, float(np.sqrt(mass @ (at - mean) ** 2))


def gain(posterior: Posterior) -> np.ndarray:
    """By what share of its loss each group is said to fall over the next doubling."""
    now, then = (posterior.loss(factor * posterior.reference).mean(axis=1) for factor in (1.0, 2.0))
    return np.asarray(1.0 - then / now)


def test_every_group_narrows_what_all_have_in_common() -> None:
    observations = project([0.5] * 7, 0.03)
    posterior = fit(observations, PRIOR, 0, 1000)
    spread = [log_c(said(observations, posterior, 0, list(range(1, last))))[1] for last in (2, 4, 7)]
    assert spread[0] > spread[1] > spread[2]
    assert abs(log_c(said(observations, posterior, 0, list(range(1, 7))))[0] - np.log(0.5)) < 2.0 * spread[2]


def test_of_donors_that_say_nothing_the_prior_is_left() -> None:
    observations = project([0.5] * 3, 0.03)
    posterior = fit(replace(observations, points=(Points(*np.zeros((3, 0)), np.zeros(0, np.int64)),) * 3, runs=None,
                            run_of=None), PRIOR, 0, 20_000)  # fmt: skip
    q = said(observations, posterior, 0, [1, 2])
    for axes in ((1, 2), (0, 2)):
        np.testing.assert_allclose(q.sum(axis=axes), plain(PRIOR).sum(axis=axes), atol=0.06)


def test_an_odd_donor_does_not_lead_the_others_astray() -> None:
    observations = project([0.5] * 5 + [3.0], 0.01)
    posterior = fit(observations, PRIOR, 0, 1000)
    with_it, without = (log_c(said(observations, posterior, 0, list(range(1, last))))[0] for last in (6, 5))
    assert abs(with_it - without) < 0.25


def test_a_shape_is_told_at_each_groups_size() -> None:
    """With an offset of 40 samples a group of 320 has δ = 1/8, one of 5,120 next to none."""
    rng = np.random.default_rng(1)
    scales = [1.0, 1.0, 1.0, 16.0]
    observations = project([0.5] * 4, 0.0, scales=scales)
    n = observations.runs
    assert n is not None
    losses = 0.1 + ((n + 160.0) / 480.0) ** -0.8 * np.exp(rng.normal(0, 0.005, n.shape))
    points = tuple(replace(one, losses=losses[:, g]) for g, one in enumerate(observations.points))
    observations = replace(observations, points=points)
    posterior = fit(observations, PRIOR, 0, 1000)
    small, large = (
        said(observations, posterior, group, [1, 2]).sum(axis=(0, 2)) @ np.array(PRIOR.offsets) for group in (0, 3)
    )
    assert large < 0.5 * small


@pytest.mark.parametrize("noise", [0.02, 0.06])
def test_like_groups_of_an_open_bound_are_not_told_apart_by_their_noise(noise: float) -> None:
    spread, error = [], []
    for seed in range(12):
        observations = project([0.5] * 5, noise, seed)
        truth = 1.0 - (0.2 + 0.8 * 2.0**-0.5)
        for posterior in (fit(observations, PRIOR, 0, 200), fit_together(observations, PRIOR, 0, 200)):
            spread.append(gain(posterior).std())
            error.append(np.abs(gain(posterior) - truth).mean())
    for alone, together in (np.reshape(values, (12, 2)).mean(axis=0) for values in (spread, error)):
        assert together < 0.8 * alone, (together, alone)


def test_groups_whose_shapes_are_known_to_differ_keep_them() -> None:
    observations = project([0.15, 3.5, 0.15, 3.5], 1e-4)
    alone = fit(observations, PRIOR, 0, 200)
    pooled = pool(observations, alone, PRIOR, 0, range(4))
    np.testing.assert_allclose(gain(pooled), gain(alone), rtol=0.03)


def test_who_leans_on_a_common_shape_is_told_so() -> None:
    observations = project([0.5] * 4, 0.05)
    warned = [one.group for one in fit_together(observations, PRIOR, 0, 100).warnings if one.code == "pooled_prior"]
    assert warned == ["g0", "g1", "g2", "g3"]


def test_a_parent_counts_whole_and_others_by_what_they_have_in_common() -> None:
    """Two attributes apart, a donor's likelihood counts for a quarter of its logarithm."""
    observations = project([0.5, 0.9], 0.02)
    posterior = fit(observations, PRIOR, 0, 1000)
    apart = ({"a": "1", "b": "1"}, {"a": "2", "b": "2"})
    near, far, parent = (
        log_c(said(replace(observations, **more), posterior, 0, [1]))[1]
        for more in ({}, {"attributes": apart}, {"attributes": apart, "parent": (1, None)})
    )
    assert parent == near < far
