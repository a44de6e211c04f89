"""The collection game for one model that is trained on all groups: players that differ in what they measure, in what
they believe of it and in how far they plan. W = worlds, k = groups.

Every run trains on the first n of one fixed order of each group's samples.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import results_files
from buyer import UTILITIES, Buyer, Terms
from mixtures import observed

from app.planner.arrays import FloatArray
from app.planner.borrowing import fit_together
from app.planner.curves import Posterior, Prior
from app.planner.plan.decide import choose
from app.planner.policies import PolicyName
from app.planner.policies.table import POLICIES
from app.planner.problem.canonical import Canonical
from app.planner.simulation.game import unknown
from app.planner.simulation.worlds import World, nested_runs
from app.services.curves.prior import prior_for

SHARES = (0.25, 0.5, 1.0)
ALONE = 0.25
DRAWS = 200
Value = Callable[[FloatArray], FloatArray]
"""Rows [W, k] → values [W]."""


def nested(held: FloatArray) -> FloatArray:
    """Three runs of the same mixture."""
    return nested_runs(held, SHARES)


def one_smaller(held: FloatArray) -> FloatArray:
    """k + 3 runs: the nested ones, and for every group one with that group at a quarter and the others whole."""
    smaller = np.floor(held * np.where(np.eye(len(held), dtype=np.bool_), ALONE, 1.0))
    return np.concatenate([nested(held), smaller])


@dataclass(frozen=True)
class Player:
    """together: each run is fitted with all groups' counts. ahead: all the money that is left is planned, and of each
    group's share this round's part bought; otherwise this round's money is planned alone."""

    policy: PolicyName = "optimal"
    design: Callable[[FloatArray], FloatArray] = nested
    together: bool = False
    ahead: bool = False


PLAYERS = {
    "own": Player(),
    "joint": Player(design=one_smaller, together=True, ahead=True),
    "joint nested": Player(together=True, ahead=True),
    "separate": Player(ahead=True),
    **{name: Player(name) for name in ("equal_spend", "equal", "proportional", "worst_first", "slice_tuner")},
}
"""The first is what all are compared with: curves in own counts, planned round by round. `separate`: the same curves,
planned as `joint` plans."""
USUAL = ("own", "joint", "joint nested", "equal_spend", "proportional")


@dataclass(frozen=True)
class Game:
    """What is played for; population [k]: what `proportional` buys by. weights [k]: None for equal ones. family: tables
    of it are not in the prior that is played with."""

    world: World
    terms: Terms
    utility: str
    budget: float
    rounds: int
    population: FloatArray
    weights: FloatArray | None = None
    draws: int = DRAWS
    family: str = ""

    def of(self, utility: str, weights: FloatArray | None = None) -> "Game":
        """The same for another utility."""
        return replace(self, utility=utility, weights=weights)

    @property
    def bounded(self) -> bool:
        return self.terms.metric.span is not None

    def value(self, counts: FloatArray) -> FloatArray:
        """The true utility of counts [W, k] → [W]."""
        return utility(self.utility, self.world.losses(counts), self.bounded, self.weights)

    @property
    def ignorant(self) -> Posterior:
        """What is believed before any run."""
        span = self.terms.metric.span
        return unknown(self.terms.keys, span, prior_for(span))

    def ordered(self, player: Player, held: FloatArray, money: float, posterior: Posterior) -> FloatArray:
        """Samples [k] that the player's policy buys for the money."""
        weights = self.population if player.policy == "proportional" else self.weights
        buyer = Buyer(self.terms, UTILITIES[self.utility])
        form = Canonical.of(buyer.problem(held, money, posterior, weights))
        more = np.zeros(len(held))
        more[form.order] = form.market.added(choose(form, player.policy))
        return more


