"""The reverse question: the least cost at which every group reaches its target with a stated chance (method.md 7).

Where each group's curve depends on its own count alone, P_g(N_g) ≥ p says how many samples a group needs, and the
cheapest orders that bring them are the answer. `joint` asks Σ log P_g(N_g) ≥ log p instead, log P_g replaced by its
concave hull, and the level raised until the true chance is p. Where other groups' data moves the curves a sufficient
condition stands for the chance (`cvar_condition`), and the chance it gives is counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.planner.errors import Constraint, Culprit, ProblemError
from app.planner.problem.problem import MAX_BUDGET, Problem
from app.planner.requirements.chance_problem import Answer, ChanceProblem
from app.planner.requirements.shortfalls import Shortfall, shortfalls
from app.planner.wording import count, percent


@dataclass(frozen=True)
class GroupRequirement:
    """One group with a target. Counts are effective samples, chances probabilities under the predictive law.

    target: in the metric's units. count_now: held and pending. count_needed: the least count that gives the chance
    asked of it, None where no count does. count: with the orders. chance_now, chance: at these counts.
    chance_reachable: that the curve's asymptote beats the target. reason: one sentence.
    """

    key: str
    target: float
    count_now: float
    count_needed: float | None
    count: float
    chance_now: float
    chance: float
    chance_reachable: float
    reason: str


@dataclass(frozen=True)
class SourceRequirement:
    """One source's order in samples and its cost in millionths."""

    key: str
    order: int
    cost: int


@dataclass(frozen=True)
class BudgetChance:
    """What a budget in millionths can reach: `level` is the highest chance that it gives every group (with `joint`:
    all of them together); `joint_chance` that all reach their targets with those orders, `chances` per group of
    `Requirements.groups`. spend: what those orders cost."""

    budget: int
    spend: int
    level: float
    joint_chance: float
    chances: tuple[float, ...]


@dataclass(frozen=True)
class Requirements:
    """The answer. groups: those with a target, in the problem's order; sources in the problem's order.

    Where `short` names groups, the orders serve all the others. spend: millionths. method: "exact", or
    "conservative" where other groups' data moves the curves and a sufficient condition stands for the chance.
    gap: the share of `spend` by which cheaper orders are not ruled out. joint_chance: that all groups reach their
    targets. curve: chances by budget, ascending.
    """

    chance: float
    joint: bool
    groups: tuple[GroupRequirement, ...]
    sources: tuple[SourceRequirement, ...]
    spend: int
    gap: float
    method: Literal["exact", "conservative"]
    joint_chance: float
    curve: tuple[BudgetChance, ...]
    short: tuple[Shortfall, ...]

    @property
    def culprits(self) -> tuple[Culprit, ...]:
        """The targets that cannot have the chance, as constraints that cannot be met: lowered to `have`, they can."""
        targets = {group.key: group.target for group in self.groups}
        return tuple(
            Culprit(Constraint("group", lost.key, "target"), lost.best, targets[lost.key], lost.reason)
            for lost in self.short
        )


CHANCES = (*(k / 20 for k in range(1, 20)), 0.99)
"""Chances among which a budget's is searched."""
SHOWN = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""Chances whose budgets are shown where none is asked for."""
MAX_BUDGETS = 50


def requirements(problem: Problem, chance: float, joint: bool, budgets: Sequence[int] = ()) -> Requirements:
    """The least cost at which every group with a target reaches it with the chance; the problem's budget is no limit.

    joint: the chance is that all of them reach theirs together. budgets: millionths, for the curve; without any, those
    of some chances are shown. Raises ProblemError where no group has a target or an argument is out of range,
    InfeasibleError where bounds and limits allow no orders whatever is spent.
    """
    _check(problem, chance, budgets)
    question = ChanceProblem.of(problem, joint)
    question.check()
    answer = question.solve(chance)
    chances = question.chances(answer.counts)
    goals = question.goals
    lost = shortfalls(question, answer, chance)
    return Requirements(
        chance=chance,
        joint=joint,
        groups=tuple(
            _group(question, answer, at, float(chances[at]), lost.get(int(g))) for at, g in enumerate(goals.indices)
        ),
        sources=tuple(
            SourceRequirement(source.key, order, source.cost(order))
            for source, order in zip(problem.sources, answer.orders.tolist(), strict=True)
        ),
        spend=answer.spend,
        gap=answer.gap,
        method="conservative" if question.crossed else "exact",
        joint_chance=float(chances.prod()),
        curve=_curve(question, answer, chance, budgets),
        short=tuple(lost[g] for g in sorted(lost)),
    )


def _check(problem: Problem, chance: float, budgets: Sequence[int]) -> None:
    """Raises ProblemError where the chance, the targets or the budgets cannot be asked for."""
    if not 0.0 < chance < 1.0:
        raise ProblemError(f"the chance is {chance}; it must lie above 0 and below 1")
    if np.isnan(problem.targets).all():
        raise ProblemError("no group has a target; give one a target")
    if len(budgets) > MAX_BUDGETS:
        raise ProblemError(f"{len(budgets)} budgets are asked for; ask for at most {MAX_BUDGETS}")
    for budget in budgets:
        if not 0 <= budget <= MAX_BUDGET:
            raise ProblemError(f"a budget is {budget} millionths; it must lie from 0 to {MAX_BUDGET}")


def _group(
    question: ChanceProblem, answer: Answer, at: int, reached: float, lost: Shortfall | None
) -> GroupRequirement:
    group = int(question.goals.indices[at])
    needed, now = float(answer.needed[at]), float(question.held[group])
    before = float(question.chances_now[at])
    if lost is not None:
        reason = lost.reason
    elif needed <= now:
        reason = f"It reaches its target with a chance of {percent(before)} without another sample."
    else:
        whole, more = count(np.ceil(needed)), count(float(answer.counts[group]) - now)
        reason = f"It needs {whole} samples; the orders bring {more} more, for a chance of {percent(reached)}."
    return GroupRequirement(
        key=question.problem.keys[group],
        target=float(question.problem.targets[group]),
        count_now=now,
        count_needed=needed if np.isfinite(needed) else None,
        count=float(answer.counts[group]),
        chance_now=before,
        chance=reached,
        chance_reachable=float(question.reachable[at]),
        reason=reason,
    )


def _curve(question: ChanceProblem, answer: Answer, chance: float, budgets: Sequence[int]) -> tuple[BudgetChance, ...]:
    if not budgets:
        found = [(level, question.solve(level, answer.served)) for level in sorted({*SHOWN, chance})]
        return tuple(_point(question, other.spend, level, other) for level, other in found if other.is_whole)
    levels = sorted({*CHANCES, chance})
    return tuple(_affordable(question, answer, levels, budget) for budget in sorted(budgets))


def _affordable(question: ChanceProblem, answer: Answer, levels: list[float], budget: int) -> BudgetChance:
    """The highest of the levels that the budget pays for."""
    low, high, best = 0, len(levels), None
    while low < high:
        middle = (low + high) // 2
        other = question.solve(levels[middle], answer.served)
        if other.is_whole and other.spend <= budget:
            low, best = middle + 1, (levels[middle], other)
        else:
            high = middle
    if best is None:
        return _point(question, budget, 0.0, None)
    return _point(question, budget, *best)


def _point(question: ChanceProblem, budget: int, level: float, answer: Answer | None) -> BudgetChance:
    chances = question.chances_now if answer is None else question.chances(answer.counts)
    spend = 0 if answer is None else answer.spend
    return BudgetChance(budget, spend, level, float(chances.prod()), tuple(chances.tolist()))
