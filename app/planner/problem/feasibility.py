"""Which constraints cannot be met, all of them, with the least change to each (method.md 6, "Feasibility first").

Simple faults are found by arithmetic and taken out of the way: an order held fixed beyond its source's own limits, a
group's least count beyond its largest or beyond what all sources sell. What remains is asked of a programme without
money: the least total miss of the limits, then, with these moved, the least money that meets them all. Where the
licence rule excludes sources, the same is asked without it: what only they could mend is the rule's doing.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array, hstack

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.errors import BUDGET, LICENCE, Constraint, Culprit, InfeasibleError
from app.planner.problem.canonical import Canonical
from app.planner.problem.constraints import Bound, Region
from app.planner.problem.linear import Linear, Solution, maximise, maximise_whole
from app.planner.problem.market import Market
from app.planner.problem.order_programme import Programme
from app.planner.problem.sources import Source
from app.planner.wording import count, money, number

FEASIBILITY_NODES = 2_000
RICH = 10
"""Money is no object at so many times the budget, where a limit does not say how much it calls for."""
LARGER = 1e4
NAMED_SOURCES = 5
"""The most excluded sources that a sentence names."""
MISS_ROUNDING = 1e-7
"""A miss below this share of a row's size is rounding."""


def check_feasible(form: Canonical) -> None:
    """Raises InfeasibleError with every culprit where no orders keep the budget, the bounds and the limits."""
    culprits = _culprits(form)
    excluded = [source.key for source in form.market.sources if source.excluded]
    if culprits and excluded:
        left = _culprits(replace(form, market=form.market.released()))
        if {one.constraint for one in culprits} - {one.constraint for one in left}:
            culprits = [_rule(excluded), *left]
    if culprits:
        raise InfeasibleError(tuple(culprits))


def _rule(excluded: Sequence[str]) -> Culprit:
    """The licence rule, without which these sources would do."""
    names = ", ".join(sorted(excluded)[:NAMED_SOURCES])
    more = f" and {len(excluded) - NAMED_SOURCES} more" if len(excluded) > NAMED_SOURCES else ""
    change = f"Relax the licence rule, or settle the terms of the sources that it excludes: {names}{more}."
    return Culprit(LICENCE, float(len(excluded)), 0.0, change)


def _culprits(form: Canonical) -> list[Culprit]:
    """Every constraint that must give way, none where orders are found."""
    culprits = _fixed_orders(form.market)
    least, reachable = _reachable(form)
    culprits += least
    if reachable.allows_nothing and not (form.market.offers.fixed > 0).any():
        return culprits
    if not _fixed_orders(form.market):
        culprits += _together(form.market, reachable)
    return _once(culprits)


def _once(culprits: Sequence[Culprit]) -> list[Culprit]:
    """Each constraint once: a least count that gave way twice, from what it was to what it must be."""
    found: dict[Constraint, Culprit] = {}
    for one in culprits:
        first = found.get(one.constraint, one)
        change = one.change.replace(f"from {number_of(one.have)} ", f"from {number_of(first.have)} ")
        found[one.constraint] = replace(one, have=first.have, change=change)
    return list(found.values())


def _fixed_orders(market: Market) -> list[Culprit]:
    """Orders held fixed that their source does not sell."""
    found: list[Culprit] = []
    for at in np.flatnonzero(market.offers.fixed > 0).tolist():
        source = market.sources[at]
        order, cap = source.fixed_order or 0, source.cap
        if order % source.lot_size:
            whole = order // source.lot_size * source.lot_size
            advice = f"a multiple of {source.lot_size}, such as {count(whole)}"
            found.append(_of_source(source, "lot_size", whole, advice))
        elif order < source.least:
            found.append(_of_source(source, "min_order", source.least, f"at least {count(source.least)}, or 0"))
        elif cap is not None and order > cap:
            name = "max_order" if source.max_order is not None and source.max_order < order else "max_total"
            found.append(_of_source(source, name, cap, f"at most {count(cap)}"))
    return found


def _of_source(source: Source, name: str, need: int, advice: str) -> Culprit:
    change = f"Order {advice} from {source.key} instead of {count(source.fixed_order or 0)}."
    return Culprit(Constraint("source", source.key, name), float(source.fixed_order or 0), float(need), change)


def _reachable(form: Canonical) -> tuple[list[Culprit], Region]:
    """Least counts that nothing can reach, and the region with these lowered to what can be reached."""
    region, market = form.region, form.market
    limit = np.minimum(np.where(np.isfinite(market.limit), market.limit, 1e15), 1e15)
    sold = market.accepted(limit)
    lower, culprits = region.lower.copy(), []
    for row, bound in enumerate(region.bounds):
        if bound.group is None or not np.isfinite(lower[row]):
            continue
        can = min(float(sold[bound.group]), float(region.upper[row]))
        if lower[row] > can * (1.0 + 1e-9) + 1e-9:
            have, need = lower[row] + bound.offset, can + bound.offset
            key = form.keys[bound.group]
            why = "its largest count" if can < sold[bound.group] else "all that its sources sell"
            change = f"Lower the least count of {key} from {count(have)} to {number_of(need)}, {why}."
            culprits.append(Culprit(bound.lower, float(have), float(need), change))
            lower[row] = can
    return culprits, replace(region, lower=lower)


