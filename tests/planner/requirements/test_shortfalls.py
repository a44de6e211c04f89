"""What can be had instead of a chance that cannot: against the draws themselves and the question asked anew."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.requirements.requirements import requirements
from app.planner.requirements.shortfalls import OFFER_STEP, OFFERED
from tests.planner.problems import MONEY, offers, problem, scattered, stated
from tests.planner.requirements.test_requirements import CURVES, asked, helped, uncertain


def target_reached_by(share: float, posterior: object) -> float:
    return 1.0 - float(np.quantile(posterior.asymptote[0], share))  # type: ignore[attr-defined]


@pytest.mark.parametrize("share", [0.5, 0.63, 0.79])
def test_a_target_that_half_of_the_curves_reach_is_offered_at_its_own_chance(share: float) -> None:
    posterior = scattered(CURVES, 400, 0)
    target = target_reached_by(share, posterior)
    asking = asked(posterior, [1.0, 2.0], [target, 0.6])
    (short,) = requirements(asking, 0.8, joint=False).short
    reached = float((posterior.asymptote[0] < 1.0 - target).mean())
    assert (short.cause, short.chance) == ("unsure", reached)
    assert "out of reach" not in short.reason
    assert "levels off" not in short.reason
    assert f"with a chance of {reached:.0%}".replace("%", " %") in short.reason
    assert short.offer is not None
    assert short.offer.chance == max(level for level in OFFERED if level <= reached - OFFER_STEP + 1e-9)
    # Asked for that chance, the group alone needs these samples, and one less does not give it.
    alone = asked(posterior, [1.0, 2.0], [target, np.nan])
    again = requirements(alone, short.offer.chance, joint=False)
    assert not again.short
    assert (again.spend, again.groups[0].count) == (short.offer.spend, short.offer.count)
    counts = np.array([short.offer.count, 50.0])
    for less, enough in ((0.0, True), (1.0, False)):
        share_there = (posterior.band(counts - [less, 0.0])[0] <= 1.0 - target).mean()
        assert bool(share_there >= short.offer.chance) is enough


@pytest.mark.parametrize(("reached", "cause"), [(0.04, "out_of_reach"), (0.06, "unsure"), (0.12, "unsure")])
def test_out_of_reach_is_said_below_one_in_twenty_alone(reached: float, cause: str) -> None:
    posterior = scattered(CURVES, 400, 3)
    target = 1.0 - float(np.sort(posterior.asymptote[0])[int(reached * 400)])
    (short,) = requirements(asked(posterior, [1.0, 2.0], [target, 0.6]), 0.8, joint=False).short
    assert short.cause == cause
    assert ("out of reach" in short.reason) is (cause == "out_of_reach")
    assert (short.offer is None) is (reached < 0.1)


def test_what_limits_allow_is_offered_with_its_price() -> None:
    posterior = uncertain(400, 1)
    asking = asked(posterior, [3.0, 1.0], [0.82, 0.6])
    asking = replace(asking, sources=(replace(asking.sources[0], max_order=250), asking.sources[1]))
    (short,) = requirements(asking, 0.95, joint=False).short
    most = (posterior.band(np.array([300.0, 50.0]))[0] <= 0.18).mean()
    assert (short.cause, short.chance) == ("bound", pytest.approx(most))
    assert short.offer is not None
    assert short.offer.chance <= short.chance < short.offer.chance + 0.05 + 1e-9
    assert short.offer.count <= 300.0
    assert short.offer.spend == round(short.offer.count - 50.0) * 3 * MONEY


def test_what_is_held_already_is_offered_for_nothing() -> None:
    posterior = scattered(CURVES, 400, 0)
    target = target_reached_by(0.7, posterior)
    asking = asked(posterior, [1.0, 2.0], [target, 0.6], held=[1e9, 50.0])
    (short,) = requirements(asking, 0.8, joint=False).short
    assert short.offer is not None
    assert short.offer.spend == 0
    assert "it has already" in short.reason


def test_nothing_is_offered_where_nothing_is_sold() -> None:
    asking = problem(stated(CURVES), offers([1.0], groups=[1]), 0.0, targets=[0.85, 0.8])
    (short,) = requirements(asking, 0.9, joint=False).short
    assert (short.cause, short.offer) == ("no_source", None)


@pytest.mark.parametrize("joint", [False, True])
def test_where_other_groups_help_the_offer_keeps_its_chance(joint: bool) -> None:
    posterior = helped(0.4, 400)
    target = target_reached_by(0.7, posterior)
    (short,) = requirements(asked(posterior, [1.0, 2.0], [target, 0.6]), 0.8, joint=joint).short
    if short.offer is not None:
        assert short.offer.chance <= short.chance
