"""The polygenic benchmark: genomes, scores, and a table that comes out the same to the byte."""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.planner.numerics import DEEP

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    return importlib.import_module("bench_prs")


@pytest.fixture(scope="module")
def genome(bench: ModuleType):
    return importlib.import_module("genomes").simulate(60, 2e5, 150, 3)


def test_populations_differ_as_published() -> None:
    sys.path.insert(0, str(BENCHMARKS))
    msprime, genomes = importlib.import_module("msprime"), importlib.import_module("genomes")
    names = genomes.POPULATIONS
    trees = msprime.sim_ancestry(
        dict.fromkeys(names, 20), demography=genomes.out_of_africa(), sequence_length=1e7,
        recombination_rate=1e-8, random_seed=5,
    )  # fmt: skip
    within = [trees.diversity(trees.samples(population=at), mode="branch") for at in range(3)]
    for (a, b), published in {(0, 1): 0.14, (0, 2): 0.16, (1, 2): 0.10}.items():
        between = trees.divergence([trees.samples(population=a), trees.samples(population=b)], mode="branch")
        assert 1.0 - (within[a] + within[b]) / 2.0 / between == pytest.approx(published, abs=0.035)


def test_traits_have_the_stated_heritability(bench: ModuleType, genome) -> None:
    found = bench.traits(genome, 2, 100, 2.0 / 3.0, 1)
    within = found.genetic.reshape(3, 60, 2).var(axis=1).mean(axis=0)
    assert within == pytest.approx(np.ones(2))
    assert (found.phenotype - found.genetic).var(axis=0) == pytest.approx(np.full(2, 0.5), rel=0.3)


def test_scores_are_those_of_ridge_regression_on_the_sites() -> None:
    sys.path.insert(0, str(BENCHMARKS))
    dual = importlib.import_module("gblup").dual
    random = np.random.default_rng(0)
    sites, phenotype = random.standard_normal((30, 50)), random.standard_normal((30, 2))
    weights = dual(sites @ sites.T, phenotype, 0.7)
    design = np.hstack([np.ones((30, 1)), sites])
    shrink = np.diag([0.0] + [0.7] * 50)
    primal = np.linalg.solve(design.T @ design + shrink, design.T @ phenotype)
    assert sites.T @ weights == pytest.approx(primal[1:], abs=1e-9)


def test_held_out_people_train_no_score(bench: ModuleType, genome) -> None:
    split = bench.Split(30, 15, 15)
    found = bench.traits(genome, 1, 100, 2.0 / 3.0, 1)
    one, other = bench.Scores.of(genome, found, split, 2.0 / 3.0, 1, orders=2)
    with pytest.raises(ValueError, match="at most 30"):
        one.accuracy(np.array([31.0, 0.0, 0.0]))
    assert not one.accuracy(np.zeros(3))[0].any()
    for scores in (one, other):
        assert sorted(scores.phenotype.ravel()) == sorted(found.phenotype.ravel())
    assert (one.phenotype != other.phenotype).any()


def test_accuracy_is_that_of_scores_worked_out_person_by_person(bench: ModuleType, genome) -> None:
    sys.path.insert(0, str(BENCHMARKS))
    gblup = importlib.import_module("gblup")
    found = bench.traits(genome, 2, 100, 2.0 / 3.0, 1)
    scores = gblup.Scores.of(genome, found, bench.Split(30, 15, 15), 2.0 / 3.0, 1)[0]
    # The same people in the same order, told by their phenotypes.
    place = {value: at for at, value in enumerate(found.phenotype[:, 0].tolist())}
    people = np.array([[place[value] for value in row] for row in scores.phenotype[:, :, 0].tolist()])
    frequency = genome.alleles.mean(axis=0) / 2.0
    sites = (genome.alleles - 2.0 * frequency) / np.sqrt(2.0 * frequency * (1.0 - frequency))
    trained = np.concatenate([people[0, :20], people[1, :7], people[2, :0]])
    within = np.mean([(part - part.mean(axis=0)).var(axis=0).sum() for part in sites.reshape(3, 60, -1)])
    design = np.hstack([np.ones((len(trained), 1)), sites[trained]])
    shrink = np.diag([0.0] + [0.5 * within] * sites.shape[1])
    effects = np.linalg.solve(design.T @ design + shrink, design.T @ found.phenotype[trained])[1:]
    for held, seen in zip((slice(30, 45), slice(45, 60)), scores.accuracy(np.array([20, 7, 0])), strict=True):
        for group, trait in np.ndindex(3, 2):
            who = people[group, held]
            r = np.corrcoef(sites[who] @ effects[:, trait], found.genetic[who, trait])[0, 1]
            assert seen[group, trait] == pytest.approx(max(r, 0.0) ** 2, abs=1e-9)


def test_fst_and_splits_by_hand(bench: ModuleType) -> None:
    tried = bench.splits(np.array([30.0, 450.0, 30.0]), (2.0, 1.0, 1.5), 3)
    assert sorted(map(tuple, tried.astype(int))) == sorted(
        [(30, 450, 230), (30, 550, 163), (30, 650, 96), (30, 750, 30), (80, 450, 163), (80, 550, 96),
         (80, 650, 30), (130, 450, 96), (130, 550, 30), (180, 450, 30)]
    )  # fmt: skip
    assert bench.steps_of(len(tried)) == 3


def test_two_runs_write_the_same_bytes(bench: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = bench.Size(
        people=900 if DEEP else 450,
        length=2e5,
        sites=100,
        causal=50,
        traits=2,
        split=bench.Split(800, 50, 50) if DEEP else bench.Split(400, 25, 25),
        orders=2 if DEEP else 1,
        steps=2,
        draws=20 if DEEP else 10,
    )
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        results = [bench.genome(seed, ["equal"], ["optimal", "equal"], size) for seed in (1, 2)]
        bench.write(results, ["equal"], [1, 2], tmp_path / name)
        written.append([(tmp_path / name / file).read_bytes() for file in ("prs.json", "prs_details.json")])
    assert written[0] == written[1]
    rows = json.loads(written[0][0])["results"]
    assert {row["policy"] for row in rows} == {"optimal", "equal", "oracle_fixed"}
    assert {tuple(row) for row in rows} == {bench.KEYS}
    assert all(row["replicates"] == 4 for row in rows)
