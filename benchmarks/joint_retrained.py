"""Games of one model on many groups in which every run is really trained: census and NHANES people, genomes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from bench_prs import Size, by_trait
from bench_replay import DATA
from buyer import ACCURACY, Terms
from gblup import GenomeWorld, Scores
from genomes import POPULATIONS, simulate, traits
from joint_forecasts import LOSS
from joint_game import Game
from joint_tables import two_rules
from people import Learner, People, PeopleWorld, Table, fitted, load, normalised
from scenarios import BUDGET, POPULATION, ROUNDS, SCENARIOS, UTILITIES

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Posterior
from app.planner.simulation.worlds import Measured


@dataclass(frozen=True)
class Task:
    """People of bench_replay.DATA and a learner. apart: a model of its own for every group. contradicting: the labels
    of half of the groups answer another question."""

    data: str
    learner: Learner
    apart: bool = False
    contradicting: bool = False


TASKS = {
    "census-hgb": Task("census", "gradient boosting"),
    "census-lr": Task("census", "logistic regression"),
    "nhanes-lr": Task("NHANES", "logistic regression"),
    "apart": Task("NHANES", "logistic regression", apart=True),
    "contradicting": Task("census", "logistic regression", contradicting=True),
}


@cache
def people_of(folder: Path, task: Task) -> Table:
    asked = DATA[task.data]
    if task.contradicting:
        return load(folder / asked.file, list(asked.groups), (*asked.left_out, "hours_per_week"), label_of=two_rules)
    return load(folder / asked.file, list(asked.groups), asked.left_out)


@dataclass(frozen=True)
class ApartWorld:
    """A split of people as a world in which each group has a model of its own."""

    people: People
    start: FloatArray

    @property
    def truth(self) -> Posterior | None:
        return None

    def losses(self, runs: FloatArray) -> FloatArray:
        return np.array([[self.scored(g, int(n))[2] for g, n in enumerate(row)] for row in runs])

    def measure(self, runs: FloatArray, number: int) -> Measured:
        scored = np.array([[self.scored(g, int(n)) for g, n in enumerate(row)] for row in runs])
        return Measured(scored[:, :, 0], scored[:, :, 1], 0)

    def scored(self, group: int, count: int) -> tuple[float, float, float]:
        """The loss of the group's model of so many rows on its validation rows, its error, and the one on test rows."""
        known, people = self.people.known, self.people
        if (group, count) not in known:
            table, rows = people.table, people.market[group][:count]
            chance = fitted(people.learner, table.x[rows], table.y[rows])
            seen, truth = (
                normalised(chance(table.x[held]), table.y[held])
                for held in (people.validation[group], people.test[group])
            )
            known[group, count] = (*seen, truth[0])
        return known[group, count]


def people_game(folder: Path, name: str, seed: int, rounds: int, draws: int) -> Game:
    """The prices, counts and money of bench_replay, for the mean."""
    task, table = TASKS[name], people_of(folder, TASKS[name])
    asked = DATA[task.data]
    start, price, held_out = (np.array(column) for column in zip(*asked.groups.values(), strict=True))
    people = People.of(table, task.learner, held_out.tolist(), seed)
    room = np.array([float(len(market)) for market in people.market])
    world = (ApartWorld if task.apart else PeopleWorld)(people, start.astype(np.float64))
    terms = Terms(table.keys, price, room, LOSS, "other")
    population = np.array([float(len(rows)) for rows in table.rows])
    return Game(world, terms, "mean", float(asked.budget), rounds, population, draws=draws, family=task.data.lower())


SIZE = Size()


def genome_games(seed: int, scenario: str, draws: int) -> list[Game]:
    """Order after order of the people, each with all traits, for the mean: see bench_prs."""
    made = simulate(SIZE.people, SIZE.length, SIZE.sites, seed)
    found = traits(made, SIZE.traits, SIZE.causal, SIZE.heritability, seed)
    scores = Scores.of(made, found, SIZE.split, SIZE.heritability, seed, SIZE.orders)
    start, costs = SCENARIOS[scenario]
    terms = Terms(POPULATIONS, np.array(costs), np.full(len(costs), np.inf), ACCURACY, "other")
    worlds = [GenomeWorld(one, trait, start) for one, trait in product(scores, range(SIZE.traits))]
    shares, money = np.array(POPULATION), float(BUDGET)
    return [Game(world, terms, "mean", money, ROUNDS, shares, draws=draws, family="genome") for world in worlds]


def weighted(game: Game, utility: str) -> Game:
    """The game for a utility of scenarios.UTILITIES."""
    weights = np.array(UTILITIES[utility][1])
    return game.of("mean" if utility == "population" else utility, weights)


def per_trait(values: list[dict[str, dict[str, float]]]) -> Iterator[dict[str, dict[str, float]]]:
    """Replicates of a genome's games in their order: for every trait the mean over the orders."""
    each = {
        (figure, player): by_trait(np.array([one[figure][player] for one in values]), SIZE.orders)
        for figure, players in values[0].items()
        for player in players
    }
    for trait in range(SIZE.traits):
        found: dict[str, dict[str, float]] = {}
        for (figure, player), means in each.items():
            found.setdefault(figure, {})[player] = float(means[trait])
        yield found
