"""Targets that cannot be reached with the chance asked: the highest chance there is, and what a lower one costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.planner.requirements.chance_problem import Answer, Cause, ChanceProblem
from app.planner.wording import count, money, near, percent

OFFERED = tuple(k / 20 for k in range(1, 20))
"""Chances that are offered instead of the one asked: no finer than draws tell apart."""
LEVEL_ROUNDING = 1e-9
"""A chance this little below another is it."""
OFFER_STEP = 0.05
"""Offers stay this far below what endless data gives: the last of it takes endless data."""
MOST_OFFERS = 50
"""Groups for which a lower chance is priced: each costs a few integer programmes."""


@dataclass(frozen=True)
class Offer:
    """What the group needs for a lower chance, bought for it alone: effective samples, and millionths."""

    chance: float
    count: float
    spend: int


@dataclass(frozen=True)
class Shortfall:
    """A group whose target cannot be reached with the chance asked, why, and what could be done: one sentence.

    chance: the highest that can be reached, by endless data or by all that can be bought. offer: the highest of
    OFFERED that orders can well give, None where there is none. best: the metric that is reached with
    the chance asked, by endless data where the curve stands in the way, else by all that can be bought of the group.
    """

    key: str
    cause: Cause
    chance: float
    offer: Offer | None
    best: float
    reason: str


def shortfalls(question: ChanceProblem, answer: Answer, chance: float) -> dict[int, Shortfall]:
    """By the group's place in the problem, in the goals' order."""
    found: dict[int, Shortfall] = {}
    offers = 0
    for at in sorted(answer.causes):
        cause = answer.causes[at]
        counts = question.most(at, float(answer.needed[at])) if cause in ("bound", "no_source") else None
        top = _top(question, at, cause, counts)
        offer = None
        if cause in ("unsure", "bound") and offers < MOST_OFFERS:
            offer = _offer(question, at, top - OFFER_STEP if cause == "unsure" else top)
            offers += 1
        best = float(question.best_metric(chance, counts)[at])
        group = int(question.goals.indices[at])
        words = _words(question, answer, at, chance, top, best)
        reason = f"{words} {_offered(question, group, offer)}{_advice(cause, offer)}"
        found[group] = Shortfall(question.problem.keys[group], cause, top, offer, best, reason)
    return found


def _top(question: ChanceProblem, at: int, cause: Cause, counts: np.ndarray | None) -> float:
    """The highest chance that the goal can have."""
    if cause == "no_source":
        return float(question.chances_now[at])
    if counts is not None:
        return float(question.chances(counts)[at])
    return float(question.reachable[at])


def _offer(question: ChanceProblem, at: int, below: float) -> Offer | None:
    """The orders of the highest chance offered, at most `below`, that the goal alone can have."""
    within = np.zeros(len(question.goals.loss), dtype=np.bool_)
    within[at] = True
    levels: Sequence[float] = [level for level in OFFERED if level <= below + LEVEL_ROUNDING]
    low, high, best = 0, len(levels), None
    # The highest is tried first: it nearly always can be bought.
    middle = high - 1
    while low < high:
        other = question.solve(levels[middle], within)
        if other.is_whole:
            low, best = middle + 1, (levels[middle], other)
        else:
            high = middle
        middle = (low + high) // 2
    if best is None:
        return None
    level, other = best
    return Offer(level, float(other.counts[question.goals.indices[at]]), other.spend)


def _words(question: ChanceProblem, answer: Answer, at: int, chance: float, top: float, best: float) -> str:
    target = near(float(question.problem.targets[question.goals.indices[at]]))
    cause = answer.causes[at]
    if cause == "out_of_reach":
        return (
            f"Its target {target} is out of reach: endless data reaches it with a chance of {percent(top)},"
            f" and {near(best)} with {percent(chance)}."
        )
    if cause == "unsure" and top < chance:
        return f"Endless data reaches its target {target} with a chance of {percent(top)}, not {percent(chance)}."
    if cause == "unsure":
        return (
            f"The further beyond what was measured, the less is known: no number of samples reaches its target {target}"
            f" with a chance of {percent(chance)}."
        )
    if cause == "no_source":
        return f"No source sells samples of it: what is held reaches its target with a chance of {percent(top)}."
    return (
        f"Its sources, or the bounds and limits on buying, do not allow the {count(np.ceil(answer.needed[at]))} samples"
        f" that it needs: what they allow reaches its target {target} with a chance of {percent(top)}."
    )


def _offered(question: ChanceProblem, group: int, offer: Offer | None) -> str:
    if offer is None:
        return ""
    more = offer.count - float(question.held[group])
    if offer.spend == 0 or more <= 0.0:
        return f"A chance of {percent(offer.chance)} it has already. "
    price = money(offer.spend, question.problem.payable)
    return f"A chance of {percent(offer.chance)} takes {count(np.ceil(more))} more samples, for {price}. "


def _advice(cause: Cause, offer: Offer | None) -> str:
    if cause == "out_of_reach":
        return "Lower the target, or change the model."
    if cause == "no_source":
        return "Add one, or take its target away."
    if cause == "bound":
        return "Loosen them, or add a source."
    lower = "Ask for that, measure" if offer else "Measure"
    return f"{lower} it at more sizes or on a larger holdout, or lower the target."
