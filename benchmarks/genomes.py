"""Genomes simulated out of Africa, and traits on them: the material of `bench_prs.py`.

The demography is that of Gutenkunst et al. 2009 (PLoS Genetics 5(10): e1000695, table 1), which stdpopsim keeps as
OutOfAfrica_3G09; times in years are divided by the generation of 25.
"""

from dataclasses import dataclass
from math import exp

import msprime
import numpy as np

from app.planner.arrays import FloatArray

POPULATIONS = ("YRI", "CEU", "CHB")
GENERATION = 25.0
MUTATION, RECOMBINATION = 1.25e-8, 1e-8
"""Per base and generation."""

COMMON = 0.01
"""Sites whose rarer allele is at least so frequent over all people are typed."""


def out_of_africa() -> msprime.Demography:
    """Three populations of today, their ancestors OOA (of CEU and CHB), AMH and the ancestral one."""
    split, exit_, growth = 21.2e3 / GENERATION, 140e3 / GENERATION, 220e3 / GENERATION
    ceu, chb = 0.004, 0.0055
    demography = msprime.Demography()
    demography.add_population(name="YRI", initial_size=12_300)
    demography.add_population(name="CEU", initial_size=1_000 * exp(ceu * split), growth_rate=ceu)
    demography.add_population(name="CHB", initial_size=510 * exp(chb * split), growth_rate=chb)
    demography.add_population(name="OOA", initial_size=2_100)
    demography.add_population(name="AMH", initial_size=12_300)
    demography.add_population(name="ancestral", initial_size=7_300)
    demography.set_symmetric_migration_rate(["YRI", "CEU"], 3e-5)
    demography.set_symmetric_migration_rate(["YRI", "CHB"], 1.9e-5)
    demography.set_symmetric_migration_rate(["CEU", "CHB"], 9.6e-5)
    demography.add_population_split(time=split, derived=["CEU", "CHB"], ancestral="OOA")
    demography.add_symmetric_migration_rate_change(time=split, populations=["YRI", "OOA"], rate=25e-5)
    demography.add_population_split(time=exit_, derived=["YRI", "OOA"], ancestral="AMH")
    demography.add_population_split(time=growth, derived=["AMH"], ancestral="ancestral")
    return demography


@dataclass(frozen=True)
class Genome:
    """People of every population at the typed sites.

    alleles [3 × people, sites]: copies of the derived allele, YRI first. people: per population.
    """

    alleles: np.ndarray
    people: int

    @property
    def frequencies(self) -> FloatArray:
        """Of the derived allele in every population [3, sites]."""
        parts = self.alleles.reshape(len(POPULATIONS), self.people, -1)
        return np.asarray(parts.mean(axis=1) / 2.0)


def simulate(people: int, length: float, sites: int, seed: int) -> Genome:
    """`sites` common sites, drawn at random among those of `length` bases, of `people` people per population.

    Raises ValueError where the stretch has fewer common sites than asked for.
    """
    ancestry = msprime.sim_ancestry(
        dict.fromkeys(POPULATIONS, people),
        demography=out_of_africa(),
        sequence_length=length,
        recombination_rate=RECOMBINATION,
        random_seed=seed + 1,
    )
    mutated = msprime.sim_mutations(ancestry, rate=MUTATION, random_seed=seed + 1, model="binary")
    variants = [
        (variant.site.id, variant.genotypes)
        for variant in mutated.variants()
        if COMMON <= (share := float(variant.genotypes.mean())) <= 1.0 - COMMON and share
    ]
    if len(variants) < sites:
        raise ValueError(
            f"{length:.0f} bases have {len(variants)} common sites, fewer than {sites}; ask for a longer stretch"
        )
    chosen = np.sort(np.random.default_rng((seed, 0)).choice(len(variants), sites, replace=False))
    haplotypes = np.stack([variants[at][1] for at in chosen], axis=1)
    return Genome((haplotypes[0::2] + haplotypes[1::2]).astype(np.int8), people)


def fixation(genome: Genome, one: int, other: int) -> float:
    """F_ST of two populations: Hudson's estimator as a ratio of averages (Bhatia et al. 2013, equation 10)."""
    p, q = genome.frequencies[[one, other]]
    spare = 2 * genome.people - 1
    between = (p - q) ** 2 - p * (1 - p) / spare - q * (1 - q) / spare
    return float(between.mean() / (p * (1 - q) + q * (1 - p)).mean())


@dataclass(frozen=True)
class Traits:
    """Genetic values and phenotypes [3 × people, traits]."""

    genetic: FloatArray
    phenotype: FloatArray


def traits(genome: Genome, number: int, causal: int, heritability: float, seed: int) -> Traits:
    """Traits of `causal` variants each, their effects normal per standard deviation of the allele over all people.

    The environment's variance is the same for all, so that h² holds for the mean within-population genetic variance.
    """
    frequency = genome.frequencies.mean(axis=0)
    scale = np.sqrt(2.0 * frequency * (1.0 - frequency))
    genetic, phenotype = [], []
    for trait in range(number):
        random = np.random.default_rng((seed, 1, trait))
        chosen = random.choice(len(frequency), causal, replace=False)
        value = genome.alleles[:, chosen] @ (random.standard_normal(causal) / scale[chosen])
        within = float(value.reshape(len(POPULATIONS), -1).var(axis=1).mean())
        value = value / np.sqrt(within)
        noise = np.sqrt((1.0 - heritability) / heritability) * random.standard_normal(len(value))
        genetic.append(value)
        phenotype.append(value + noise)
    return Traits(np.stack(genetic, axis=1), np.stack(phenotype, axis=1))
