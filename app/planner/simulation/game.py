"""The collection game: a policy collects round after round in a world, and its results are compared (simulations.md).

All worlds of a game are played in step, so that their curves are fitted together. W worlds, k groups, R rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.borrowing.joint_fit import fit_together
from app.planner.borrowing.pooling import pool
from app.planner.curves.observations import AssumedCurve, Observations, Points
from app.planner.curves.posterior import Posterior
from app.planner.curves.prior import Prior
from app.planner.fitting.fit import fit
from app.planner.plan.decide import choose
from app.planner.policies.policy import PolicyName
from app.planner.policies.slice_tuner import LEAST_EXPONENT, fit_power_laws
from app.planner.policies.table import POLICIES
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.relaxation.compromise import parties_of
from app.planner.simulation.worlds import Measured, World, mixed_runs, nested_runs
from app.planner.utility.kinds import phi
from app.planner.utility.utility import Utility

Player = PolicyName | Literal["oracle"]
"""A policy, or `optimal` on the true curves of worlds that know them."""


@dataclass(frozen=True)
class Rules:
    """What a game is about.

    problem: what is asked in every round, `unplayed`: counts and curves are the worlds' to say, and its budget is for
    all rounds. least_squares: curves are plain power laws b n^(−a) through the points, as point estimates, as Cai et
    al. 2022 and Tae and Whang 2021 fit them, and not posteriors.
    sizes: shares of what is held at which every round trains, nested; mixed: and also with one group at a time so small
    and the others whole. pooled: the groups of a world lend each other the shapes of their curves; together: and their
    data (`fit_together`). population [k]: what `proportional` buys by, where that is not the utility's weights.
    """

    problem: Problem
    rounds: int
    prior: Prior
    sizes: tuple[float, ...] = (0.25, 0.5, 1.0)
    draws: int = 300
    pooled: bool = False
    together: bool = False
    least_squares: bool = False
    mixed: bool = False
    population: FloatArray | None = None


def unplayed(problem: Problem, prior: Prior) -> Problem:
    """The problem without counts, and with curves that say nothing, for players that ask them nothing."""
    curves = unknown(problem.keys, problem.metric.span, prior)
    none = np.zeros(len(problem.keys))
    return replace(problem, held=none, raw=None, pending=None, pending_raw=None, posterior=curves)


def unknown(keys: tuple[str, ...], span: float | None, prior: Prior) -> Posterior:
    """Curves that say nothing, in one draw."""
    groups = len(keys)
    nothing = Points(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    flat = (AssumedCurve(0.0, 0.0, 1.0, 0.0),) * groups
    return fit(Observations(keys, (nothing,) * groups, flat, np.zeros(groups), span), prior, 0, 1)


@dataclass(frozen=True)
class GameResult:
    """How a player fared: counts [W, R + 1, k] and spent [W], millionths.

    utility, worst, benefit [W, R + 1]: U, the worst counted group's benefit and the weighted mean benefit, all of the
    true losses.
    """

    player: Player
    counts: FloatArray
    utility: FloatArray
    worst: FloatArray
    benefit: FloatArray
    spent: IntArray

    @property
    def final(self) -> FloatArray:
        """Utility [W] at the end."""
        return np.asarray(self.utility[:, -1])


@dataclass
class _Seat:
    """One world of a game under way."""

    world: World
    held: FloatArray
    left: int
    ordered: IntArray
    runs: list[FloatArray]
    scores: list[Measured]


def play(worlds: Sequence[World], rules: Rules, player: Player, seed: int, first: int = 0) -> GameResult:
    """The game of `player` in every world; the same arguments give the same bytes.

    seed: of posterior draws and of `thompson`. first: number of the first world, whose draws depend on its number.
    Raises ValueError where the oracle meets a world that hides its curves.
    """
    budget, none = rules.problem.budget, np.zeros(len(rules.problem.sources), dtype=np.int64)
    seats = [_Seat(world, world.start.copy(), budget, none.copy(), [], []) for world in worlds]
    path = [[seat.held.copy() for seat in seats]]
    for number in range(rules.rounds):
        for seat, posterior in zip(seats, _posteriors(seats, rules, player, seed, number, first), strict=True):
            _buy(seat, rules, player, posterior, rules.rounds - number, seed + number)
        path.append([seat.held.copy() for seat in seats])
    counts = np.array(path).swapaxes(0, 1)
    return _judged(worlds, rules, player, counts, np.array([budget - seat.left for seat in seats]))


def _posteriors(
    seats: list[_Seat], rules: Rules, player: Player, seed: int, number: int, first: int
) -> list[Posterior]:
    """What the player believes of each world's curves before it buys. Raises ValueError where the oracle's truth is
    unknown."""
    if player == "oracle":
        known = [seat.world.truth for seat in seats]
        if any(truth is None for truth in known):
            raise ValueError("the oracle needs worlds that know their true curves")
        return [truth.moved(seat.held) for truth, seat in zip(known, seats, strict=True) if truth is not None]
    if not POLICIES[player].needs_curves:
        return [rules.problem.posterior] * len(seats)
    for seat in seats:
        runs = (mixed_runs if rules.mixed else nested_runs)(seat.held, rules.sizes)
        seat.runs.append(runs)
        seat.scores.append(seat.world.measure(runs, number))
    if rules.together:
        return [fit_together(_observed(seat, rules, ""), rules.prior, seed, rules.draws) for seat in seats]
    return _fitted_in_step(seats, rules, seed, first)


def _observed(seat: _Seat, rules: Rules, name: str) -> Observations:
    """All that was measured in a world; its groups' keys begin with `name`."""
    runs, losses = np.concatenate(seat.runs), np.concatenate([one.losses for one in seat.scores])
    stderrs = np.concatenate([one.stderrs for one in seat.scores])
    holdouts = np.concatenate([np.full(len(one.losses), one.holdout) for one in seat.scores])
    every, keys = np.arange(len(runs)), rules.problem.keys
    return Observations(
        keys=tuple(name + key for key in keys),
        points=tuple(
            Points(runs[:, g], losses[:, g], stderrs[:, g], holdouts.astype(np.int64)) for g in range(len(keys))
        ),
        assumed=(None,) * len(keys),
        held=seat.held,
        span=rules.problem.metric.span,
        runs=runs,
        run_of=(every,) * len(keys),
        joint=rules.together,
    )