def number_of(value: float) -> str:
    """A bound in a sentence: whole where it is."""
    return count(value) if abs(value - round(value)) < 1e-6 else f"{value:,.6g}"


def _together(market: Market, region: Region) -> list[Culprit]:
    """The limits that cannot be met together whatever the money, and the budget where it is too small for the rest."""
    programme = Programme(market=_rich(market, region), region=region, extra=0, whole=True, money=False)
    culprits, moved, orders = [], region, _cheapest(programme)
    if orders is None or not region.allows(programme.market, orders):
        misses, columns = _least_miss(programme)
        culprits = _missed(programme, misses, columns)
        moved = replace(region, lower=region.lower - misses[0], upper=region.upper + misses[1])
        orders = _cheapest(replace(programme, region=moved))
    need = 0 if orders is None else market.cost(orders)
    if need > market.budget:
        unit = market.payable
        have, enough = money(market.budget, unit, exact=True), money(-(-need // unit) * unit, unit, exact=True)
        change = f"Raise the budget from {have} to {enough}, the least that meets all bounds."
        culprits += _too_many_orders(replace(programme, market=market, region=moved, money=True))
        culprits.append(Culprit(BUDGET, float(market.budget), float(need), change))
    return culprits


def _too_many_orders(programme: Programme) -> list[Culprit]:
    """The limits that call for more orders than the budget pays for, where fewer would do with the budget there is."""
    counting = programme.region.counts_orders & np.isfinite(programme.region.lower)
    if not counting.any():
        return []
    misses, columns = _least_miss(programme, counting)
    return _missed(programme, (misses[0], np.zeros_like(misses[1])), columns)


def _rich(market: Market, region: Region) -> Market:
    """The market as it were with all the money that its limits could call for."""
    needed = np.maximum(market.offers.fixed, 0).astype(np.float64)
    per_sample = region.costs.multiply(market.share[None, :]) + region.samples
    rows, sources = (entries := per_sample.tocoo()).coords
    lower = np.where(np.isfinite(region.lower), np.abs(region.lower), 0.0)[rows]
    calls = np.divide(lower, entries.data, out=np.zeros_like(lower), where=entries.data > 0.0)
    np.maximum.at(needed, sources, calls)
    plenty = market.offers.affordable(RICH * market.budget)
    most = np.maximum(np.minimum(needed, 1e12), plenty) + market.least + market.lot
    most = np.minimum(most, np.minimum(market.limit, 1e12)).astype(np.int64) // market.lot * market.lot
    return replace(market, most=np.where(most >= market.least, most, 0))


def _least_miss(
    programme: Programme, lowered: BoolArray | None = None
) -> tuple[tuple[FloatArray, FloatArray], FloatArray]:
    """By how much the lower and the upper bounds [R] must give way at least, and orders that then keep them; nothing
    where there are none. lowered [R]: whose lower bounds may give way, and no others; None: all.

    Lower bounds give way first: without them buying nothing is nearly always allowed.
    """
    region = programme.region
    size = np.maximum(np.where(np.isfinite(region.lower), np.abs(region.lower), 0.0), 1e-9)
    size = np.maximum(size, np.where(np.isfinite(region.upper), np.abs(region.upper), 0.0))
    size = np.where(region.counts_orders, np.maximum(size, 1.0), size)
    free = np.isfinite(region.lower) if lowered is None else lowered
    rows, scale = programme.rows, programme.row_scale
    first, count_ = int(programme.money), len(region.bounds)
    pick = csr_array((scale, (np.arange(count_) + first, np.arange(count_))), shape=(len(rows.lower), count_))
    matrix = csr_array(hstack([rows.matrix, pick, -pick]))
    none = np.zeros(programme.columns)
    lower, upper = programme.bounds
    for penalty in (1e6, 1.0):
        worst = np.where(np.isfinite(region.upper) & (lowered is None), np.inf, 0.0)
        objective = np.concatenate([none, -1.0 / size, -penalty / size])
        high = np.concatenate([upper, np.where(free, np.inf, 0.0), worst])
        question = Linear(
            objective, matrix, rows.lower, rows.upper, np.concatenate([lower, np.zeros(2 * count_)]), high
        )
        found = _smallest(question, programme)
        if found is not None:
            misses = np.maximum(found[programme.columns :], 0.0)
            misses = np.where(misses > MISS_ROUNDING * np.concatenate([size, size]), misses, 0.0)
            misses = np.where(np.tile(region.counts_orders, 2), np.rint(misses), misses)
            return (misses[:count_], misses[count_:]), found[: programme.columns]
    return (np.zeros(count_), np.zeros(count_)), none


def _smallest(question: Linear, programme: Programme) -> FloatArray | None:
    """The columns with the least miss, None where none were found.

    The integer solver takes a miss of 10⁻⁵ for none at all and stops there, or sees one where there is none: what it
    finds is asked for again in larger numbers.
    """
    best, least = None, -np.inf
    for scale in (1.0, LARGER):
        solution = _solved(replace(question, objective=scale * question.objective), programme)
        if solution.columns is not None:
            value = float(question.objective @ solution.columns)
            best, least = (solution.columns, value) if best is None or value > least else (best, least)
        if least > -MISS_ROUNDING:
            break
    return best


def _solved(question: Linear, programme: Programme) -> Solution:
    extra = len(question.objective) - programme.columns
    integrality = np.concatenate([programme.integrality, np.zeros(extra, dtype=np.int64)])
    if not integrality.any():
        return maximise(question)
    return maximise_whole(question, integrality, 1e-9, FEASIBILITY_NODES)


def _missed(programme: Programme, misses: tuple[FloatArray, FloatArray], columns: FloatArray) -> list[Culprit]:
    """Culprits for the rows whose bounds must give way, in the constraints' own units."""
    region, found = programme.region, []
    orders, costs = programme.order_of @ columns, programme.cost_of @ columns
    for side, missed in enumerate(misses):
        for row in np.flatnonzero(missed > 0.0).tolist():
            bound = region.bounds[row]
            have, need = _in_units(region, row, bound, side, float(missed[row]), orders, costs)
            found.append(_culprit(bound, side, have, need, programme.market.payable))
    return found


def _in_units(
    region: Region, row: int, bound: Bound, side: int, missed: float, orders: FloatArray, costs: FloatArray
) -> tuple[float, float]:
    """A bound, and what it would have to be, in the constraint's own unit."""
    if bound.share is None:
        edge = float(region.lower[row] if side == 0 else region.upper[row])
        moved = edge - missed if side == 0 else edge + missed
        return edge * bound.unit + bound.offset, moved * bound.unit + bound.offset
    # A row Σ_M − r Σ_all is missed by m where the share is r ∓ m / Σ_all.
    amounts = costs if bound.of_money else orders
    value = float((region.samples[[row]] @ orders + region.costs[[row]] @ costs)[0]) + bound.offset
    whole = bound.whole_held + float((np.zeros(len(orders)) if bound.whole is None else bound.whole) @ amounts)
    return bound.share, bound.share + value / whole if whole > 0.0 else bound.share


def _culprit(bound: Bound, side: int, have: float, need: float, payable: int) -> Culprit:
    constraint = bound.lower if side == 0 else bound.upper
    direction = "Lower" if side == 0 else "Raise"
    limit = "minimum" if side == 0 else "maximum"
    if bound.unit > 1.0:
        outward = math.floor if side == 0 else math.ceil
        moved = outward(round(need) / payable) * payable
        ends = [money(round(have), 1, exact=True), money(moved, payable, exact=True)]
    else:
        ends = [number_of(round(have)), number_of(round(need))]
    change = f"{direction} the {limit} of {constraint.key} from {ends[0]} to {ends[1]}."
    if bound.share is not None:
        change = f"{direction} the {limit} share of {constraint.key} from {number(have)} to {number(need)}."
    return Culprit(constraint, have, need, change)


def cheapest(form: Canonical) -> IntArray | None:
    """The cheapest orders [S] that keep the bounds and the limits, None where none were found."""
    market = _rich(form.market, form.region)
    return _cheapest(Programme(market=market, region=form.region, extra=0, whole=True, money=False))


def _cheapest(programme: Programme) -> IntArray | None:
    cost = np.asarray(programme.cost_of.sum(axis=0), dtype=np.float64).ravel()
    rows = programme.rows
    lower, upper = programme.bounds
    solution = _solved(Linear(-cost, rows.matrix, rows.lower, rows.upper, lower, upper), programme)
    if solution.columns is None:
        return None
    orders = programme.order_of @ solution.columns
    orders[programme.shut(solution.columns)] = 0.0
    return whole_lots(programme.market, orders)


def whole_lots(market: Market, orders: FloatArray) -> IntArray:
    """Orders [S] that a solver states, as whole lots; those held fixed as they are."""
    whole = np.rint(orders / market.lot).astype(np.int64) * market.lot
    fixed: Sequence[int | None] = [source.fixed_order for source in market.sources]
    held = [order if kept is None else kept for order, kept in zip(whole.tolist(), fixed, strict=True)]
    return np.array(held, dtype=np.int64)
