"""The collection game: worlds measure honestly, players spend within the rules, outcomes are paired."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.planner.borrowing.joint_fit import fit_together
from app.planner.curves.observations import AssumedCurve, Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.fitting.fit import fit
from app.planner.problem.problem import Problem
from app.planner.problem.sources import Source
from app.planner.simulation.game import GameResult, Player, Rules, judge, play, unknown
from app.planner.simulation.paired import Estimate, chance_better, difference, money_per_benefit, regret
from app.planner.simulation.worlds import CurveWorld, mixed_runs, nested_runs, posterior_world
from app.planner.utility.metric import Metric
from app.planner.utility.objective import Objective
from app.services.curves.prior import prior_for
from benchmarks.surrogate_worlds import POLYGENIC_KEYS, POLYGENIC_TRANSFER, polygenic_surrogate

START = np.array([30.0, 450.0, 30.0])


def rules(
    objective: Objective,
    keys: tuple[str, ...] = POLYGENIC_KEYS,
    prices: tuple[float, ...] = (2.0, 1.0, 1.5),
    rounds: int = 2,
    **changes: Any,
) -> Rules:
    prior = prior_for(1.0)
    problem = Problem(
        keys=keys,
        weights=np.ones(3),
        held=np.zeros(len(keys)),
        targets=np.full(3, np.nan),
        reference_loss=None,
        metric=Metric("maximize", 0.0, 1.0),
        objective=objective,
        sources=tuple(
            Source(key, ((g, 1.0),), int(price * 1e6)) for g, (key, price) in enumerate(zip(keys, prices, strict=True))
        ),
        budget=300_000_000,
        posterior=unknown(keys, 1.0, prior),
    )
    return Rules(problem, rounds, prior, draws=50, **changes)


def worlds(count: int) -> list[CurveWorld]:
    return [polygenic_surrogate(START, seed) for seed in range(count)]


def test_the_surrogate_is_the_stated_hyperbola() -> None:
    counts = np.array([100.0, 500.0, 40.0])
    top, half = np.array([0.96, 0.92, 0.90]), np.array([523.0, 402.0, 368.0])
    effective = counts + POLYGENIC_TRANSFER @ (counts / (1.0 + counts / 1500.0))
    expected = top * effective / (effective + half)
    world = polygenic_surrogate(START, 0)
    assert 1.0 - world.losses(counts[None])[0] == pytest.approx(expected, rel=1e-12)


def test_the_luck_is_the_same_whatever_was_bought() -> None:
    world = polygenic_surrogate(START, 5)
    small, large = np.array([[100.0, 450.0, 50.0]]), np.array([[300.0, 450.0, 90.0]])
    luck = [world.measure(runs, 1).losses - world.losses(runs) for runs in (small, large)]
    assert luck[0] == pytest.approx(luck[1], abs=1e-12)
    assert not np.allclose(world.measure(small, 2).losses, world.measure(small, 1).losses)


def test_errors_are_shared_by_the_holdout_and_each_runs_own() -> None:
    runs = np.tile(START, (400, 1))
    errors = np.array([polygenic_surrogate(START, seed).measure(runs, 0).losses for seed in range(200)])
    errors = errors - polygenic_surrogate(START, 0).losses(runs[:1])
    assert errors.mean(axis=1).std(axis=0) == pytest.approx(np.full(3, 0.03), rel=0.2)
    assert errors.std(axis=1).mean(axis=0) == pytest.approx(np.full(3, 0.01), rel=0.05)


@pytest.mark.parametrize("player", ["oracle", "optimal", "equal", "water_filling"])
def test_money_is_spent_within_the_budget_and_bought_counts_follow_from_it(player: Player) -> None:
    outcome = play(worlds(2), rules(Objective("utilitarian")), player, 0)
    bought = outcome.counts[:, -1] - outcome.counts[:, 0]
    assert outcome.spent.tolist() == (bought @ np.array([2_000_000, 1_000_000, 1_500_000])).astype(int).tolist()
    assert np.all(outcome.spent <= 300_000_000)
    # A policy of equal counts may leave up to a sample of each group, 4.5, in each of the two rounds.
    assert np.all(outcome.spent > 291_000_000)
    assert np.all(np.diff(outcome.counts, axis=1) >= 0.0)


def test_the_same_seed_plays_the_same_game() -> None:
    one, two = (play(worlds(2), rules(Objective("isoelastic", aversion=1.0)), "optimal", 7) for _ in range(2))
    assert one.counts.tobytes() == two.counts.tobytes()
    assert one.utility.tobytes() == two.utility.tobytes()


def test_a_world_plays_alike_alone_and_beside_others() -> None:
    alone = play(worlds(1), rules(Objective("maximin")), "optimal", 0)
    beside = play(worlds(3), rules(Objective("maximin")), "optimal", 0)
    assert alone.counts[0].tolist() == beside.counts[0].tolist()


@pytest.mark.parametrize("objective", [Objective("utilitarian"), Objective("isoelastic", aversion=1.0)])
def test_the_oracle_is_beaten_by_no_one(objective: Objective) -> None:
    game = rules(objective, rounds=1)
    oracle = play(worlds(1), game, "oracle", 0)
    for player in ("equal", "proportional", "equal_spend", "optimal"):
        assert play(worlds(1), game, player, 0).final[0] <= oracle.final[0] + 1e-9


def test_transfer_is_played_where_the_rules_say_so() -> None:
    outcome = play(worlds(1), rules(Objective("utilitarian"), together=True), "optimal", 0)
    # A policy of equal counts may leave up to a sample of each group, 4.5, in each of the two rounds.
    assert np.all(outcome.spent > 291_000_000)


def test_least_squares_buy_the_best_where_curves_are_plain_power_laws() -> None:
    """Without noise the fitted laws are the true ones, and what is bought is what the best marginal gains ask for."""
    truth = Posterior.joined([stated("A", 2.0, 0.3), stated("B", 3.0, 0.5), stated("C", 1.5, 0.2)], np.arange(3))
    world = CurveWorld(truth, np.array([200.0, 200.0, 200.0]), np.zeros(3), np.zeros(3), 0)
    held = rules(Objective("utilitarian"), keys=("A", "B", "C"), rounds=1, least_squares=True)
    [found] = play([world], held, "greedy", 1).counts[:, -1]
    splits = np.array([(a, b) for a in range(151) for b in range(301 - 2 * a)])
    tried = 200.0 + np.column_stack([splits, np.floor((300 - splits @ [2, 1]) / 1.5)])
    best = world.losses(tried).sum(axis=1).min()
    now = world.losses(found[None]).sum()
    assert now - best <= 0.01 * (world.losses(world.start[None]).sum() - best)


def stated(key: str, scale: float, exponent: float) -> Posterior:
    nothing = Points(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    curve = AssumedCurve(0.0, scale, exponent, 0.0)
    return fit(Observations((key,), (nothing,), (curve,), np.array([200.0]), 1.0), prior_for(1.0), 0, 1)


def test_the_oracle_needs_a_world_that_knows_its_curves() -> None:
    class Hidden(CurveWorld):
        @property
        def truth(self) -> None:  # type: ignore[override]  # a world that hides what a CurveWorld shows
            return None

    shown = polygenic_surrogate(START, 0)
    hidden = object.__new__(Hidden)
    for name in ("start", "shared", "noise", "seed"):
        object.__setattr__(hidden, name, getattr(shown, name))
    with pytest.raises(ValueError, match="oracle needs worlds"):
        play([hidden], rules(Objective("utilitarian")), "oracle", 0)


def test_a_draw_of_a_posterior_makes_a_world_of_its_own() -> None:
    truth = polygenic_surrogate(START, 0).truth
    twice = replace(truth, transfer=None).mapped(lambda values: np.repeat(values, 2, axis=1))
    wide = replace(twice, asymptote=truth.asymptote + np.array([0.0, 0.01]))
    first, second = (posterior_world(wide, draw, START, np.zeros(3), 0) for draw in (0, 1))
    runs = START[None]
    assert second.losses(runs) - first.losses(runs) == pytest.approx(np.full((1, 3), 0.01))
    assert wide.draw(1).draws == 1


def test_mixed_runs_hold_each_group_smaller_alone() -> None:
    runs = mixed_runs(np.array([40.0, 9.0, 0.0]), (0.5, 1.0, 0.25))
    assert runs.tolist() == [
        [10, 9, 0], [40, 2, 0], [20, 9, 0], [40, 4, 0],
        [10, 2, 0], [20, 4, 0], [40, 9, 0],
    ]  # fmt: skip


def test_mixed_runs_tell_who_helps_whom() -> None:
    """In nested runs all groups shrink together, and a pair's weight cannot be told from the own exponent."""
    start = np.array([100.0, 100.0, 100.0])
    world = replace(polygenic_surrogate(start, 0), shared=np.full(3, 1e-4), noise=np.full(3, 1e-3))
    more = np.array([[100.0, 400.0, 100.0], [100.0, 100.0, 400.0], [400.0, 100.0, 100.0]])
    error = {}
    for design in (nested_runs, mixed_runs):
        runs = design(start, (0.25, 0.5, 1.0))
        scored = world.measure(runs, 0)
        points = tuple(
            Points(runs[:, g], scored.losses[:, g], scored.stderrs[:, g], np.zeros(len(runs), dtype=np.int64))
            for g in range(3)
        )
        every = np.arange(len(runs))
        seen = Observations(POLYGENIC_KEYS, points, (None,) * 3, start, 1.0, runs, (every,) * 3, joint=True)
        posterior = fit_together(seen, prior_for(1.0), 0, 200)
        guessed = np.array([posterior.moved(counts).loss(counts).mean(axis=1) for counts in more])
        error[design] = np.abs(guessed - world.losses(more))[~np.eye(3, dtype=np.bool_)[[1, 2, 0]]].mean()
    assert error[mixed_runs] < 0.7 * error[nested_runs]