def believed(
    terms: Terms,
    together: bool,
    runs: FloatArray,
    losses: FloatArray,
    stderrs: FloatArray,
    draws: int,
    family: str,
) -> Posterior:
    """Curves of runs on one holdout, arrays [runs, k]; held is the largest of each group's counts. family: as `Game`
    has it."""
    span = terms.metric.span
    known = replace(observed(runs, losses, stderrs, span), keys=terms.keys, joint=together)
    return fit_together(known, prior_without(family, span), 0, draws)


def prior_without(family: str, span: float | None) -> Prior:
    """The shipped prior, or one whose strata no table of the family has taught: as train_transfer.py left it."""
    prior, trained = prior_for(span), results_files.RESULTS / "transfer_prior.json"
    weights = results_files.read(trained.name)["without"].get(family) if trained.exists() else None
    return prior if weights is None else replace(prior, strata=np.array(weights))


def play(game: Game, player: Player) -> FloatArray:
    """Counts [k] after the last round."""
    held, left, posterior = game.world.start.copy(), game.budget, game.ignorant
    runs: list[FloatArray] = []
    losses: list[FloatArray] = []
    stderrs: list[FloatArray] = []
    for number in range(game.rounds):
        if POLICIES[player.policy].needs_curves:
            runs.append(player.design(held))
            seen = game.world.measure(runs[-1], number)
            losses.append(seen.losses)
            stderrs.append(seen.stderrs)
            known = (np.concatenate(part) for part in (runs, losses, stderrs))
            posterior = believed(game.terms, player.together, *known, game.draws, game.family)
        share = 1.0 / (game.rounds - number)
        more = game.ordered(player, held, left if player.ahead else left * share, posterior)
        bought = np.floor(more * share + 1e-9) if player.ahead else more
        held, left = held + bought, left - float(bought @ game.terms.price)
    return held


def utility(kind: str, losses: FloatArray, bounded: bool, weights: FloatArray | None = None) -> FloatArray:
    """U [...] of true losses [..., k], of a metric with both bounds or of losses in units of a constant predictor's
    (method.md 5)."""
    share = np.full(losses.shape[-1], 1.0 / losses.shape[-1]) if weights is None else weights / weights.sum()
    benefit = 1.0 - losses if bounded else -losses
    if kind == "worst":
        return np.asarray(benefit.min(axis=-1))
    if kind == "log":
        benefit = np.log(np.maximum(benefit, 1e-3)) if bounded else -(losses**2) / 2.0
    return np.asarray(benefit @ share)


def best_shares(value: Value, groups: int) -> FloatArray:
    """Shares of the money [k] that no exchange between two groups makes better; value: of shares [W, k]. From equal
    shares and from half of the money for each group, by steps that halve."""
    moves = np.array([np.eye(groups)[i] - np.eye(groups)[j] for i, j in permutations(range(groups), 2)])
    found = []
    for start in np.concatenate([np.full((1, groups), 1.0 / groups), 0.5 * np.eye(groups) + 0.5 / groups]):
        shares, top, step = start, float(value(start[None])[0]), 0.25
        while step > 1e-3:
            tried = shares + step * moves
            tried = tried[(tried > -1e-12).all(axis=1)]
            values = value(tried)
            if values.max(initial=-np.inf) > top + 1e-12:
                shares, top = tried[values.argmax()], float(values.max())
            else:
                step /= 2.0
        found.append((top, shares))
    return max(found, key=lambda one: one[0])[1]


def spent(game: Game, shares: FloatArray) -> FloatArray:
    """Counts [..., k] when all the money goes by shares [..., k]; what is beyond a market's room is lost."""
    more = np.floor(shares * game.budget / game.terms.price + 1e-9)
    return np.asarray(np.minimum(game.world.start + more, np.maximum(game.terms.room, game.world.start)))


def oracle(game: Game) -> FloatArray:
    """Counts [k] of the best shares of all the money, by the truth."""
    return spent(game, best_shares(lambda shares: game.value(spent(game, shares)), len(game.world.start)))
