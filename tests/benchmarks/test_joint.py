"""Games of one model on all groups: the worlds, the players' runs and purchases, and how a bar is judged."""

import argparse
import importlib
import sys
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def module(name: str) -> ModuleType:
    if str(BENCHMARKS) not in sys.path:
        sys.path.insert(0, str(BENCHMARKS))
    return importlib.import_module(name)


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    return module("bench_joint")


@pytest.fixture(scope="module")
def games() -> ModuleType:
    return module("joint_game")


@pytest.fixture(scope="module")
def worlds() -> ModuleType:
    return module("joint_worlds")


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    return module("joint_tables")


def asked(**changes: object) -> argparse.Namespace:
    plain = {"players": ["own", "equal_spend"], "utilities": ["mean"], "draws": 20}
    return argparse.Namespace(**plain | changes)


def test_a_round_has_three_nested_runs_and_one_with_each_group_at_a_quarter(games: ModuleType) -> None:
    runs = games.one_smaller(np.array([100.0, 40.0]))
    assert runs.tolist() == [[25, 10], [50, 20], [100, 40], [25, 40], [100, 10]]


def test_kin_teach_others_harm_and_independent_groups_do_neither(worlds: ModuleType) -> None:
    held = np.full((1, 6), 100.0)
    more = held + 100.0 * np.eye(6)[0]
    change = {
        name: (world.losses(more) - world.losses(held))[0]
        for name, options in worlds.WORLDS.items()
        for world in [worlds.FamilyWorld(3, **options)]
    }
    assert (change["families"] < 0.0).all()
    assert change["families"][1:3].max() < change["families"][3:].min()
    assert (change["harm"][:3] < 0.0).all()
    assert (change["harm"][3:] > 0.0).all()
    assert change["independent"][0] < 0.0
    assert (change["independent"][1:] == 0.0).all()


def test_runs_on_one_order_share_their_errors(worlds: ModuleType) -> None:
    """The error has the sd that is stated, and all but a fresh tenth of its variance comes again with the same
    samples."""
    runs = np.array([[400.0, 0.0], [400.0, 0.0], [800.0, 0.0]])
    found = np.array([worlds.Order(np.eye(2), np.full(2, 0.02), seed).errors(runs, 0)[:, 0] for seed in range(300)])
    assert found.std(axis=0) == pytest.approx([0.02, 0.02, 0.02 / np.sqrt(2.0)], rel=0.15)
    again, half = np.corrcoef(found.T)[0, 1:]
    assert again == pytest.approx(0.9, abs=0.03)
    assert half == pytest.approx(0.9 / np.sqrt(2.0), abs=0.08)


def test_a_measurement_is_the_same_again(worlds: ModuleType) -> None:
    world = worlds.FamilyWorld(5)
    runs = np.array([world.start, np.floor(world.start / 2.0)])
    one, two = world.measure(runs, 1), world.measure(runs, 1)
    assert (one.losses == two.losses).all()
    assert (world.measure(runs, 2).losses != one.losses).all()
    assert np.abs(one.losses - world.losses(runs)).max() < 0.3


def test_exchanges_find_the_best_shares(games: ModuleType) -> None:
    scale = np.array([1.0, 4.0, 0.5])

    def value(shares: np.ndarray) -> np.ndarray:
        return -(scale / (1.0 + 10.0 * shares)).sum(axis=-1)

    grid = np.array([(a, b, 200 - a - b) for a, b in product(range(201), repeat=2) if a + b <= 200]) / 200.0
    best = games.best_shares(value, 3)
    assert best.sum() == pytest.approx(1.0)
    assert value(best[None])[0] >= value(grid).max() - 1e-6


