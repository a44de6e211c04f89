"""How much the level of a curve owes to what was chosen on its holdouts."""

from math import pi, sqrt

import numpy as np
import pytest

from app.planner.curves import Observations, Points
from app.planner.holdouts import optimism_of, worn


def test_holdouts_weigh_by_their_precision() -> None:
    counts, losses = np.array([10.0, 20.0, 40.0]), np.array([0.4, 0.3, 0.2])
    points = (
        Points(counts, losses, np.array([0.03, 0.02, 0.01]), np.array([0, 0, 1])),
        Points(counts, losses, np.full(3, np.nan), np.zeros(3, dtype=np.int64)),
    )
    observations = Observations(keys=("A", "B"), points=points, assumed=(None, None), held=np.zeros(2), span=1.0)
    # The newest error on holdout 0 is .02, the best of two looks better by .02/√π; holdout 1 is four times as precise.
    found = optimism_of(observations, {0: 2})
    assert found.tolist() == pytest.approx([0.02 / sqrt(pi) / 5, 0.0])


def test_many_groups_are_counted() -> None:
    [warning] = worn({"h": [f"g{at}" for at in range(12)]})
    assert "(g0, g1, g2, g3, g4, g5, g6, g7, g8, g9 and 2 more)" in warning.detail
