"""What can be bought at all: how much of a group, which groups fall short, what counts roughly cost (method.md 7)."""

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array, vstack

from app.planner.arrays import BoolArray, FloatArray
from app.planner.integer.integer_programme import whole_orders
from app.planner.problem.canonical import Canonical
from app.planner.problem.linear import Linear, maximise, maximise_whole
from app.planner.problem.order_programme import Programme
from app.planner.problem.problem import MAX_BUDGET, Problem
from app.planner.requirements.demands import Need, question_of
from app.planner.utility.objective import Objective

AMPLE = 4
"""Money, in multiples of a rough cost: enough for what is asked."""
SUPPLY_NODES = 4000
SUPPLY_GAP = 1e-7


def rough_cost(problem: Problem, missing: FloatArray) -> int:
    """About what the samples missing [groups in the problem's order] cost, in millionths: each group from its cheapest
    source alone, and the dearest of the smallest orders beside."""
    cheapest: dict[int, int] = {}
    allowed = [source for source in problem.sources if not source.excluded]
    for source in allowed:
        for group, share in source.yields:
            rate = share * source.acceptance_rate * source.quality
            cost = source.cost(max(int(np.ceil(missing[group] / rate)), 1))
            cheapest[group] = min(cost, cheapest.get(group, cost))
    return sum(cheapest.values()) + max((source.cost(source.least) for source in allowed), default=0)


def most_of(problem: Problem, group: int, wanted: float, rough: int) -> float:
    """The largest effective count of a group (an index into the problem's) that any orders bring, up to `wanted`."""
    budget = min(max(rough, 1) * AMPLE, MAX_BUDGET)
    form = Canonical.of(replace(problem, budget=budget, objective=Objective("utilitarian")))
    at = int(np.flatnonzero(form.order == group)[0])
    programme = Programme(form.market, form.region, 0, whole=True, money=False)
    question = question_of(programme, form, Need(np.full(len(form.keys), -np.inf)))
    column = programme.at["n"].start + at
    objective, upper = np.zeros(programme.columns), question.upper.copy()
    objective[column], upper[column] = 1.0, max(0.0, (wanted - form.held[at]) / programme.reach[at])
    solution = maximise_whole(
        replace(question, objective=objective, upper=upper), programme.integrality, SUPPLY_GAP, SUPPLY_NODES
    )
    if solution.columns is None:
        return float(form.held[at])
    return float(form.held[at] + form.market.added(whole_orders(programme, solution.columns))[at])


def shortfall(form: Canonical, need: Need) -> BoolArray:
    """The groups [groups] that must fall short of `need.least`, whatever is spent on whatever can be bought."""
    programme = Programme(form.market, form.region, 0, whole=False, money=False)
    question = question_of(programme, form, replace(need, least=np.full(len(need.least), -np.inf), hulls=(), level=0.0))
    wanted = np.maximum(need.least - form.held, 0.0) / programme.reach
    groups = np.flatnonzero(np.isfinite(need.least) & (wanted > 0.0))
    slack = csr_array(
        (np.ones(len(groups)), (np.arange(len(groups)), np.arange(len(groups)))), shape=(len(groups),) * 2
    )
    picks = csr_array(
        (np.ones(len(groups)), (np.arange(len(groups)), programme.at["n"].start + groups)),
        shape=(len(groups), programme.columns),
    )
    none = csr_array((question.matrix.shape[0], len(groups)))
    elastic = Linear(
        objective=np.concatenate([np.zeros(programme.columns), -1.0 / wanted[groups]]),
        matrix=csr_array(vstack([_beside(question.matrix, none), _beside(picks, slack)])),
        low=np.concatenate([question.low, wanted[groups]]),
        high=np.concatenate([question.high, np.full(len(groups), np.inf)]),
        lower=np.concatenate([question.lower, np.zeros(len(groups))]),
        upper=np.concatenate([question.upper, np.full(len(groups), np.inf)]),
    )
    solution = maximise(elastic)
    short = np.zeros(len(need.least), dtype=np.bool_)
    if solution.columns is None:
        short[groups] = True
        return short
    short[groups] = solution.columns[programme.columns :] > 1e-7 * wanted[groups]
    return short


def _beside(left: csr_array, right: csr_array) -> csr_array:
    return csr_array(vstack([csr_array(left.T), csr_array(right.T)]).T)
