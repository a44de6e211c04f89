"""Whole loops on real tasks: what they train on, buy, judge and compare."""

import csv
import gzip
import importlib
import sys
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from app.planner.arrays import FloatArray
from app.planner.curves.prior import Prior
from app.planner.simulation.game import Rules, judge, unknown
from app.services.curves.prior import prior_for
from tests.api_client import ACCURACY, Api

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
KEYS = ("clean", "noisy", "covered", "very_noisy", "bad_labels")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    return importlib.import_module("bench_loops")


@pytest.fixture(scope="module")
def digits(bench: ModuleType):
    return bench.TASKS["digits"](bench.Places(), 3)


def test_a_task_trains_on_the_first_rows_of_each_market_and_judges_on_others(bench: ModuleType, digits) -> None:
    for market, validation, test in zip(digits.market, digits.validation, digits.test, strict=True):
        assert len({*market.tolist(), *validation.tolist(), *test.tolist()}) == 1797
    scored = digits.scored(digits.start)
    x, y = importlib.import_module("sklearn.datasets").load_digits(return_X_y=True)
    rows, asked = digits.market[0][:100], digits.test[0]
    near = ((x[asked][:, None, :] - x[rows][None, :, :]) ** 2).sum(axis=2).argmin(axis=1)
    assert scored.truth[0] == pytest.approx((y[rows][near] == y[asked]).mean())
    assert [error["eval_size"] for error in scored.errors] == [250] * 5


def test_models_of_their_own_learn_nothing_from_the_others(digits) -> None:
    more = digits.start.copy()
    more[0] += 300
    assert digits.scored(more).truth[1:] == pytest.approx(digits.scored(digits.start).truth[1:])
    assert digits.scored(more).truth[0] > digits.scored(digits.start).truth[0]


def test_a_rule_spends_its_money_in_five_rounds_and_no_more(bench: ModuleType, digits) -> None:
    for policy in ("equal", "equal_spend", "proportional"):
        bought = bench.play(digits, "mean", policy) - digits.start
        money = float(bought @ digits.terms.price)
        assert digits.offer.budget - 5 * digits.terms.price.sum() <= money <= digits.offer.budget
        if policy == "equal":
            # What equal counts leave over in a round buys single samples, of the cheapest first.
            assert bought.max() - bought.min() <= 5 * digits.terms.price.max()


def test_the_buyer_buys_what_the_service_answers(bench: ModuleType, digits, api: Api) -> None:
    """Over HTTP, with the same runs and money."""
    buyer = bench.Buyer(digits.terms, bench.UTILITIES["log"])
    observations = []
    for number, size in enumerate((0.25, 0.5, 1.0)):
        counts = np.floor(digits.start * size)
        scored = digits.scored(counts)
        buyer.post(counts, scored.values, scored.errors)
        metrics = {
            key: {"value": value, **error}
            for key, value, error in zip(KEYS, scored.values.tolist(), scored.errors, strict=True)
        }
        trained = {key: int(n) for key, n in zip(KEYS, counts, strict=True)}
        observations.append({"external_id": f"r{number}", "counts": trained, "metrics": metrics})
    groups = [
        {"key": key, "initial_count": int(n), "unit_cost": str(price), "max_count": int(room)}
        for key, n, price, room in zip(KEYS, digits.start, digits.terms.price, digits.terms.room, strict=True)
    ]
    path = api.project(
        metric=ACCURACY,
        objective={"kind": "isoelastic", "aversion": 1.0},
        budget={"total": "1500", "rounds": 5},
        groups=groups,
    )
    assert api.post(f"{path}/observations", json={"observations": observations}).status_code == 201
    answer = api.get(f"{path}/allocations/next", params={"budget": "300"}).json()
    plan = buyer.plan(digits.start, 300.0)
    assert {one["group"]: one["add"] for one in answer["groups"]} == {one.key: one.add for one in plan.groups}
    assert answer["utility"]["after"]["mean"] == pytest.approx(plan.utility.after.mean)


def test_a_run_posted_again_is_another_with_the_same_numbers(bench: ModuleType, digits) -> None:
    buyer = bench.Buyer(digits.terms, bench.UTILITIES["mean"])
    scored = digits.scored(digits.start)
    buyer.post(digits.start, scored.values, scored.errors)
    buyer.post_again()
    first, again = buyer.runs
    assert first.id != again.id
    assert (first.counts, first.metrics) == (again.counts, again.metrics)


