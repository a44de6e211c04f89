"""Polygenic scores by ridge regression on all sites, as a world of the collection game.

Ridge over m standardised sites is GBLUP: ĝ = K_ot α with (K_tt + λI) α + 1μ = y, 1'α = 0, K = ZZ'/m and λ =
(1 − h²)/h² in units of K's mean within-population diagonal (VanRaden 2008; Henderson's BLUP with a fixed intercept).
One Gram matrix per genome serves every training set; all traits of a genome share one factorisation per training set.
"""

from dataclasses import dataclass, field

import numpy as np
from genomes import Genome, Traits
from scipy.linalg import cho_factor, cho_solve

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Posterior
from app.planner.simulation.worlds import Measured


@dataclass(frozen=True)
class Split:
    """How many of every population's people train at most, and how many validate and test."""

    training: int
    validation: int
    test: int


@dataclass
class Scores:
    """Accuracy of scores by whom they were trained on, for all traits of a genome.

    The people of a population are in one random order: the first n train, so that larger sets hold the smaller ones.
    Arrays keep populations apart and their people in that order, so that those who train are slices of the others:
    gram [3, people, 3, training], phenotype and genetic [3, people, traits].
    """

    gram: FloatArray
    phenotype: FloatArray
    genetic: FloatArray
    split: Split
    ridge: float
    known: dict[tuple[int, ...], tuple[FloatArray, FloatArray]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, genome: Genome, found: Traits, split: Split, heritability: float, seed: int, orders: int = 1
    ) -> list["Scores"]:
        """One for each of so many random orders of the people."""
        frequency = genome.frequencies.mean(axis=0)
        columns = (genome.alleles - 2.0 * frequency) / np.sqrt(2.0 * frequency * (1.0 - frequency))
        gram = columns @ columns.T / columns.shape[1]
        parts = [gram[at : at + genome.people, at : at + genome.people] for at in genome.people * np.arange(3)]
        # The mean of the diagonal less the mean of the block is the population's variance in the ridge's prior.
        gram /= float(np.mean([np.diag(part).mean() - part.mean() for part in parts]))
        random = np.random.default_rng((seed, 2))
        scores = []
        for _ in range(orders):
            people = np.array([at * genome.people + random.permutation(genome.people) for at in range(3)])
            trained = people[:, : split.training]
            products = gram[np.ix_(people.ravel(), trained.ravel())].reshape(*people.shape, *trained.shape)
            ridge = (1.0 - heritability) / heritability
            scores.append(cls(products, found.phenotype[people], found.genetic[people], split, ridge))
        return scores

    def accuracy(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """R² with the true genetic value within every population [3, traits], of validation and of test people.

        R² is the squared correlation; 0 for a score that is constant or points the wrong way.
        """
        key = tuple(int(count) for count in counts)
        if key not in self.known:
            if max(key) > self.split.training:
                raise ValueError(f"a population trains at most {self.split.training} people; {key} was asked for")
            self.known[key] = self._accuracy(key)
        return self.known[key]

    def _accuracy(self, counts: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
        first, middle = self.split.training, self.split.training + self.split.validation
        among = np.block(
            [[self.gram[one, :m, other, :n] for other, n in enumerate(counts)] for one, m in enumerate(counts)]
        )
        phenotype = np.concatenate([values[:count] for values, count in zip(self.phenotype, counts, strict=True)])
        weights = np.split(dual(among, phenotype, self.ridge), np.cumsum(counts)[:-1])
        score = sum(self.gram[:, first:, at, : len(part)] @ part for at, part in enumerate(weights))
        truth = self.genetic[:, first:]
        validated, tested = slice(0, middle - first), slice(middle - first, middle - first + self.split.test)
        found = [squared(score[:, held], truth[:, held]) for held in (validated, tested)]
        return found[0], found[1]


def dual(gram: FloatArray, phenotype: FloatArray, ridge: float) -> FloatArray:
    """α [people, traits] of the ridge with an intercept that is not shrunk; no people give no scores."""
    if not len(gram):
        return np.zeros_like(phenotype)
    shifted = gram + ridge * np.eye(len(gram))
    factor = cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False)
    solved = cho_solve(factor, np.column_stack([np.ones(len(gram)), phenotype]), check_finite=False)
    ones, traits = solved[:, 0], solved[:, 1:]
    return np.asarray(traits - np.outer(ones, traits.sum(axis=0) / ones.sum()))


def squared(score: FloatArray, truth: FloatArray) -> FloatArray:
    """Squared correlation [3, traits] over people, of arrays [3, people, traits]; 0 where it is not above 0."""
    a, b = score - score.mean(axis=1, keepdims=True), truth - truth.mean(axis=1, keepdims=True)
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    correlation = np.divide((a * b).sum(axis=1), scale, out=np.zeros_like(scale), where=scale > 1e-12)
    return np.asarray(np.maximum(correlation, 0.0) ** 2)


@dataclass(frozen=True)
class GenomeWorld:
    """One trait on one genome as a world: losses are 1 − R², measured on validation people, true on test people.

    Errors are those of the finite holdout and of who was trained on; nothing is drawn when it is measured.
    """

    scores: Scores
    trait: int
    start: FloatArray

    @property
    def truth(self) -> Posterior | None:
        return None

    def losses(self, runs: FloatArray) -> FloatArray:
        return np.array([1.0 - self.scores.accuracy(counts)[1][:, self.trait] for counts in runs])

    def measure(self, runs: FloatArray, number: int) -> Measured:
        accuracy = np.array([self.scores.accuracy(counts)[0][:, self.trait] for counts in runs])
        return Measured(1.0 - accuracy, r2_error(accuracy, self.scores.split.validation), 0)


def r2_error(accuracy: FloatArray, people: int) -> FloatArray:
    """Standard error of a squared correlation: √(4 R² (1 − R²)²/n) (Olkin and Finn 1995), of at least 1/n."""
    return np.asarray(np.maximum(2.0 * np.sqrt(accuracy) * (1.0 - accuracy) / np.sqrt(people), 1.0 / people))
