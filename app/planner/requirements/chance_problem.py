"""How the groups' targets are reached at least cost: the counts they need, then the orders that bring them.

The engine of `requirements`. Arrays [groups] in the problem's order; [goals]: the groups with a target.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.errors import BUDGET, InfeasibleError
from app.planner.plan.plan import Plan
from app.planner.problem.canonical import Canonical
from app.planner.problem.feasibility import check_feasible
from app.planner.problem.problem import MAX_BUDGET, Problem
from app.planner.requirements.chances import Goals
from app.planner.requirements.covering import Cover, cover
from app.planner.requirements.cvar_condition import Tail, met_by_cuts
from app.planner.requirements.demands import Hull, Need
from app.planner.requirements.supply import most_of, rough_cost
from app.planner.utility.objective import Objective

Cause = Literal["out_of_reach", "unsure", "no_source", "bound"]
"""Why a target cannot have the chance asked: hardly any curve reaches it, some do but too few, no source sells samples
of the group, or limits on buying."""

HARDLY_EVER = 0.05
"""A target that endless data reaches with a smaller chance is called out of reach."""

RICHES = (10, 10**4, 10**7)
"""Budgets, in multiples of a rough cost, that are tried before bounds and limits are called contradictory."""
RAISES = 8
MET = 1e-9
"""A chance this near, in logarithms, is reached."""


@dataclass(frozen=True)
class Answer:
    """Orders [sources in the problem's order], spend in millionths, counts [groups]; gap as in `covering`.

    needed [goals]: counts that give the chance, inf where none does. causes: of goals that cannot have it. asked,
    served [goals]: those that were to be reached, and those that are.
    """

    orders: IntArray
    spend: int
    gap: float
    counts: FloatArray
    needed: FloatArray
    causes: dict[int, Cause]
    asked: BoolArray
    served: BoolArray

    @property
    def is_whole(self) -> bool:
        """Whether every goal that was to be reached is."""
        return bool(np.array_equal(self.asked, self.served))


@dataclass(frozen=True)
class ChanceProblem:
    """A problem with its goals. held [groups]: effective counts now, pending ones included. crossed: whether other
    groups' data moves a curve."""

    problem: Problem
    joint: bool
    goals: Goals
    held: FloatArray
    crossed: bool
    _solved: dict[tuple[float, bytes], Answer] = field(default_factory=dict)
    _counts_needed: dict[float, FloatArray] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, joint: bool) -> "ChanceProblem":
        """The question for the groups of the problem that have a target."""
        pending = np.zeros(len(problem.keys)) if problem.pending is None else problem.pending
        transfer, held = problem.posterior.transfer, problem.held + pending
        crossed = transfer is not None and len(transfer.held) == len(problem.keys) and transfer.moves
        posterior = replace(problem.posterior, warnings=())
        if crossed:
            posterior = posterior.moved(held)
        goals = Goals.of(problem.hurdles, problem.metric, posterior)
        return cls(replace(problem, posterior=posterior), joint, goals, held, crossed)

    def check(self) -> None:
        """Raises InfeasibleError where bounds and limits allow no orders, whatever is spent."""
        rough, plain = (
            max(rough_cost(self.problem, np.zeros_like(self.held)), self.problem.budget, 1),
            Objective("utilitarian"),
        )
        for riches in RICHES:
            budget = min(rough * riches, MAX_BUDGET)
            try:
                check_feasible(Canonical.of(replace(self.problem, budget=budget, objective=plain)))
            except InfeasibleError as error:
                lacking = any(culprit.constraint == BUDGET for culprit in error.culprits)
                if not lacking or riches == RICHES[-1]:
                    raise
                continue
            return

    def chances(self, counts: FloatArray) -> FloatArray:
        """Chance [goals] of each target at counts [groups]."""
        goals = self.goals
        if self.crossed:
            goals = replace(goals, posterior=self.problem.posterior.moved(counts).select(goals.indices))
        return goals.chance(counts[goals.indices])

    @cached_property
    def chances_now(self) -> FloatArray:
        """Chance [goals] at the counts held."""
        return self.chances(self.held)

    @cached_property
    def reachable(self) -> FloatArray:
        """Chance [goals] that the curve's asymptote beats the target."""
        return self.goals.reachable()

    def best_metric(self, chance: float, counts: FloatArray | None) -> FloatArray:
        """The metric [goals] that is reached with the chance at counts [groups], None: by the asymptotes."""
        if counts is None:
            losses = np.maximum(self.goals.posterior.asymptote, 0.0)
        else:
            losses = self.problem.posterior.moved(counts).band(counts)[self.goals.indices]
        place = max(0, int(np.ceil(chance * losses.shape[1] - 1e-9)) - 1)
        return self.problem.metric.to_metric(np.sort(losses, axis=1)[:, place])

    def most(self, at: int, needed: float) -> FloatArray:
        """Counts [groups] with all that the goal's group can be brought, up to what it needs, and no more of others."""
        group = int(self.goals.indices[at])
        missing = np.zeros_like(self.held)
        missing[group] = max(0.0, needed - self.held[group])
        counts = self.held.copy()
        counts[group] = most_of(self.problem, group, needed, rough_cost(self.problem, missing))
        return counts

    def solve(self, chance: float, within: BoolArray | None = None) -> Answer:
        """The cheapest orders that give the goals `within` [goals] (None: all) the chance, each or with `joint` all
        together, but for those that cannot have it."""
        within = np.ones(len(self.goals.loss), dtype=np.bool_) if within is None else within
        key = (chance, within.tobytes())
        if key not in self._solved:
            self._solved[key] = self._solve(chance, within)
        return self._solved[key]

    def _solve(self, chance: float, within: BoolArray) -> Answer:
        needed = self._needed(chance)
        causes = self._beyond(chance, needed, within)
        while True:
            served = within & ~np.isin(np.arange(len(within)), list(causes))
            found = self._cover(chance, needed, served)
            if isinstance(found, Cover):
                return self._answer(found, needed, causes, (within, served))
            # What falls short is left out; the rest may then be served.
            wants = needed > self.held[self.goals.indices]
            lost = np.flatnonzero(served & found & wants)
            if not len(lost):
                lost = np.flatnonzero(served & wants)
            if not len(lost):
                return self._nothing(needed, causes, (within, served))
            causes = causes | {int(at): "bound" for at in lost}

    def _needed(self, chance: float) -> FloatArray:
        if chance not in self._counts_needed:
            self._counts_needed[chance] = self.goals.needed(chance)
        return self._counts_needed[chance]

    def _beyond(self, chance: float, needed: FloatArray, within: BoolArray) -> dict[int, Cause]:
        """The goals that no amount of data, or no source, reaches."""
        limit = self.goals.reachable()
        if self.crossed:
            tail = self._tail(chance).at_the_limit()
            needed = np.where(tail < 0.0, needed, np.inf)
        sold = {group for source in self.problem.sources for group, _ in source.yields}
        found: dict[int, Cause] = {}
        for at in np.flatnonzero(within).tolist():
            group = int(self.goals.indices[at])
            if limit[at] < chance:
                found[at] = "out_of_reach" if limit[at] < HARDLY_EVER else "unsure"
            elif not np.isfinite(needed[at]):
                found[at] = "unsure"
            elif not self.crossed and needed[at] > self.held[group] and group not in sold:
                found[at] = "no_source"
        return found

    def _cover(self, chance: float, needed: FloatArray, served: BoolArray) -> Cover | BoolArray:
        """The cover of the goals served, or which of the goals fall short."""
        if self.crossed:
            return self._conservative(chance, needed, served)
        least = self._least(needed, served)
        if not self.joint or not served.any():
            return self._covered(Need(least), needed)
        return self._jointly(chance, needed, served, least)

    def _covered(self, need: Need, needed: FloatArray) -> Cover | BoolArray:
        found = cover(self.problem, need, self._rough(needed))
        if isinstance(found, Cover):
            return found
        short = np.empty(len(found), dtype=np.bool_)
        short[self._order] = found
        return short[self.goals.indices]

    def _least(self, needed: FloatArray, served: BoolArray) -> FloatArray:
        """Counts that the goals served need [groups, in canonical order], −inf elsewhere."""
        least = np.full(len(self.held), -np.inf)
        least[self.goals.indices[served]] = needed[served]
        return least[self._order]

    @cached_property
    def _order(self) -> IntArray:
        keys = self.problem.keys
        return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)

    def _jointly(self, chance: float, needed: FloatArray, served: BoolArray, least: FloatArray) -> Cover | BoolArray:
        """All together: the level of the hulls is raised by what the true chance falls short."""
        place = np.argsort(self._order)
        lines = self.goals.log_hulls(chance, self.held[self.goals.indices], served)
        hulls = tuple(Hull(int(place[self.goals.indices[at]]), *line) for at, line in lines.items())
        level = np.log(chance)
        best: Cover | BoolArray = ~np.zeros(len(served), dtype=np.bool_)
        for _ in range(RAISES):
            found = self._covered(Need(least, hulls=hulls, level=level), needed)
            if not isinstance(found, Cover):
                return best if isinstance(best, Cover) else found
            best = found
            true = float(np.log(self.chances(self._counts(found))[served]).sum())
            if true >= np.log(chance) - MET:
                break
            level += np.log(chance) - true
        return best

    def _tail(self, chance: float) -> Tail:
        share = 1.0 - (chance ** (1.0 / len(self.goals.loss)) if self.joint else chance)
        return Tail(self.problem.posterior, self.goals.indices, self.goals.loss, share)

    def _conservative(self, chance: float, needed: FloatArray, served: BoolArray) -> Cover | BoolArray:
        """Orders at which the tails of the goals served are at most 0."""
        free = np.full(len(self.held), -np.inf)

        def covered(slopes: FloatArray, floors: FloatArray) -> tuple[Cover, FloatArray] | None:
            found = self._covered(Need(free, slopes[:, self._order], floors), needed)
            return (found, self._counts(found)) if isinstance(found, Cover) else None

        return met_by_cuts(self._tail(chance), served, covered)

    def _counts(self, found: Cover) -> FloatArray:
        counts = np.empty_like(self.held)
        counts[self._order] = found.counts
        return counts

    def _rough(self, needed: FloatArray) -> int:
        wanted = self.held.copy()
        wanted[self.goals.indices] = np.where(np.isfinite(needed), needed, 0.0)
        return rough_cost(self.problem, np.maximum(wanted - self.held, 0.0))

    def _answer(
        self, found: Cover, needed: FloatArray, causes: dict[int, Cause], goals: tuple[BoolArray, BoolArray]
    ) -> Answer:
        orders = np.empty(len(self.problem.sources), dtype=np.int64)
        orders[found.form.market.order] = found.orders
        counts = self._counts(found)
        if self.joint or self.crossed:
            needed = np.where(goals[1], counts[self.goals.indices], needed)
        return Answer(orders, found.cost, found.gap, counts, needed, causes, *goals)

    def _nothing(self, needed: FloatArray, causes: dict[int, Cause], goals: tuple[BoolArray, BoolArray]) -> Answer:
        none = np.zeros(len(self.problem.sources), dtype=np.int64)
        return Answer(none, 0, 0.0, self.held, needed, causes, *goals)


def chance_of(problem: Problem, plan: Plan) -> float | None:
    """That all groups with a target reach it once the plan has come; None where no group has one."""
    if np.isnan(problem.targets).all():
        return None
    form = Canonical.of(problem)
    orders = {source.key: source.order for source in plan.sources}
    ordered = np.array([orders[source.key] for source in form.sources], dtype=np.float64)
    counts = np.empty(len(form.keys))
    counts[form.order] = form.held + form.market.added(ordered)
    return float(ChanceProblem.of(problem, joint=True).chances(counts).prod())