@pytest.mark.parametrize("utility", ["mean", "log", "worst"])
def test_utilities_are_those_of_the_planner(bench: ModuleType, digits, utility: str) -> None:
    buyer = bench.Buyer(digits.terms, bench.UTILITIES[utility])
    prior: Prior = prior_for(1.0)
    problem = buyer.problem(digits.start, 1.0, unknown(KEYS, 1.0, prior))
    truth: FloatArray = digits.scored(digits.start).truth
    found, _, _ = judge(Rules(problem, 5, prior), (1.0 - truth)[None, None])
    assert bench.judged(digits, digits.start)[utility] == pytest.approx(float(found[0, 0]))


def test_fixed_splits_spend_the_money_and_stay_within_the_market(bench: ModuleType, digits) -> None:
    for counts in bench.splits(digits, 12):
        assert (counts >= digits.start).all()
        assert (counts <= digits.terms.room).all()
        assert float((counts - digits.start) @ digits.terms.price) <= digits.offer.budget


def test_the_oracle_of_a_seed_is_chosen_on_the_others(bench: ModuleType) -> None:
    values = np.random.default_rng(1).normal(size=(4, 3))
    expected = []
    for seed in range(4):
        means = [np.mean([values[other, one] for other in range(4) if other != seed]) for one in range(3)]
        expected.append(values[seed, int(np.argmax(means))])
    assert bench.oracle(values) == pytest.approx(np.array(expected))


def test_both_sides_are_compared_seed_by_seed(bench: ModuleType) -> None:
    def seed(number: int, lead: float) -> dict[str, object]:
        names = [f"{player}/{utility}" for player, utility in product(("optimal", "equal"), bench.UTILITIES)]
        players = {name: number + lead * name.startswith("optimal") for name in names}
        return {"seed": number, "players": players, "splits": [[0.0] * 3] * 2, "own_models": True}

    sides = {"now": [seed(at, 0.3) for at in range(3)], "before": [seed(at, 0.1) for at in range(3)]}
    rows = bench.rows_of(bench.Measured("digits", sides))
    [now] = [r for r in rows if (r["side"], r["utility"], r["player"]) == ("now", "log", "optimal")]
    assert (now["diff_to_other_side"], now["other_side_se"], now["seeds"]) == (0.2, 0.0, 3)
    [equal] = [r for r in rows if (r["side"], r["utility"], r["player"]) == ("before", "log", "equal")]
    assert (equal["diff_to_optimal"], equal["diff_se"]) == (-0.1, 0.0)


def test_compas_is_read_from_its_file(bench: ModuleType, tmp_path: Path) -> None:
    tasks = importlib.import_module("tasks")
    random = np.random.default_rng(2)
    names = ("race", "sex", "age", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count")
    names += ("days_in_jail", "c_charge_degree", "y")
    file = tmp_path / "compas.csv.gz"
    with gzip.open(file, "wt", newline="") as text:
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        for key, validation, test in zip(tasks.COMPAS.keys, tasks.COMPAS.validation, tasks.COMPAS.test, strict=True):
            for _ in range(validation + test + 100):
                priors = int(random.integers(0, 12))
                race, sex = key.split(" ")
                writer.writerow(
                    dict(zip(names, (race, sex, int(random.integers(18, 70)), 0, 0, 0, priors, 3, "F"), strict=False))
                    | {"y": int(random.random() < priors / 12)}
                )
    task = bench.TASKS["compas"](bench.Places(compas=file), 0)
    assert task.terms.room == pytest.approx(np.full(5, 100.0))
    assert task.scored(task.terms.room).truth.mean() > 0.65
    with pytest.raises(ValueError, match="--compas"):
        bench.TASKS["compas"](bench.Places(), 0)


def test_strings_become_counts_of_their_grams() -> None:
    sys.path.insert(0, str(BENCHMARKS))
    task = importlib.import_module("task")
    counts = task.grams(["aba", "aba!"])
    assert counts[0].sum() == 5 + 4 + 3  # ^aba$: five characters, four pairs, three triples
    assert (counts[0] != counts[1]).nnz > 0