def _fitted_in_step(seats: list[_Seat], rules: Rules, seed: int, first: int) -> list[Posterior]:
    """Own-count curves of all worlds in one fit; what groups lend each other, world by world."""
    parts = [_observed(seat, rules, f"{at}:") for at, seat in enumerate(seats, first)]
    if rules.least_squares:
        parts = [_as_power_laws(part) for part in parts]
    whole = Observations(
        keys=tuple(key for part in parts for key in part.keys),
        points=tuple(points for part in parts for points in part.points),
        assumed=tuple(curve for part in parts for curve in part.assumed),
        held=np.concatenate([part.held for part in parts]),
        span=rules.problem.metric.span,
    )
    posterior = replace(fit(whole, rules.prior, seed, rules.draws), warnings=())
    groups = len(rules.problem.keys)
    mine = [posterior.select(at * groups + np.arange(groups)) for at in range(len(seats))]
    if rules.pooled:
        mine = [pool(part, one, rules.prior, seed, range(groups)) for part, one in zip(parts, mine, strict=True)]
    return [replace(one, keys=rules.problem.keys) for one in mine]


def _as_power_laws(seen: Observations) -> Observations:
    """The same groups with nothing but plain power laws through their points."""
    sizes = np.maximum(np.array([points.counts for points in seen.points]), 1.0)
    laws = fit_power_laws(sizes, np.array([points.losses for points in seen.points]))
    nothing = Points(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    curves = tuple(
        AssumedCurve(0.0, scale, max(exponent, LEAST_EXPONENT), 0.0)
        for scale, exponent in zip(laws.b.tolist(), laws.a.tolist(), strict=True)
    )
    return replace(seen, points=(nothing,) * len(curves), assumed=curves, runs=None, run_of=None)


def _buy(seat: _Seat, rules: Rules, player: Player, posterior: Posterior, rounds: int, seed: int) -> None:
    """One round's purchase; what is ordered arrives as the sources' rates say."""
    asked = rules.problem
    sources = tuple(
        replace(source, ordered=source.ordered + int(more))
        for source, more in zip(asked.sources, seat.ordered, strict=True)
    )
    weights = asked.weights if player != "proportional" or rules.population is None else rules.population
    budget = seat.left // rounds
    problem = replace(asked, weights=weights, held=seat.held, posterior=posterior, sources=sources, budget=budget)
    form = Canonical.of(problem)
    orders = choose(form, "optimal" if player == "oracle" else player, seed)
    seat.held = seat.held.copy()
    seat.held[form.order] += form.market.added(orders)
    seat.ordered[form.market.order] += orders
    seat.left -= form.market.cost(orders)


def _judged(worlds: Sequence[World], rules: Rules, player: Player, counts: FloatArray, spent: IntArray) -> GameResult:
    losses = np.array([world.losses(path) for world, path in zip(worlds, counts, strict=True)])
    utility, worst, benefit = judge(rules, losses)
    return GameResult(player, counts, utility, worst, benefit, spent)


def judge(rules: Rules, losses: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """U, the worst counted group's and the weighted mean benefit [W, R + 1] of true losses [W, R + 1, k].

    The m̄ of `gap` is that of the start. Regret is judged as the worst case: its best values depend on the world. A
    compromise is judged by what its stakeholders could gain as the game begins, by what is known then.
    """
    form = Canonical.of(rules.problem)
    shape = losses.shape[:2]
    flat = losses[:, :, form.order].reshape(-1, len(form.keys)).T
    scaled = np.maximum(flat, 0.0) / form.utility.unit[:, None]
    benefit = (1.0 if form.utility.bounded else 0.0) - scaled
    # Summed column by column: a matrix product may round as the number of worlds has it.
    mean = (form.utility.weights[:, None] * benefit).sum(axis=0).reshape(shape)
    worst = np.where(form.utility.counted[:, None], benefit, np.inf).min(axis=0).reshape(shape)
    if not form.utility.kind.needs_stakeholders:
        return _totals(form.utility, scaled, shape), worst, mean
    parties = [one for one in parties_of(form) if one.span > 0.0]
    levels = [_totals(one.utility, scaled, shape) for one in parties]
    gained = [(level - level[:, :1]) / one.span for level, one in zip(levels, parties, strict=True)]
    return np.min(gained, axis=0) if gained else np.zeros(shape), worst, mean


def _totals(utility: Utility, scaled: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """U [W, R + 1] of true losses in units of the utility's [groups, W (R + 1)]."""
    value, _ = phi(utility.objective, scaled, utility.bounded, utility.goal[:, None])
    if utility.kind.lags:
        mean = (utility.weights[:, None] * ((1.0 if utility.bounded else 0.0) - scaled)).sum(axis=0)
        start = np.repeat(mean.reshape(shape)[:, :1], shape[1], axis=1).ravel()
        value = value - utility.objective.lambda_ * np.maximum(start - value, 0.0)
    return np.asarray(utility.aggregate.totals(value).reshape(shape))
