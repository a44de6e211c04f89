"""What the holdouts' errors leave, all groups at once, is what it is group by group."""

import numpy as np

from app.planner.curves.observations import Points
from app.planner.information.evaluation import holdout_variance, holdout_variances


def points(stderrs: list[float], holdouts: list[int]) -> Points:
    none = np.linspace(0.1, 0.2, len(stderrs))
    return Points(none, none, np.array(stderrs), np.array(holdouts, dtype=np.int64))


def test_all_groups_at_once_are_as_one_by_one() -> None:
    rng = np.random.default_rng(5)
    groups = [points(rng.uniform(0.001, 0.02, size).tolist(), [0] * size) for size in (1, 3, 9, 20, 20, 20)]
    groups += [points([], []), points([np.nan, np.nan], [0, 0]), points([0.01, np.nan, 0.0], [0, 0, 1])]
    groups += [points([0.01, 0.02, 0.03], [0, 1, 1])]
    found = holdout_variances(groups)
    assert found.tolist() == [holdout_variance(one) for one in groups]
    assert found[6:8].tolist() == [0.0, 0.0]
    assert found[3] > 0.0
