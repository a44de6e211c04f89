"""Policies tried on a project's own posterior before money is spent: one game per draw, paired (simulations.md).

In game number r the posterior's draw r is the truth, and the errors of its runs follow from (seed, r) alone: neither
how the games are cut into parts nor who plays them changes a number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves.observations import Observations
from app.planner.curves.posterior import Posterior
from app.planner.simulation.game import GameResult, Player, Rules, play
from app.planner.simulation.paired import Estimate, chance_better, difference, money_per_benefit, regret
from app.planner.simulation.worlds import CurveWorld, posterior_world

ORACLE: Player = "oracle"


@dataclass(frozen=True)
class Trial:
    """truths: the posterior, one draw a game. start, shared [k]: counts held and the holdout's error, in loss."""

    rules: Rules
    truths: Posterior
    start: FloatArray
    shared: FloatArray
    seed: int

    @property
    def games(self) -> int:
        return self.truths.draws

    def world(self, number: int) -> CurveWorld:
        """The world of game `number`, whose errors depend on it and on the seed alone."""
        luck = int(np.random.SeedSequence((self.seed, number)).generate_state(1, np.uint64)[0])
        return posterior_world(self.truths, number, self.start, self.shared, luck)


def holdout_errors(observations: Observations) -> FloatArray:
    """Standard error [k] of each group's evaluation: the median of those stated for its largest size; of all groups'
    where none is, 0 where nobody states any."""
    known = [
        points.stderrs[(points.counts == points.counts.max(initial=0.0)) & np.isfinite(points.stderrs)]
        for points in observations.points
    ]
    everyone = np.concatenate([np.zeros(0), *known])
    usual = float(np.median(everyone)) if len(everyone) else 0.0
    return np.array([float(np.median(mine)) if len(mine) else usual for mine in known])


def play_part(
    trial: Trial, players: Sequence[Player], first: int, count: int, told: Callable[[float], None]
) -> dict[Player, GameResult]:
    """Games `first` to `first + count` of every player and of the oracle. told: how far it is, from 0 to 1."""
    worlds = [trial.world(number) for number in range(first, min(first + count, trial.games))]
    everyone = [*players, ORACLE]
    outcomes: dict[Player, GameResult] = {}
    for done, player in enumerate(everyone):
        told(done / len(everyone))
        outcomes[player] = play(worlds, trial.rules, player, trial.seed, first)
    return outcomes


def joined(parts: Sequence[Mapping[Player, GameResult]]) -> dict[Player, GameResult]:
    """All games of every player, in the parts' order."""
    return {player: _joined([part[player] for part in parts]) for player in parts[0]}


def _joined(parts: Sequence[GameResult]) -> GameResult:
    return GameResult(
        player=parts[0].player,
        counts=np.concatenate([part.counts for part in parts]),
        utility=np.concatenate([part.utility for part in parts]),
        worst=np.concatenate([part.worst for part in parts]),
        benefit=np.concatenate([part.benefit for part in parts]),
        spent=np.concatenate([part.spent for part in parts]),
    )


@dataclass(frozen=True)
class Standing:
    """How a player fared over all games. utility, worst: at the end; path [R + 1]: mean utility after each round.

    money: millionths per unit of the weighted mean benefit gained, inf where nothing was. added [k]: mean samples
    bought. ahead: of the chosen player's final utility, paired; p_better: chance of ending above the chosen one.
    """

    player: Player
    utility: Estimate
    worst: Estimate
    regret: float
    money: float
    path: tuple[Estimate, ...]
    added: FloatArray
    ahead: Estimate
    p_better: float


def standings(outcomes: Mapping[Player, GameResult], chosen: Player) -> list[Standing]:
    """One for every player, the oracle last."""
    best, oracle = outcomes[chosen], outcomes[ORACLE]
    return [
        Standing(
            player=player,
            utility=Estimate.of(one.final),
            worst=Estimate.of(one.worst[:, -1]),
            regret=regret(one, oracle),
            money=money_per_benefit(one),
            path=tuple(Estimate.of(after) for after in one.utility.T),
            added=np.asarray((one.counts[:, -1] - one.counts[:, 0]).mean(axis=0)),
            ahead=difference(one, best),
            p_better=chance_better(one, best),
        )
        for player, one in outcomes.items()
    ]
