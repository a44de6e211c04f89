"""What few runs tell of one model on many groups, on tables of retrained models: other compositions' losses, what money
brings each group, and one round's purchase on surfaces read off the tables.
"""

import argparse
from functools import cache
from pathlib import Path

import numpy as np
from buyer import ACCURACY, Terms
from joint_game import PLAYERS, Game, believed, oracle, utility
from joint_surfaces import Surface, SurfaceWorld
from joint_tables import Table, read

from app.planner.arrays import FloatArray
from app.planner.curves import Posterior
from app.planner.policies.table import POLICIES
from app.planner.utility import Metric

Figures = dict[str, dict[str, float]]
"""By figure and player."""
LOSS = Metric("minimize", 0.0, None)
"""Of losses in units of a constant predictor's."""
SEEN, ASKED = 12, 60
COMPOSED = ("census race sex lr", "census race sex hgb", "nhanes race sex lr", "nhanes race sex hgb")
SURFACES = (
    "census race sex lr", "census race sex hgb", "census age lr", "nhanes race sex lr", "nhanes age lr", "genome 101 0",
)  # fmt: skip
STEP = 0.1
"""Share of the money whose gain in each group is asked for."""


def terms_of(table: Table, price: FloatArray, room: FloatArray) -> Terms:
    return Terms(table.keys, price, room, ACCURACY if table.bounded else LOSS, "other")


def compositions(given: argparse.Namespace, seed: int) -> list[Figures]:
    """By table: the rmse on other compositions over that of own counts, the median over groups; SEEN runs of one split
    are known. Forecasts are medians: a curve of own counts has no mean where a group is left out."""
    found: Figures = {}
    for name in given.tables_asked or COMPOSED:
        table = read(given.tables, name)
        random = np.random.default_rng((seed, 3))
        rows = random.permutation(np.flatnonzero(table.split == seed % (table.split.max() + 1)))
        seen, asked = table.taken(rows[:SEEN]), table.taken(rows[SEEN : SEEN + ASKED])
        terms = terms_of(table, np.ones(len(table.keys)), np.full(len(table.keys), np.inf))
        errors = {}
        for player in ("own", "joint"):
            together = PLAYERS[player].together
            runs = seen.counts, seen.losses, seen.stderrs
            posterior = believed(terms, together, *runs, given.draws, table.family)
            told = [np.median(posterior.moved(row).loss(row), axis=1) for row in asked.counts]
            errors[player] = np.sqrt(((np.array(told) - asked.losses) ** 2).mean(axis=0))
        found[name] = {player: float(np.median(error / errors["own"])) for player, error in errors.items()}
        found[f"{name}, rmse"] = {player: float(error.mean()) for player, error in errors.items()}
    return [found]


@cache
def surface_of(tables: Path, name: str) -> Surface:
    return Surface.of(read(tables, name))


def surface_game(given: argparse.Namespace, name: str, seed: int) -> Game:
    """40 to 400 samples of a group, prices from 1 to 3 times the least, and money for twice the data in one round."""
    surface = surface_of(given.tables, name)
    groups = len(surface.most)
    random = np.random.default_rng((seed, sum(map(ord, name))))
    start = np.floor(np.exp(random.uniform(np.log(40.0), np.log(400.0), groups)))
    price = np.exp(random.uniform(0.0, np.log(3.0), groups))
    price = np.round(price / price.min(), 3)
    terms = terms_of(surface.table, price, np.floor(np.maximum(1.5 * surface.most, start)))
    world = SurfaceWorld(surface, start, seed)
    money, family = float(start @ price), surface.table.family
    return Game(world, terms, "mean", money, 1, start, draws=given.draws, family=family)


def oneshot(given: argparse.Namespace, seed: int) -> list[Figures]:
    """A replicate for every table. By utility: regret over the best gain there is (`regret mean`, …), and the rms
    error of the gain per money of each group over the gains' rms (`gain error mean`, …)."""
    return [shot(given, surface_game(given, name, seed)) for name in given.tables_asked or SURFACES]


def shot(given: argparse.Namespace, game: Game) -> Figures:
    start, found = game.world.start, Figures()
    beliefs: dict[str, Posterior] = {}
    for name in given.players:
        player = PLAYERS[name]
        if POLICIES[player.policy].needs_curves:
            runs = player.design(start)
            seen = game.world.measure(runs, 0)
            known = runs, seen.losses, seen.stderrs
            beliefs[name] = believed(game.terms, player.together, *known, game.draws, game.family)
    for kind in given.utilities:
        asked = game.of(kind)
        low, high = asked.value(np.array([start, oracle(asked)]))
        regret, error = {}, {}
        after = start + STEP * game.budget / game.terms.price * np.eye(len(start))
        gains = asked.value(after) - low
        for name in given.players:
            posterior = beliefs.get(name, game.ignorant)
            counts = start + asked.ordered(PLAYERS[name], start, game.budget, posterior)
            regret[name] = float((high - asked.value(counts[None])[0]) / (high - low))
            if name in beliefs:
                told = expected(asked, posterior, after) - expected(asked, posterior, start[None])
                error[name] = float(np.sqrt(((told - gains) ** 2).mean() / (gains**2).mean()))
        found |= {f"regret {kind}": regret, f"gain error {kind}": error}
    return found


def expected(game: Game, posterior: Posterior, counts: FloatArray) -> FloatArray:
    """The mean over draws of the utility of counts [W, k] → [W]."""
    draws = [posterior.moved(row).loss(row).T for row in counts]
    return np.array([utility(game.utility, one, game.bounded, game.weights).mean() for one in draws])
