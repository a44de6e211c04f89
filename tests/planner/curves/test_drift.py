"""Drift of the test over runs, told from sizes, noise and luck that runs share."""

from collections.abc import Callable

import numpy as np
import pytest

from app.planner.arrays import FloatArray
from app.planner.curves.drift import drifts
from app.planner.curves.observations import Observations, Points

WORLDS = 200

Sizes = Callable[[np.random.Generator], FloatArray]


def nested(_: np.random.Generator) -> FloatArray:
    return 50.0 * 2.0 ** np.arange(8)


def rounds(rng: np.random.Generator) -> FloatArray:
    """Three nested runs a round, of ever more."""
    held = 400.0 * np.cumprod(rng.uniform(1.2, 1.8, 5))
    return np.asarray((held[:, None] * [0.25, 0.5, 1.0]).ravel())


def backwards(rng: np.random.Generator) -> FloatArray:
    """Three nested runs a round, the largest first."""
    return rounds(rng).reshape(-1, 3)[:, ::-1].ravel()


def again(_: np.random.Generator) -> FloatArray:
    return np.tile([100.0, 200.0, 400.0, 800.0], 3)


def alike(_: np.random.Generator) -> FloatArray:
    return np.full(10, 400.0)


def anyhow(rng: np.random.Generator) -> FloatArray:
    return np.asarray(20.0 * 2.0 ** rng.permutation(12))


def growing(_: np.random.Generator) -> FloatArray:
    return 200.0 * 1.3 ** np.arange(10)