def test_utilities_are_those_of_the_planner(games: ModuleType) -> None:
    losses = np.array([0.2, 0.6])
    assert games.utility("mean", losses, False, np.array([3.0, 1.0])) == pytest.approx(-0.3)
    assert games.utility("log", losses, False) == pytest.approx(-0.1)
    assert games.utility("log", losses, True) == pytest.approx(np.log([0.8, 0.4]).mean())
    assert games.utility("worst", losses, True) == pytest.approx(0.4)


@pytest.mark.parametrize("player", ["own", "separate", "joint", "proportional"])
def test_players_spend_the_money_and_no_more(bench: ModuleType, games: ModuleType, player: str) -> None:
    world = module("joint_worlds").FamilyWorld(2)
    terms = module("buyer").Terms(tuple("abcdef"), bench.PRICES, np.full(6, np.inf), bench.LOSS, "other")
    game = games.Game(world, terms, "mean", 800.0, 2, world.start, draws=20)
    bought = games.play(game, games.PLAYERS[player]) - world.start
    assert (bought >= 0.0).all()
    assert 780.0 < bought @ bench.PRICES <= 800.0


def test_the_oracle_is_ahead_and_rows_are_paired(bench: ModuleType) -> None:
    found = [one for seed in (1, 2) for one in bench.PARTS["families"].measure(asked(), seed)]
    rows = {row["player"]: row for row in bench.rows_of("families", found)}
    assert rows["nothing"]["mean"] < rows["equal_spend"]["mean"] < rows["oracle"]["mean"]
    assert rows["own"]["mean"] < rows["oracle"]["mean"]
    assert rows["own"]["diff_to_own"] == rows["own"]["diff_se"] == 0.0
    ahead = [one["mean"]["oracle"] - one["mean"]["own"] for one in found]
    assert rows["oracle"]["diff_to_own"] == pytest.approx(np.mean(ahead), abs=1e-5)


def test_a_bar_holds_by_its_mean_its_error_and_its_least(bench: ModuleType) -> None:
    found = [{"mean": {"own": 0.0, "joint": joint}} for joint in (0.003, 0.005, 0.004)]
    assert bench.Bar("mean", 0.004, 5.0).judged(found)["holds"]
    assert not bench.Bar("mean", 0.0041).judged(found)["holds"]
    assert not bench.Bar("mean", errors=7.0).judged(found)["holds"]
    assert not bench.Bar("mean", least=0.0031).judged(found)["holds"]
    assert bench.Bar("log", 0.004).judged(found) == {}
    below = [{"mean": {"own": -joint["mean"]["joint"], "joint": 0.0}} for joint in found]
    assert bench.Bar("mean", errors=-2.0).judged(below)["holds"]
    behind = [{"mean": {"own": joint["mean"]["joint"], "joint": 0.0}} for joint in found]
    assert not bench.Bar("mean", errors=-2.0).judged(behind)["holds"]


def test_a_level_bar_judges_the_players_own_mean(bench: ModuleType) -> None:
    found = [{"regret mean": {"own": 0.08, "joint": joint}} for joint in (0.04, 0.05)]
    assert bench.Bar("regret mean", most=0.045).judged(found)["holds"]
    judged = bench.Bar("regret mean", most=0.044).judged(found)
    assert not judged["holds"]
    assert "0.0450" in bench.Bar("regret mean", most=0.044).told(judged)


def test_a_surface_is_near_the_table_it_is_read_off(tables: ModuleType) -> None:
    """Most of a response of the first form comes back, and whose samples teach most."""
    surfaces = module("joint_surfaces")
    random = np.random.default_rng(0)
    counts = tables.compositions(random, np.full(3, 1600.0), 120)
    truth = 0.5 + 0.3 * surfaces.product(counts[:, 0], counts[:, 1:], np.log([30.0, 0.3, 0.2, 0.05]))[0]
    losses = np.column_stack([truth + 0.01 * random.standard_normal(120)] * 3)
    split = np.repeat([0, 1], 60)
    shifted = losses + 0.05 * split[:, None]
    table = tables.Table("made", "made", tuple("abc"), False, counts, shifted, np.full(losses.shape, 0.01), split)
    found = surfaces.Surface.of(table)
    assert (surfaces.losses_of(found.curves, counts)[:, 0] - truth).std() < 0.1 * truth.std()
    assert 0.01 < found.noise[0] < 0.04
    world = surfaces.SurfaceWorld(found, np.full(3, 200.0), 1)
    more = world.losses(np.concatenate([np.full((1, 3), 200.0), 200.0 + 200.0 * np.eye(3)]))[:, 0]
    assert more[0] > more[3] > more[2] > more[1]


