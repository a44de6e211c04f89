"""Pilots against the conjugate case, what they should choose, and what their runs then tell."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.curves import Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.fitting.fit import fit
from app.planner.quality.pilots import plan_pilot
from app.planner.quality.worth import Quality, Worth
from app.services.curves.prior import prior_for
from tests.planner.problems import stated
from tests.planner.quality.test_learning import game

SEED = 3


def known(noise: float, scale: float = 1.0, exponent: float = 0.5) -> Posterior:
    return replace(stated([(0.0, scale, exponent, 0.0)], draws=400), noise=np.array([noise]), reference=np.array([1e3]))


def fitted(rng: np.random.Generator, noise: float = 0.003) -> Posterior:
    """A curve known from clean runs at 125 to 1,000."""
    one = game({"s": 0.6}, (), noise, rng)
    points = Points(*vars(one.points).values())
    return fit(Observations(("A",), (points,), (None,), np.array([1000.0]), 1.0), prior_for(1.0), SEED, 400)


def test_of_a_known_curve_one_run_leaves_the_conjugate_variance() -> None:
    # Nearly straight in the quality: 1 run at n = 1,000 with 10 of the pilot.
    quality, noise = Quality.of(Worth(0.6, 0.1)), 1e-5
    found = plan_pilot(known(noise), quality, 1000, 10, 1, None, SEED)
    run = found.runs[0]
    n = run.clean + 0.6 * run.pilot
    slope = 0.5 * n**-1.5 * run.pilot
    left = 1.0 / (1.0 / quality.variance + slope**2 / (2.0 * noise**2))
    assert found.sd_after == pytest.approx(np.sqrt(left), rel=0.05)


def test_runs_swap_the_pilot_onto_small_clean_subsets() -> None:
    found = plan_pilot(fitted(np.random.default_rng(0)), Quality.of(Worth()), 1000, 250, 3, 0.5, SEED)
    assert len(found.runs) == 3
    assert all(run.clean <= 500 and run.pilot in (125, 250) for run in found.runs)
    sds = [found.sd_now, *(run.sd for run in found.runs)]
    assert sds == sorted(sds, reverse=True)
    assert found.sd_after < 0.5 * found.sd_now


def test_noise_and_a_near_break_even_leave_it_undecided() -> None:
    rng = np.random.default_rng(1)
    clear = plan_pilot(known(0.001), Quality.of(Worth(0.7, 0.2)), 1000, 500, 3, 0.3, SEED)
    near = plan_pilot(fitted(rng, 0.03), Quality.of(Worth(0.7, 0.1)), 1000, 20, 3, 0.7, SEED)
    assert clear.decides
    assert not near.decides
    assert near.chance is not None
    assert 0.0 <= near.chance < 0.5


def test_what_is_known_needs_no_pilot() -> None:
    found = plan_pilot(known(0.001), Quality.exact(0.6), 1000, 250, 3, 0.5, SEED)
    assert (found.runs, found.sd_after, found.decides) == ((), 0.0, True)


def test_where_nothing_clean_is_held_the_pilot_is_measured_alone() -> None:
    found = plan_pilot(fitted(np.random.default_rng(2)), Quality.of(Worth()), 0, 250, 5, None, SEED)
    assert {(run.clean, run.pilot) for run in found.runs} == {(0, 250), (0, 125)}
    assert found.chance is None


@pytest.mark.parametrize(("size", "runs"), [(0, 3), (250, 0)])
def test_a_pilot_of_nothing_is_refused(size: int, runs: int) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        plan_pilot(known(0.001), Quality.of(Worth()), 1000, size, runs, None, SEED)
