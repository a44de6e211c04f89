"""Pooling: a rare group leans on the others where they are alike, and nothing changes where they are not."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.borrowing import pooling
from app.planner.borrowing.joint_fit import fit_together
from app.planner.borrowing.pooling import _leaning, _ratio, _said, pool
from app.planner.borrowing.shape_tables import at, plain, told_at
from app.planner.curves.observations import Observations, Points
from app.planner.curves.posterior import DRAWN, Posterior
from app.planner.curves.prior import Prior
from app.planner.fitting.fit import fit
from app.services.curves.prior import prior_for

ARRAYS = (*DRAWN, "reference")


def project(seed: int, alike: bool, **more: object) -> tuple[Observations, float]:
    """A group g0 with three points of 8 % noise, five well-measured ones, and g0's true loss at 8 times its data."""
    rng = np.random.default_rng(seed)
    common = rng.uniform(0.3, 0.9), rng.uniform(0.05, 0.2)
    points, losses = [], []
    for g in range(6):
        c = common[0] * np.exp(rng.normal(0, 0.1)) if alike else rng.uniform(0.1, 1.5)
        a = common[1] * np.exp(rng.normal(0, 0.2)) if alike else rng.uniform(0, 0.4)
        b = rng.uniform(0.8, 1.4)
        n = np.array([20.0, 35.0, 60.0]) if g == 0 else np.round(np.geomspace(25, 3200, 8))
        y = (a + b * n**-c) * np.exp(rng.normal(0, 0.08 if g == 0 else 0.02, len(n)))
        points.append(Points(n, y, np.full(len(n), 0.005), np.arange(len(n))))
        losses.append(a + b * 480.0**-c)
    keys = tuple(f"g{g}" for g in range(6))
    held = np.array([one.counts.max() for one in points])
    return Observations(keys, tuple(points), (None,) * 6, held, 1.0, **more), losses[0]


def changed(one: Posterior, other: Posterior) -> list[int]:
    return [
        g for g in range(len(one.keys))
        if any(getattr(one, name)[g].tobytes() != getattr(other, name)[g].tobytes() for name in ARRAYS)
    ]  # fmt: skip


def test_a_rare_group_gains_from_groups_like_it() -> None:
    errors = []
    for seed in range(20):
        observations, truth = project(seed, alike=True)
        pair = [f(observations, Prior(), 0, 150) for f in (fit_together, fit)]
        errors.append([abs(np.log(p.loss(np.full(6, 480.0))[0].mean() / truth)) for p in pair])
    pooled, alone = np.mean(errors, axis=0)
    assert pooled < 0.8 * alone, (pooled, alone)


def test_unlike_groups_are_left_as_they_are_nearly_always() -> None:
    unchanged = 0
    for seed in range(20):
        observations, _ = project(seed, alike=False)
        unchanged += not changed(*(f(observations, Prior(), 0, 50) for f in (fit_together, fit)))
    assert unchanged >= 18


def on_the_same_models(seed: int, alike: bool) -> tuple[Observations, float]:
    """Four groups of five sizes and a rare one, the last, scored on the same models; its true loss at 5,000."""
    rng = np.random.default_rng(seed)
    exponents = rng.normal(0.4, 0.05, 5).clip(0.1) if alike else rng.uniform(0.1, 1.2, 5)
    scales = 1.2 * np.exp(rng.normal(0, 0.25, 5))
    points, runs = [], np.full((5, 5), 200.0)
    for g, (a, c) in enumerate(zip(scales, exponents, strict=True)):
        n = np.array([50.0, 100.0, 200.0] if g == 4 else [200.0, 400.0, 800.0, 1600.0, 3200.0])
        noise = 0.15 if g == 4 else 0.03
        losses = np.minimum(0.99, a * n**-c * np.exp(rng.normal(0, noise, len(n))))
        points.append(Points(n, losses, noise * losses, np.arange(len(n))))
        runs[: len(n), g] = n
    run_of = tuple(np.arange(len(one.counts)) for one in points)
    held = np.array([one.counts.max() for one in points])
    keys = tuple("abcde")
    observations = Observations(keys, tuple(points), (None,) * 5, held, 1.0, runs=runs, run_of=run_of)
    return observations, float(scales[4] * 5000.0 ** -exponents[4])


