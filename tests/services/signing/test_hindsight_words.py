"""Sentences of hindsight: units, sides, and intervals on both sides of nothing."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from app.planner.plan import Gain, Interval
from app.planner.valuation import Instead, Review
from app.services.forecasts.record import ForecastRecord
from app.services.signing.hindsight_words import sentence
from app.services.valuation.hindsight import Hindsight
from app.store.models.projects import Project

NONE = Interval(0.0, 0.0, 0.0)
RECORD = ForecastRecord(0, None, None, (None, None, None), 0.0, np.ones(3))


def said(
    gain: Gain | None, objective: str = "utilitarian", added: tuple[float, ...] = (610.0, 390.0), **more: Any
) -> str:
    metric = {"metric_name": "accuracy", "metric_goal": "maximize", "metric_lower": 0.0, "metric_upper": 1.0}
    keys = [f"g{at}" for at in range(len(added))]
    rule = Instead("equal", None if gain is None else np.array(added), None if gain is None else NONE, gain)
    best = Instead("optimal", np.array(added), NONE, Gain(0.001, 0.0, 0.002, 0.9))
    review = Review(np.array(added), NONE, (rule,), best)
    found = Hindsight({"kind": objective}, keys, (), review, 0, RECORD)
    assert found.spent == Decimal(0)
    return sentence(Project(**(metric | more)), found, review, {"g0": "young"})


def test_a_split_that_does_worse_ends_lower_in_the_metric() -> None:
    assert said(Gain(-0.006, -0.010, -0.002, 0.01)) == (
        "Bought 610 of young and 390 of g1; an equal split would have ended 0.6 points of accuracy lower (0.2 to 1.0),"
        " and the best split by what is known now 0.1 higher."
    )


@pytest.mark.parametrize(
    ("gain", "more", "words"),
    [
        (Gain(-0.006, -0.01, -0.002, 0.01), {"metric_goal": "minimize"}, "0.6 points of accuracy higher (0.2 to 1.0)"),
        (Gain(0.002, -0.001, 0.005, 0.8), {}, "0.2 points of accuracy higher (0.1 lower to 0.5 higher)"),
        (Gain(-0.006, -0.01, -0.002, 0.01), {"metric_upper": None}, "0.006 of utility lower (0.002 to 0.01)"),
        (Gain(-0.006, -0.01, -0.002, 0.01), {"metric_upper": 5.0}, "0.03 of accuracy lower (0.01 to 0.05)"),
        (Gain(-0.006, -0.01, -0.002, 0.01), {"objective": "isoelastic"}, "0.006 of utility lower (0.002 to 0.01)"),
        (Gain(0.0, 0.0, 0.0, 0.5), {}, "would have ended the same,"),
        (None, {}, "could not have met the bounds of today,"),
    ],
)  # fmt: skip
def test_units_and_sides(gain: Gain | None, more: dict[str, Any], words: str) -> None:
    assert words in said(gain, **more)


def test_of_many_groups_the_largest_are_named() -> None:
    text = said(Gain(0.0, 0.0, 0.0, 0.5), added=(1.0, 9.0, 5.0, 4.0, 3.0, 2.0))
    assert text.startswith("Bought 9 of g1, 5 of g2, 4 of g3, 3 of g4 and 3 of 2 other groups;")
