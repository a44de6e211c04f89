"""Frozen trials and outcomes: those that earlier versions stored can be read, and are written as they were."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.planner.problem.problem import Limit
from app.planner.simulation.trial import play_part
from app.services.simulations.frozen import freeze, freeze_outcomes, thaw, thaw_outcomes, unpack

DATA = Path(__file__).parent / "data"


def test_a_stored_trial_can_be_read() -> None:
    trial = thaw((DATA / "trial.npz").read_bytes())
    problem, truths = trial.rules.problem, trial.truths
    assert (problem.keys, problem.budget, trial.seed) == (("A", "B", "C"), 200_000_000, 7)
    assert (trial.rules.rounds, trial.rules.draws, trial.games) == (2, 20, 2)
    assert (problem.objective.kind, problem.objective.aversion) == ("isoelastic", 1.0)
    assert [source.yields for source in problem.sources] == [((0, 1.0),), ((1, 0.7), (2, 0.3)), ((2, 1.0),)]
    assert [source.lot_size for source in problem.sources] == [5, 1, 1]
    assert problem.limits == (Limit("at most half on a", "sources", (0,), "cost_share", maximum=0.5),)
    np.testing.assert_array_equal(problem.targets, [0.8, np.nan, 0.7])
    np.testing.assert_array_equal(problem.max_count, [60.0, np.nan, np.nan])
    np.testing.assert_array_equal(trial.start, [30.0, 450.0, 30.0])
    assert truths.transfer is not None
    # A n/(n + m) at n = 100 of the second population, without the others' help; the second draw is 1 % larger.
    alone = truths.moved(np.zeros(3)).loss(np.full(3, 100.0))[1]
    assert alone[0] == pytest.approx(1.0 - 0.92 * 100.0 / 502.0)


def test_a_trial_is_stored_as_it_was() -> None:
    stored = (DATA / "trial.npz").read_bytes()
    (arrays, words), (again, said) = unpack(stored), unpack(freeze(thaw(stored)))
    assert words == said
    assert arrays.keys() == again.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, again[name])


def test_what_the_licence_rule_excludes_is_stored() -> None:
    trial = thaw((DATA / "trial.npz").read_bytes())
    asked = trial.rules.problem
    assert not any(source.excluded for source in asked.sources)
    without = replace(asked, sources=(replace(asked.sources[0], excluded=True), *asked.sources[1:]))
    again = thaw(freeze(replace(trial, rules=replace(trial.rules, problem=without))))
    assert [source.excluded for source in again.rules.problem.sources] == [True, False, False]


def test_conflict_is_stored_with_the_truth() -> None:
    trial = thaw((DATA / "trial.npz").read_bytes())
    transfer = trial.truths.transfer
    assert transfer is not None
    assert not transfer.clashes
    clashing = replace(transfer, conflict=np.full_like(transfer.kappa, 0.3))
    again = thaw(freeze(replace(trial, truths=replace(trial.truths, transfer=clashing)))).truths.transfer
    assert again is not None
    np.testing.assert_array_equal(again.conflict, clashing.conflict)


def test_stored_outcomes_can_be_read_and_joined_with_new_ones() -> None:
    stored = thaw_outcomes((DATA / "outcomes.npz").read_bytes())
    assert list(stored) == ["optimal", "equal", "oracle"]
    trial = thaw((DATA / "trial.npz").read_bytes())
    fresh = thaw_outcomes(freeze_outcomes(play_part(trial, ["equal"], 0, trial.games, lambda _: None)))
    # The oracle asks no fit; equal counts fill up since these were stored.
    np.testing.assert_array_equal(stored["oracle"].spent, fresh["oracle"].spent)
    np.testing.assert_allclose(stored["oracle"].counts, fresh["oracle"].counts, rtol=1e-12)
    np.testing.assert_allclose(stored["oracle"].utility, fresh["oracle"].utility, rtol=1e-12)
    assert np.all(fresh["equal"].spent == trial.rules.problem.budget)
    assert np.all(stored["equal"].spent < trial.rules.problem.budget)