@pytest.mark.parametrize("alike", [True, False])
def test_a_rare_group_leans_on_those_that_the_same_models_were_scored_on(alike: bool) -> None:
    errors = []
    for seed in range(12):
        observations, truth = on_the_same_models(seed, alike)
        alone = fit(observations, prior_for(1.0), 0, 100)
        both = alone, pool(observations, alone, prior_for(1.0), 0, range(5))
        errors.append([abs(np.log(np.median(one.loss(np.full(5, 5000.0))[4]) / truth)) for one in both])
    own, leaning = np.mean(errors, axis=0)
    change = np.diff(errors, axis=1)[:, 0]
    assert change.mean() <= change.std(ddof=1) / np.sqrt(len(change))
    if alike:
        assert leaning <= 0.35 < own


def test_a_group_without_a_run_of_its_own_leans_on_nobody_that_was_scored_beside_it() -> None:
    observations, _ = on_the_same_models(0, alike=True)
    none = np.zeros(0)
    points = (*observations.points[:3], Points(none, none, none, none.astype(np.int64)), observations.points[4])
    assert observations.run_of is not None
    run_of = (*observations.run_of[:3], none.astype(np.int64), observations.run_of[4])
    observations = replace(observations, points=points, run_of=run_of)
    alone = fit(observations, prior_for(1.0), 0, 50)
    moved = changed(pool(observations, alone, prior_for(1.0), 0, range(5)), alone)
    assert 4 in moved
    assert 3 not in moved


def test_in_large_projects_a_rare_group_needs_clear_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """To hold every group's runs against every other's would take the square of their number."""
    observations, _ = on_the_same_models(0, alike=True)
    alone = fit(observations, prior_for(1.0), 0, 50)
    assert 4 in changed(pool(observations, alone, prior_for(1.0), 0, range(5)), alone)
    monkeypatch.setattr(pooling, "MOST_ALIKE", 4)
    assert changed(pool(observations, alone, prior_for(1.0), 0, range(5)), alone) == []


def test_only_groups_of_few_points_borrow_and_are_told_so() -> None:
    observations, _ = project(1, alike=True)
    together, alone = fit_together(observations, Prior(), 0, 150), fit(observations, Prior(), 0, 150)
    assert changed(together, alone) == [0]
    assert [w.group for w in together.warnings if w.code == "pooled_prior"] == ["g0"]


def test_groups_not_fitted_alone_keep_their_rows() -> None:
    observations, _ = project(1, alike=True)
    alone = fit(observations, Prior(), 0, 150)
    assert pool(observations, alone, Prior(), 0, [1, 2, 3, 4, 5]) is alone


def test_the_evidence_ratio_is_that_of_the_marginal_likelihoods() -> None:
    """By importance: under the leaning prior the posterior is the plain one's draws weighted by the priors' ratio."""
    observations, _ = project(2, alike=True)
    prior, strength = Prior(), 5.0
    posterior = fit(observations, prior, 0, 4000)
    said = _said(observations, posterior, prior, 0, range(6), observations.differences(np.array([0]))[0])
    leaning = fit(observations, _leaning(prior, said, strength), 0, 4000)
    ratio = 1.0 / (1.0 + strength * said / plain(prior))
    c, delta, rho = told_at(leaning, np.array([0]), leaning.reference[0], 4000)
    back = at(prior, ratio, c, delta, rho).mean() * (1.0 + strength)
    forth = (1.0 + strength * _ratio(posterior, prior, 0, said)) / (1.0 + strength)
    assert back * forth == pytest.approx(1.0, abs=0.1)


def test_what_others_say_is_told_at_the_receivers_size() -> None:
    counts = np.geomspace(25, 3200, 8)
    exact = Points(counts, 0.1 + counts**-0.5, np.zeros(8), np.arange(8))
    rare = Points(counts[:3], exact.losses[:3], np.zeros(3), np.arange(3))
    observations = Observations(("rare", "rich"), (rare, exact), (None, None), np.full(2, 3200.0), 1.0)
    prior = Prior()
    said = _said(observations, fit(observations, prior, 0, 300), prior, 0, [1], np.zeros(2, dtype=np.int64))
    assert said.sum() == pytest.approx(1.0)
    floor = said.sum(axis=(0, 1)) @ np.array(prior.floors)
    assert floor == pytest.approx(0.1 / (0.1 + 100**-0.5), abs=0.1)
    assert plain(prior).sum() == pytest.approx(1.0)