def test_one_shot_and_held_out_figures_of_a_table(tables: ModuleType, games: ModuleType, tmp_path: Path) -> None:
    forecasts = module("joint_forecasts")
    random = np.random.default_rng(1)
    counts = tables.compositions(random, np.full(3, 1600.0), 200)
    effective = counts + 0.4 * (counts.sum(axis=1, keepdims=True) - counts)
    losses = 0.5 + 4.0 * (effective + 30.0) ** -0.5 + 0.005 * random.standard_normal(counts.shape)
    split = np.repeat([0, 1], 100)
    tables.write(tmp_path, tables.Table("made", "x", tuple("abc"), False, counts, losses, 0.01 + 0.0 * losses, split))
    given = asked(tables=tmp_path, tables_asked=["made"], draws=50)
    (row,) = forecasts.oneshot(given, 2)
    assert -0.01 < row["regret mean"]["own"] < 0.5
    assert row["regret mean"]["equal_spend"] > -0.01
    assert list(row["gain error mean"]) == ["own"]
    assert 0.0 < row["gain error mean"]["own"] < 1.0
    (table,) = forecasts.compositions(given, 2)
    assert table["made"]["own"] == 1.0
    assert 0.0 < table["made"]["joint"] < 1.5
    assert 0.0 < table["made, rmse"]["own"] < 0.2


def test_groups_with_models_of_their_own_learn_nothing_from_others(bench: ModuleType) -> None:
    retrained, people = module("joint_retrained"), module("people")
    random = np.random.default_rng(2)
    x = random.standard_normal((600, 3))
    y = (x[:, 0] + random.standard_normal(600) > 0.0).astype(np.int64)
    table = people.Table(("a", "b"), x, y, (np.arange(300), np.arange(300, 600)))
    split = people.People.of(table, "logistic regression", [80, 80], 1)
    runs = np.array([[40.0, 20.0], [40.0, 100.0]])
    apart, together = (world(split, np.full(2, 40.0)) for world in (retrained.ApartWorld, people.PeopleWorld))
    assert apart.losses(runs)[0, 0] == apart.losses(runs)[1, 0] != together.losses(runs)[1, 0]
    measured = apart.measure(runs, 0)
    assert (measured.losses[:, 0] == measured.losses[0, 0]).all()
    assert measured.losses[0, 1] != measured.losses[1, 1]
    assert (measured.stderrs > 0.0).all()


def test_traits_are_means_over_orders() -> None:
    retrained = module("joint_retrained")
    orders, traits = retrained.SIZE.orders, retrained.SIZE.traits
    games = [{"mean": {"own": float(10 * order + trait)}} for order in range(orders) for trait in range(traits)]
    found = [one["mean"]["own"] for one in retrained.per_trait(games)]
    assert found == [15.0 + trait for trait in range(traits)]


def test_what_is_played_on_has_not_taught_the_prior(
    games: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = module("results_files")
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    shipped = games.prior_for(None)
    assert games.prior_without("census", None) is shipped
    weights = np.linspace(-2.0, 0.0, len(shipped.strata))
    results.write(tmp_path / "transfer_prior.json", {"without": {"census": weights.tolist()}})
    assert games.prior_without("census", None).strata == pytest.approx(weights)
    assert games.prior_without("", None) is shipped
