"""At which subset sizes to retrain next, so that the decision becomes most certain (planner.md 7)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MeasurementRun:
    """One training run on nested subsets of what is held.

    counts: samples per group, in the problem's order, whole and at most those held. variance_before, variance_after:
    expected posterior variance of the marginal utility per currency unit at the recommended counts, summed over the
    groups, before and after this run. reason: one sentence.
    """

    counts: tuple[int, ...]
    variance_before: float
    variance_after: float
    reason: str


@dataclass(frozen=True)
class MeasurementPlan:
    """Runs in the order in which they tell most. keys: groups in the problem's order, of the runs' counts.

    variance_now, variance_after: as in `MeasurementRun`, before the first and after the last run.
    recommended: the counts per group at which the marginal utility is judged.
    """

    keys: tuple[str, ...]
    recommended: tuple[float, ...]
    runs: tuple[MeasurementRun, ...]
    variance_now: float
    variance_after: float
