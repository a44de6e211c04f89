"""When to stop buying, and whether to buy evaluation samples instead (planner.md 9, stop and evaluation advice)."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StopAdvice:
    """How much of the budget is worth spending.

    worth_spending: millionths, at most the budget; beyond it the money buys less than it costs. worth: currency's value
    of what the whole budget buys, None without `value_per_utility`. gain: utility that the whole budget buys.
    stop: whether nothing is worth spending. reason: one sentence.
    """

    worth_spending: int
    worth: float | None
    gain: float
    stop: bool
    reason: str


@dataclass(frozen=True)
class EvaluationAdvice:
    """Whether a group's next samples help the decision more in the holdout or in training.

    evaluation_variance, training_variance: what the holdout's error and what is not known of the curve contribute to
    the variance of the group's part of the utility after the plan (utility²). advice: the larger of the two,
    "neither" where both vanish. enlarge: by which factor the holdout must grow for the two to be equal, None where it
    is large enough. reason: one sentence.
    """

    key: str
    evaluation_variance: float
    training_variance: float
    advice: Literal["evaluation", "training", "neither"]
    enlarge: float | None
    reason: str
