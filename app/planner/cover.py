"""The cheapest whole orders that bring every group the samples it needs (planner.md 5).

The orders are those of `programme`, without a budget: counts N [k] after buying are bounded below, by numbers, by
linear cuts, or by concave functions of single counts that must sum to a level. Arrays [groups] in the task's order.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csr_array, vstack

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.linear import Linear, maximise, maximise_whole
from app.planner.milp import whole_orders
from app.planner.objective import Objective
from app.planner.problem import MAX_BUDGET, Problem
from app.planner.programme import Programme
from app.planner.task import Task

GROWTH = (4, 256, 10**5)
"""The money looked at, in multiples of a rough estimate: it only keeps the numbers of a size the solver likes."""
NODES = 4000
GAP = 1e-7
NEAR = 1e-9
"""A count that is short by this share is reached."""


@dataclass(frozen=True)
class Hull:
    """min over lines of slope · N + intercept: a concave function of one group's count."""

    group: int
    slopes: FloatArray
    intercepts: FloatArray


@dataclass(frozen=True)
class Need:
    """What counts N [groups] must satisfy: N ≥ least (−inf: nothing), slopes @ N ≥ floor, Σ hulls(N) ≥ level."""

    least: FloatArray
    slopes: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    floor: FloatArray = field(default_factory=lambda: np.zeros(0))
    hulls: tuple[Hull, ...] = ()
    level: float = 0.0


@dataclass(frozen=True)
class Cover:
    """Orders [S] in the task's order, what they cost in millionths, and by which share that can exceed the least."""

    task: Task
    orders: IntArray
    cost: int
    gap: float

    @property
    def counts(self) -> FloatArray:
        """Effective counts [groups] after the orders."""
        return self.task.held + self.task.market.added(self.orders)


def cover(problem: Problem, need: Need, rough: int) -> Cover | BoolArray:
    """The cheapest orders for the need; where there are none, the groups [groups] that fall short at the least.

    rough: an estimate of the cost in millionths, right to within a factor of GROWTH.
    """
    short = np.ones(len(problem.keys), dtype=np.bool_)
    for factor in GROWTH:
        budget = min(max(rough, 1) * factor, MAX_BUDGET)
        task = Task.of(replace(problem, budget=budget, objective=Objective("utilitarian")))
        found = _by_group(task, need)
        if found is not None:
            return found
        answer = _cheapest(task, need)
        if answer is not None:
            return answer
        short = shortfall(task, need)
        if budget == MAX_BUDGET:
            break
    return short


def rough_cost(problem: Problem, missing: FloatArray) -> int:
    """About what the samples missing [groups in the problem's order] cost, in millionths: each group from its cheapest
    source alone, and the dearest of the smallest orders beside."""
    cheapest: dict[int, int] = {}
    for source in problem.sources:
        for group, share in source.yields:
            rate = share * source.acceptance_rate * source.quality
            cost = source.cost(max(int(np.ceil(missing[group] / rate)), 1))
            cheapest[group] = min(cost, cheapest.get(group, cost))
    return sum(cheapest.values()) + max((source.cost(source.least) for source in problem.sources), default=0)


