"""What sources are worth: a case worked out by hand, and all ways to reckon it beside each other."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.relaxation.relax import relax
from app.planner.utility.objective import Objective
from app.planner.utility.stakeholders import Stakeholder
from app.planner.valuation import deliveries
from app.planner.valuation.deliveries import Delivered, closing_costs, source_values
from tests.planner.joint import joint_posterior
from tests.planner.problems import MAXIMIN, UTILITARIAN, offers, problem, random_curves, scattered, stated


def random_problem(seed: int, players: int, groups: int = 3) -> tuple[Problem, list[Delivered]]:
    rng = np.random.default_rng(seed)
    came = rng.integers(0, 200, size=(players, groups)) * (rng.random((players, groups)) < 0.6)
    objective = (UTILITARIAN, MAXIMIN, Objective("gap", lambda_=1.0), Objective("cvar", tail=0.5))[seed % 4]
    held = 50.0 + came.sum(axis=0)
    posterior = scattered(random_curves(rng, groups), 40, seed)
    asked = problem(posterior, offers([1.0] * groups), 100.0, objective, held=held.tolist())
    return asked, [Delivered(f"player {at}", one.astype(np.float64)) for at, one in enumerate(came)]


def test_two_like_vendors_and_one_that_brought_nothing() -> None:
    asked = problem(stated([(0.0, 1.0, 0.5, 0.0)]), (), 0.0, held=[700.0])
    came = [Delivered(key, np.array([count])) for key, count in (("A", 300.0), ("B", 300.0), ("C", 0.0))]
    found = source_values(asked, came)
    assert found.total == pytest.approx(0.1 - 700**-0.5)
    assert found.base == pytest.approx(0.9)
    first, second, third = found.players
    assert first.value.mean == second.value.mean == pytest.approx(0.031102, abs=1e-6)
    assert (first.share, third.share) == (pytest.approx(0.5), 0.0)
    assert (first.leave_one_out, third.leave_one_out) == (pytest.approx(0.012204, abs=1e-6), 0.0)
    assert (found.method, found.error, third.value.mean) == ("exact", 0.0, 0.0)


@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), players=st.integers(1, 5))
def test_shares_sum_to_one_and_every_way_agrees(seed: int, players: int) -> None:
    asked, came = random_problem(seed, players)
    found = source_values(asked, came)
    values = np.array([one.value.mean for one in found.players])
    if asked.objective.kind == "utilitarian":
        # Draw by draw F is linear round what is expected, so that other objectives may differ in the last per cents.
        assert values.sum() == pytest.approx(found.total, abs=1e-9)
    assert sum(one.share or 0.0 for one in found.players) == pytest.approx(1.0 if values.any() else 0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliveries, "MOST_EXACT", 0)
        at_mean = source_values(asked, came)
        patch.setattr(deliveries, "MOST_AT_MEAN", 0)
        sampled = source_values(asked, came, seed=seed)
    assert np.allclose([one.value.mean for one in at_mean.players], values, atol=1e-9)
    assert np.allclose([one.value.mean for one in sampled.players], values, atol=6.0 * sampled.error + 1e-9)
    assert np.isnan(at_mean.players[0].value.p05)


def test_twenty_are_reckoned_at_the_mean_and_more_by_permutations() -> None:
    asked, came = random_problem(4, 13)
    assert source_values(asked, came).method == "exact"
    asked, came = random_problem(4, 22)
    found = source_values(asked, came, seed=1)
    assert found.method == "permutations"
    assert sum(one.value.mean for one in found.players) == pytest.approx(found.total, rel=1e-6)


def test_of_very_many_groups_orders_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, came = random_problem(4, 10)
    monkeypatch.setattr(deliveries, "MOST_VALUED_CURVES", 1024 * 3 - 1)
    found = source_values(asked, came, seed=1)
    assert found.method == "permutations"
    assert sum(one.value.mean for one in found.players) == pytest.approx(found.total, rel=1e-6)


def test_joint_groups_and_a_compromise_are_valued_too() -> None:
    asked, came = random_problem(0, 3)
    joint = replace(asked, posterior=joint_posterior(0, 3, 40, 0.5, asked.held))
    found = source_values(joint, came)
    assert sum(one.value.mean for one in found.players) == pytest.approx(found.total, rel=1e-6)
    served = replace(asked, stakeholders=(Stakeholder("all", UTILITARIAN),), objective=Objective("compromise"))
    assert source_values(served, came).total == pytest.approx(source_values(asked, came).total / _span(asked), rel=0.01)


def _span(asked: Problem) -> float:
    form = Canonical.of(asked)
    found = relax(form, form.utility).relaxation
    return found.utility - form.values.total(form.held)


def test_shutting_a_source_costs_what_the_next_round_lacks_without_it() -> None:
    asked = problem(stated([(0.0, 1.0, 0.5, 0.0)]), offers([1.0, 2.0], groups=[0, 0]), 300.0, held=[100.0])
    cheap, dear, both = closing_costs(asked, [["s0"], ["s1"], ["s0", "s1"]])
    assert cheap == pytest.approx(250**-0.5 - 400**-0.5)
    assert dear == 0.0
    assert both == pytest.approx(100**-0.5 - 400**-0.5)
    needed = replace(asked, min_count=np.array([350.0]))
    assert closing_costs(needed, [["s0"]]) == (None,)
