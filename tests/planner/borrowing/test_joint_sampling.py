"""Sampling against plain Monte Carlo from the prior, its effective draws, and whether its intervals hold the truth."""

import numpy as np
import pytest

from app.planner.arrays import FloatArray
from app.planner.borrowing.joint_evidence import Compositions, columns, look
from app.planner.borrowing.joint_peaks import peaks
from app.planner.borrowing.joint_sampling import ENOUGH_DRAWS, Crossings, Law, sample
from app.planner.borrowing.strata import GAIN_SPREAD, LEVEL_SPREAD, OWN, STRATA, centres, weights_of

ALIKE = np.zeros(len(STRATA))
HELD = np.array([400.0, 150.0])


def nested_and_smaller(held: FloatArray) -> FloatArray:
    """All, a half and a quarter of everything, and each group alone at a quarter."""
    return np.floor(
        np.concatenate([np.outer([1.0, 0.5, 0.25], held), held * np.where(np.eye(len(held)) > 0, 0.25, 1.0)])
    )


def composition(counts: FloatArray, losses: FloatArray, group: int) -> Compositions:
    others = np.delete(counts, group, axis=1)
    errors, holdout = np.array([0.02]), np.zeros(len(counts), dtype=np.int64)
    return Compositions(counts[:, group], others, losses, holdout, errors, float(counts.max()))


def shared_model(weight: float, noise: float = 0.01, seed: int = 0, groups: int = 2) -> list[Compositions]:
    """Losses of one model in which another group's sample is worth `weight`."""
    rng = np.random.default_rng(seed)
    counts = nested_and_smaller(np.resize(HELD, groups))
    w = np.where(np.eye(groups) > 0, 1.0, weight)
    losses = 0.5 + 0.5 * ((counts @ w.T + 60) / (counts[0] @ w.T + 60)) ** -0.6
    losses *= 1 + noise * rng.standard_normal(losses.shape)
    return [composition(counts, losses[:, g], g) for g in range(groups)]


def pairs(groups: int) -> np.ndarray:
    return np.tile(np.arange(groups - 1), (groups, 1))


def transfer_masses(crossings: Crossings) -> dict[float, float]:
    return {float(t): float(crossings.masses[STRATA[:, 0] == t].sum()) for t in np.unique(STRATA[:, 0])}


@pytest.mark.parametrize("stratum", [4, 31, 50, 70])
def test_a_stratums_evidence_is_that_of_plain_draws_from_its_prior(stratum: int) -> None:
    one = shared_model(0.3)[0]
    mean, sd = centres(1)
    rng = np.random.default_rng(0)
    number = 60_000
    x = mean[stratum] + sd[stratum] * rng.standard_normal((number, 1 + OWN))
    plain = np.exp(look(one, x, np.full(number, stratum)).log)
    law = Law.about(peaks(one, mean, sd), mean, sd)
    found = law.drawn(one, np.full(3_000, stratum), None, rng).by_stratum()[stratum]
    assert found == pytest.approx(np.log(plain.mean()), abs=4 * plain.std() / plain.mean() / np.sqrt(number) + 0.06)


@pytest.mark.parametrize(("weight", "groups"), [(0.0, 2), (0.3, 4), (0.9, 4)])
def test_every_group_has_enough_effective_draws(weight: float, groups: int) -> None:
    assert sample(shared_model(weight, groups=groups), pairs(groups), ALIKE, 0, 50).effective.min() >= ENOUGH_DRAWS


def test_the_runs_say_how_alike_groups_are() -> None:
    apart, alike = (sample(shared_model(w, 0.003, groups=4), pairs(4), ALIKE, 0, 50) for w in (0.0, 0.8))
    assert transfer_masses(apart)[0.0] + transfer_masses(apart)[0.06] > 0.8
    assert transfer_masses(alike)[0.0] + transfer_masses(alike)[0.06] < 0.05
    assert not apart.weights[0, 0].any()
    assert alike.weights[0, 1].mean() > 0.4


def test_a_prior_that_rules_strata_out_is_kept() -> None:
    own = np.where((STRATA[:, 0] == 0.0) & (STRATA[:, 2] == 0.0), 0.0, -np.inf)
    crossings = sample(shared_model(0.8), pairs(2), own, 0, 30)
    assert crossings.alone.all()
    assert crossings.masses[np.isneginf(own)].sum() == 0.0


def test_the_same_seed_gives_the_same_bytes_and_unknown_groups_are_not_moved() -> None:
    data = [*shared_model(0.5, groups=3)[:2], None]
    one, other = (sample(data, pairs(3), ALIKE, 7, 40) for _ in range(2))
    for name in ("stratum", "weights", "kappa", "conflict", "masses"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    assert one.alone[2].all()
    assert np.isinf(one.effective[2])


def test_intervals_of_the_weights_hold_the_truth_as_often_as_they_say() -> None:
    """Projects drawn from the model itself: 80 % intervals hold the truth in about 80 of 100."""
    mean, sd = centres(1)
    counts, inside = nested_and_smaller(HELD), []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        stratum = int(rng.choice(np.flatnonzero(STRATA[:, 0] > 0.0)))
        _, _, conflict, gain = STRATA[stratum]
        data, truth = [], []
        for g in range(2):
            x = mean[stratum] + sd[stratum] * rng.standard_normal(1 + OWN)
            blank = composition(counts, np.ones(len(counts)), g)
            power, misfit = (column[0] for column in columns(blank, x[None]))
            a, b = 1 - gain + LEVEL_SPREAD * rng.standard_normal(), gain * abs(1 + GAIN_SPREAD * rng.standard_normal())
            losses = a + b * power + conflict * abs(rng.standard_normal()) * misfit
            white, _ = blank.factors
            losses += np.linalg.solve(white[8], rng.standard_normal(len(counts)))
            data.append(composition(counts, losses, g))
            truth.append(float(weights_of(x[None])[0, 0]))
        log_prior = np.where(STRATA[:, 0] > 0.0, 0.0, -np.inf)
        crossings = sample(data, pairs(2), log_prior, seed, 200)
        for g, other in ((0, 1), (1, 0)):
            low, high = np.quantile(crossings.weights[g, other], (0.1, 0.9))
            inside.append(low <= truth[g] <= high)
    # Three standard errors of 120 chances.
    assert abs(np.mean(inside) - 0.8) < 3 * np.sqrt(0.8 * 0.2 / len(inside)), np.mean(inside)