def test_nested_runs_grow_to_what_is_held() -> None:
    runs = nested_runs(np.array([31.0, 450.0]), (1.0, 0.25, 0.5))
    assert runs.tolist() == [[7.0, 112.0], [15.0, 225.0], [31.0, 450.0]]


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (Objective("utilitarian"), 0.6),
        (Objective("maximin"), 0.5),
        (Objective("isoelastic", aversion=1.0), (2 * np.log(0.5) + np.log(0.8)) / 3),
    ],
)
def test_true_losses_are_judged_by_the_objective(objective: Objective, expected: float) -> None:
    utility, worst, benefit = judge(rules(objective), np.array([[[0.5, 0.2, 0.5]]]))
    assert utility[0, 0] == pytest.approx(expected)
    assert (worst[0, 0], benefit[0, 0]) == (pytest.approx(0.5), pytest.approx(0.6))


def outcome(final: list[float], start: float = 0.0) -> GameResult:
    utility = np.array([[start, value] for value in final])
    return GameResult("equal", np.zeros((len(final), 2, 1)), utility, utility, utility, np.full(len(final), 1_000_000))


def test_players_are_compared_world_by_world() -> None:
    one, other = outcome([0.5, 0.7, 0.9]), outcome([0.4, 0.7, 0.6])
    gap = difference(one, other)
    assert gap.mean == pytest.approx(0.4 / 3)
    assert gap.se == pytest.approx(np.std([0.1, 0.0, 0.3], ddof=1) / np.sqrt(3))
    assert chance_better(one, other) == pytest.approx(2.5 / 3)
    assert regret(other, one) == pytest.approx(0.4 / 2.1)
    assert money_per_benefit(one) == pytest.approx(3_000_000 / 2.1)
    assert np.isnan(Estimate.of(np.array([1.0])).se)


def test_groups_that_lend_each_other_shapes_buy_nearer_to_what_the_oracle_would() -> None:
    """At equal costs and starts the oracle nearly splits equally; what leads away from it are errors."""
    even = [polygenic_surrogate(np.full(3, 100.0), seed) for seed in range(10)]
    question = rules(Objective("utilitarian"), prices=(1.0, 1.0, 1.0), rounds=6)
    oracle, alone = (play(even, question, player, 0) for player in ("oracle", "optimal"))
    pooled = play(even, replace(question, pooled=True), "optimal", 0)
    assert regret(pooled, oracle) < 0.5 * regret(alone, oracle)
