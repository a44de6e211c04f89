"""Which holdouts hide, by what was chosen on them, what the next purchase is to be decided by."""

from collections.abc import Mapping, Sequence

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves import Observations
from app.planner.holdouts.reuse import expected_max, is_worn
from app.planner.plan import Plan
from app.planner.wording import Warning

MOST_LISTED = 10
"""The most groups that a sentence names."""


def optimism_of(observations: Observations, compared: Mapping[int, int]) -> FloatArray:
    """By how much each group [groups] may look better than it is, at most: Σ_h s_h⁻² b_h / Σ_h s_h⁻² over its holdouts,
    b_h the optimism of one of error s_h; as the curve's level is that of all of them. compared: by a holdout's number,
    how many candidates were held against each other on it."""
    found = np.zeros(len(observations.points))
    for at, points in enumerate(observations.points):
        # The newest of each holdout comes last.
        known = {h: s for h, s in zip(points.holdouts.tolist(), points.stderrs.tolist(), strict=True) if s > 0.0}
        if known:
            errors = np.array(list(known.values()))
            expected = np.array([expected_max(compared.get(h, 1)) for h in known])
            found[at] = np.sum(expected / errors) / np.sum(errors**-2.0)
    return found


def worn_groups(
    observations: Observations, compared: Mapping[int, int], plan: Plan, targets: Mapping[str, float | None]
) -> dict[int, list[str]]:
    """The groups, in the plan's order, for which a holdout is worn, by its number. targets: by group,
    None where it has none; compared as above."""
    place = {key: at for at, key in enumerate(observations.keys)}
    found: dict[int, list[str]] = {}
    for holdout in sorted(compared):
        for group in plan.groups:
            points = observations.points[place[group.key]]
            errors = points.stderrs[(points.holdouts == holdout) & ~np.isnan(points.stderrs)]
            if not len(errors):
                continue
            gain = abs(group.metric_after.mean - group.metric_now.mean) if group.add else None
            target = targets[group.key]
            distance = None if target is None else abs(target - group.metric_now.mean)
            if is_worn(expected_max(compared[holdout]) * float(errors[-1]), gain, distance):
                found.setdefault(holdout, []).append(group.key)
    return found


def worn(worn_for: Mapping[str, Sequence[str]]) -> list[Warning]:
    """One warning for each holdout that is worn."""
    return [
        Warning(
            "holdout_worn",
            f"So much was chosen on the holdout '{name}' that what is to be decided may be its luck ({listed(keys)}):"
            " score the next runs on a fresh one, as large as GET …/holdouts says.",
        )
        for name, keys in worn_for.items()
    ]


def listed(keys: Sequence[str]) -> str:
    return ", ".join(keys[:MOST_LISTED]) + (f" and {len(keys) - MOST_LISTED} more" if len(keys) > MOST_LISTED else "")