def _by_group(task: Task, need: Need) -> Cover | None:
    """The answer where every group has one source of its own and nothing else binds: the first order that is enough."""
    market = task.market
    own = np.bincount(market.group, minlength=market.groups)
    fixed = any(source.fixed_order is not None for source in market.sources)
    simple = market.is_single and task.region.is_open and not fixed and not need.hulls and not len(need.floor)
    missing = np.maximum(need.least - task.held, 0.0)
    if not simple or np.any(own > 1) or np.any((own == 0) & (missing > 0.0)):
        return None
    orders = np.zeros(len(market.sources), dtype=np.int64)
    for at, source in enumerate(market.sources):
        wanted = missing[market.group[at]] * (1.0 - NEAR) / market.effective[[market.group[at]], [at]].sum()
        lots = -(-int(np.ceil(wanted)) // source.lot_size)
        order = max(lots * source.lot_size, source.least) if wanted > 0.0 else 0
        if source.cap is not None and order > source.cap:
            return None
        orders[at] = order
    return Cover(task, orders, market.cost(orders), 0.0)


def shortfall(task: Task, need: Need) -> BoolArray:
    """The groups [groups] that must fall short of `need.least`, whatever is spent on whatever can be bought."""
    programme = Programme(task.market, task.region, 0, whole=False, money=False)
    question = _question(programme, task, replace(need, least=np.full(len(need.least), -np.inf), hulls=(), level=0.0))
    wanted = np.maximum(need.least - task.held, 0.0) / programme.reach
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


def _cheapest(task: Task, need: Need) -> Cover | None:
    """The integer programme's answer, made to reach every need exactly; None where it found none."""
    programme = Programme(task.market, task.region, 0, whole=True, money=False)
    question = _question(programme, task, need)
    solution = maximise_whole(question, programme.integrality, GAP, NODES)
    if solution.columns is None:
        return None
    orders = _lifted(task, need, whole_orders(programme, solution.columns))
    if not _is_met(task, need, orders):
        return None
    cost = task.market.cost(orders)
    least = -solution.bound * max(task.market.budget, 1)
    return Cover(task, orders, cost, float(max(0.0, (cost - least) / max(cost, 1))) if np.isfinite(least) else 1.0)


def _question(programme: Programme, task: Task, need: Need) -> Linear:
    """Least cost subject to the programme's rows and the need's."""
    rows, at = programme.rows, programme.at
    lower, upper = (bound.copy() for bound in programme.bounds)
    lower[at["n"]] = np.maximum((need.least - task.held) / programme.reach, 0.0)
    matrices, low, high = [rows.matrix], [rows.lower], [rows.upper]
    for matrix, floor in (_cuts(programme, task, need), _hulls(programme, task, need)):
        matrices.append(matrix)
        low.append(floor)
        high.append(np.full(len(floor), np.inf))
    idle = np.setdiff1d(np.arange(len(task.keys)), [hull.group for hull in need.hulls]) + at["t"].start
    lower[idle] = upper[idle] = 0.0
    cost = np.asarray(np.ones(len(task.market.sources)) @ programme.cost_of)
    matrix = csr_array(vstack(matrices))
    return Linear(-cost, matrix, np.concatenate(low), np.concatenate(high), lower, upper)


def _cuts(programme: Programme, task: Task, need: Need) -> tuple[csr_array, FloatArray]:
    """slopes @ N ≥ floor, each row divided by its largest entry."""
    rows = len(need.floor)
    slopes = need.slopes.reshape(rows, len(task.keys))
    scaled = slopes * programme.reach
    size = np.maximum(np.abs(scaled).max(axis=1, initial=0.0), np.finfo(np.float64).tiny)
    matrix = csr_array((rows, programme.columns)).tolil()
    matrix[:, programme.at["n"]] = scaled / size[:, None]
    return csr_array(matrix), (need.floor - slopes @ task.held) / size


def _hulls(programme: Programme, task: Task, need: Need) -> tuple[csr_array, FloatArray]:
    """Every line above its t, and the t's above the level in sum."""
    group = np.concatenate([np.full(len(hull.slopes), hull.group) for hull in need.hulls] or [np.zeros(0)]).astype(int)
    slope = np.concatenate([hull.slopes for hull in need.hulls] or [np.zeros(0)])
    intercept = np.concatenate([hull.intercepts for hull in need.hulls] or [np.zeros(0)])
    lines = np.arange(len(group))
    at, total = programme.at, len(group)
    places = np.array([hull.group for hull in need.hulls], dtype=np.int64)
    matrix = csr_array(
        (
            np.concatenate([slope * programme.reach[group], -np.ones(len(group)), np.ones(len(places))]),
            (
                np.concatenate([lines, lines, np.full(len(places), total)]),
                np.concatenate([at["n"].start + group, at["t"].start + group, at["t"].start + places]),
            ),
        ),
        shape=(total + 1, programme.columns),
    )
    floor = np.append(-intercept - slope * task.held[group], need.level)
    kept = np.arange(total + (len(places) > 0))
    return csr_array(matrix[kept]), floor[kept]


def _is_met(task: Task, need: Need, orders: IntArray) -> bool:
    """Whether the orders keep the region and reach what is needed, hulls aside: the solver has its tolerances."""
    counts = task.held + task.market.added(orders)
    enough = np.all(counts >= need.least - 2.0 * NEAR * np.maximum(need.least, 1.0))
    cut = need.slopes.reshape(-1, len(counts)) @ counts - need.floor
    size = np.abs(need.slopes.reshape(-1, len(counts))) @ counts
    return bool(enough and np.all(cut >= -1e-5 * np.maximum(size, 1e-300))) and task.region.allows(task.market, orders)


def _lifted(task: Task, need: Need, orders: IntArray) -> IntArray:
    """The orders with a step more where the solver's own tolerance left a group short."""
    market, orders = task.market, orders.copy()
    for _ in range(4 * len(task.keys)):
        missing = need.least - (task.held + market.added(orders))
        short = np.flatnonzero(missing > NEAR * np.maximum(need.least, 1.0))
        if not len(short):
            break
        feeds = market.effective[[int(short[0])]].tocoo().coords[1].tolist()
        able = [at for at in feeds if orders[at] + _step(task, orders, at) <= market.most[at]]
        if not able:
            break
        best = min(able, key=lambda at: market.sources[at].cost(int(orders[at]) + _step(task, orders, at)))
        orders[best] += _step(task, orders, best)
    return orders


def _step(task: Task, orders: IntArray, at: int) -> int:
    return int(task.market.lot[at] if orders[at] else task.market.least[at])