def test_a_parent_counts_as_much_as_all_the_others() -> None:
    observations, _ = project(3, alike=False, parent=(4, None, None, None, None, None))
    posterior, prior = fit(observations, Prior(), 0, 300), Prior()

    def said(known: list[int]) -> np.ndarray:
        return _said(observations, posterior, prior, 0, known, observations.differences(np.array([0]))[0])

    np.testing.assert_allclose(said([1, 2, 3, 4, 5]), (said([4]) + said([1, 2, 3, 5])) / 2, atol=1e-12)


def scored_together(seed: int, exponents: list[float], largest: list[float], noise: float = 0.02) -> Observations:
    """Groups whose curves differ in level and exponent, measured by the same six models on a holdout each."""
    rng = np.random.default_rng(seed)
    n = np.array(largest) * np.geomspace(1 / 32, 1, 6)[:, None]
    levels = rng.uniform(0.8, 1.2, len(exponents))
    losses = (0.1 + 0.6 * levels * ((n + 40) / 140.0) ** -np.array(exponents)) * np.exp(rng.normal(0, noise, n.shape))
    one = np.zeros(6, dtype=np.int64)
    return Observations(
        tuple(f"g{g}" for g in range(len(exponents))),
        tuple(Points(n[:, g], losses[:, g], np.full(6, 0.02), one) for g in range(len(exponents))),
        (None,) * len(exponents),
        n[-1],
        1.0,
        runs=n,
        run_of=(np.arange(6),) * len(exponents),
    )


def test_groups_scored_on_the_same_models_lend_each_other_their_slopes() -> None:
    prior, spread = prior_for(1.0), []
    for seed in range(30):
        observations = scored_together(seed, [0.6] * 3, [300.0] * 3)
        alone = fit(observations, prior, 0, 200)
        for posterior in (alone, pool(observations, alone, prior, 0, range(3))):
            f, slope = posterior.loss_and_slope(np.full(3, 400.0))
            spread.append(np.log(-slope.mean(axis=1) / (f.mean(axis=1) - 0.1)).std())
    alone_, pooled_ = np.reshape(spread, (30, 2)).mean(axis=0)
    assert pooled_ < 0.75 * alone_, (pooled_, alone_)


@pytest.mark.parametrize("why", ["alike", "unlike", "never together", "other sizes", "many groups"])
def test_who_has_a_shape_of_its_own_borrows_from_none_but_its_like(why: str) -> None:
    exponents = [0.15, 3.5] if why == "unlike" else [0.6] * (51 if why == "many groups" else 3)
    largest = [100.0, 400.0, 1600.0] if why == "other sizes" else [300.0] * len(exponents)
    observations = scored_together(4, exponents, largest, 1e-4 if why == "unlike" else 0.02)
    if why == "never together":
        observations = replace(
            observations, run_of=tuple(np.arange(6) + 6 * g for g in range(3)), runs=np.tile(observations.runs, (3, 1))
        )
    prior = prior_for(1.0)
    alone = fit(observations, prior, 0, 100)
    pooled = pool(observations, alone, prior, 0, range(len(exponents)))
    assert (pooled is alone) == (why != "alike")


def test_pooled_shapes_do_not_depend_on_the_order_of_the_groups() -> None:
    observations, order = scored_together(0, [0.5, 0.6, 0.7], [300.0, 280.0, 250.0]), np.array([2, 0, 1])
    one = fit_together(observations, prior_for(1.0), 3, 100)
    other = fit_together(observations.permuted(order), prior_for(1.0), 3, 100)
    assert changed(one, fit(observations, prior_for(1.0), 3, 100)) == [0, 1, 2]
    for name in ARRAYS:
        assert getattr(one, name)[order].tobytes() == getattr(other, name).tobytes()