def world(
    seed: int, sizes: Sizes, drift: float = 0.0, noise: float = 0.02, shared: float = 0.0, alone: bool = False
) -> Observations:
    """One to twenty power laws; errors of training by run and group and, half as large, common to a run's groups;
    shared: as much again common to three runs in turn. drift: of the loss, from run to run; alone: of one group."""
    rng = np.random.default_rng(seed)
    groups = 6 if drift else int(rng.choice([1, 2, 6, 20]))
    order = sizes(rng)
    floor, power = rng.uniform(0, 0.2, groups), rng.uniform(0.2, 1.0, groups)
    height = rng.uniform(0.3, 0.6, groups) - floor
    # Groups grow each in its own way, or all alike.
    counts = np.round(order[:, None] * np.exp(rng.uniform(-0.5, 0.5, (len(order) if seed % 2 else 1, groups))))
    luck = rng.standard_normal(counts.shape) + 0.5 * rng.standard_normal((len(order), 1))
    luck += shared * np.repeat(rng.standard_normal((len(order) // 3 + 1, groups)), 3, axis=0)[: len(order)]
    losses = (floor + height * (counts / 50.0) ** -power) * (1.0 + noise * luck) + 0.01 * rng.standard_normal(groups)
    losses += drift * np.arange(len(order))[:, None] * (np.arange(groups) == 0 if alone else 1.0)
    return observed(counts, losses)


def observed(counts: FloatArray, losses: FloatArray, holdouts: FloatArray | None = None) -> Observations:
    runs, groups = counts.shape
    of = np.zeros(runs, dtype=np.int64) if holdouts is None else holdouts.astype(np.int64)
    points = tuple(Points(counts[:, g], losses[:, g], np.full(runs, np.nan), of) for g in range(groups))
    keys = tuple(f"g{g}" for g in range(groups))
    run_of = (np.arange(runs),) * groups
    return Observations(keys, points, (None,) * groups, counts.max(axis=0), None, counts, run_of)


def named(sizes: Sizes, **how: float) -> float:
    """The share of worlds said to drift."""
    found = []
    for seed in range(WORLDS):
        observations = world(seed, sizes, **how)  # type: ignore[arg-type]
        found.append(bool(drifts(observations, np.arange(len(observations.points[0].counts)))))
    return float(np.mean(found))


@pytest.mark.parametrize("sizes", [nested, rounds, backwards, again, alike, anyhow, growing])
@pytest.mark.parametrize(("noise", "shared"), [(0.001, 0.0), (0.02, 0.0), (0.05, 0.0), (0.05, 0.5)])
def test_runs_without_drift_are_seldom_said_to_drift(sizes: Sizes, noise: float, shared: float) -> None:
    assert named(sizes, noise=noise, shared=shared) <= 0.01


@pytest.mark.parametrize("drift", [0.015, -0.015])
@pytest.mark.parametrize("sizes", [rounds, backwards, again, alike])
def test_most_drifts_are_named(sizes: Sizes, drift: float) -> None:
    assert named(sizes, drift=drift) >= 0.9


def test_where_size_and_order_are_one_nothing_is_said() -> None:
    assert named(nested, drift=0.015) == 0.0


def test_one_group_alone_is_no_drift_of_the_test() -> None:
    assert named(rounds, drift=0.015, alone=True) <= 0.02


def test_what_other_groups_samples_bring_is_no_drift() -> None:
    found = []
    for seed in range(WORLDS):
        rng = np.random.default_rng(seed)
        # Only one group is bought; its samples help the three whose own stay as they are.
        counts = np.full((10, 4), 400.0)
        counts[:, 0] *= 1.4 ** np.arange(10)
        helped = counts + 0.3 * counts[:, :1]
        losses = 2.0 * (helped / 100.0) ** -0.5 * (1.0 + 0.01 * rng.standard_normal(counts.shape))
        found.append(bool(said(observed(counts, losses))))
    assert np.mean(found) <= 0.02


def said(observations: Observations, order: FloatArray | None = None) -> list[str]:
    runs = len(observations.points[0].counts)
    found = drifts(observations, np.arange(runs) if order is None else order.astype(np.int64))
    return [one.detail for one in found]


def test_the_drift_is_told_with_its_size_and_direction() -> None:
    counts = np.tile(np.array([100.0, 200.0, 400.0])[:, None], (4, 2))
    curve = 2.0 * (counts / 100.0) ** -0.5
    rng = np.random.default_rng(0)
    noise = 1.0 + 0.002 * rng.standard_normal(counts.shape)
    steps = np.linspace(0.0, 0.3, 12)[:, None]
    [detail] = said(observed(counts, curve * noise + steps * curve.mean()))
    assert "12 runs" in detail
    # 30 % of the curves' mean, over the mean of what was measured: .3 / (1 + .15).
    assert "rose together by 26 %" in detail
    [detail] = said(observed(counts, curve * noise + steps[::-1]))
    assert "fell together" in detail
    # It is the order in time that counts, not that of the rows.
    shuffled = rng.permutation(12)
    [detail] = said(observed(counts[shuffled], (curve * noise + steps)[shuffled]), shuffled)
    assert "rose together" in detail
    assert said(observed(counts, curve * noise)) == []


def test_what_changes_from_holdout_to_holdout_is_no_drift() -> None:
    counts = np.tile(np.array([100.0, 200.0, 400.0])[:, None], (4, 2))
    rng = np.random.default_rng(1)
    steps = np.repeat([0.0, 0.1, 0.2, 0.3], 3)
    losses = 2.0 * (counts / 100.0) ** -0.5 * (1.0 + 0.01 * rng.standard_normal(counts.shape)) + steps[:, None]
    assert said(observed(counts, losses)) != []
    assert said(observed(counts, losses, holdouts=np.repeat(np.arange(4.0), 3))) == []
    assert said(observed(counts, losses, holdouts=np.arange(12.0))) == []


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_losses_that_stay_do_not_drift(value: float) -> None:
    assert said(observed(np.full((9, 2), 100.0), np.full((9, 2), value))) == []


def test_few_or_unknown_runs_say_nothing() -> None:
    observations = world(0, again)
    for number in range(1, 5):
        part = observed(np.full((number, 1), 10.0), np.arange(number)[:, None] * 1.0)
        assert said(part) == []
    unknown = observations.select(np.arange(1))
    assert drifts(unknown, np.arange(12)) == []


def test_a_gap_in_a_group_and_the_unit_of_the_metric_change_nothing() -> None:
    observations = world(4, rounds, drift=0.015)
    assert said(observations)
    points = list(observations.points)
    points[0] = Points(*(values[3:] for values in vars(points[0]).values()))
    points[1] = Points(*(values[:0] for values in vars(points[1]).values()))
    assert observations.run_of is not None
    run_of = (observations.run_of[0][3:], observations.run_of[1][:0], *observations.run_of[2:])
    gaps = Observations(
        observations.keys, tuple(points), observations.assumed, observations.held, None, observations.runs, run_of
    )
    assert said(gaps)
    scaled = observed(
        np.stack([one.counts for one in observations.points], axis=1),
        1e90 * np.stack([one.losses for one in observations.points], axis=1),
    )
    assert said(scaled) == said(observations)
