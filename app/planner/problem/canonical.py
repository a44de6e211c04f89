"""The problem as the solvers see it: sorted, weights normalised, sources and bounds as arrays (method.md 5 and 6)."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.problem.constraints import Region, region_of
from app.planner.problem.market import Market
from app.planner.problem.problem import Limit, Problem
from app.planner.problem.sources import Source
from app.planner.utility.metric import Metric
from app.planner.utility.utility import Utility
from app.planner.utility.values import Values


@dataclass(frozen=True)
class Canonical:
    """A problem as the solvers see it: groups in the order of their keys, sources by group, price and key.

    This order is what makes ties, rounding and so the answer independent of the order a problem is posed in.
    order [groups]: positions of these groups in the problem. sources: keys in the market's order.
    held: effective counts the plan builds on, pending ones included; clean: those there now; raw: accepted now;
    pending_raw: expected.
    """

    order: IntArray
    keys: tuple[str, ...]
    sources: tuple[Source, ...]
    held: FloatArray
    clean: FloatArray
    raw: FloatArray
    pending_raw: FloatArray
    targets: FloatArray
    hurdles: FloatArray
    metric: Metric
    utility: Utility
    market: Market
    region: Region

    @classmethod
    def of(cls, problem: Problem) -> "Canonical":
        """The problem in the solvers' order, weights normalised."""
        order = np.array(sorted(range(len(problem.keys)), key=problem.keys.__getitem__), dtype=np.int64)
        place = np.argsort(order).tolist()
        market = Market.of(problem.sources, place, len(order), problem.budget, problem.payable)
        utility = Utility.of(
            problem.objective,
            problem.weights,
            problem.metric,
            problem.reference_loss,
            problem.targets,
            problem.held,
            replace(problem.posterior, warnings=()),
            order,
            problem.stakeholders,
        )
        none = np.zeros(len(order))
        pending = none if problem.pending is None else problem.pending[order]
        raw = (problem.held if problem.raw is None else problem.raw)[order]
        pending_raw = pending if problem.pending_raw is None else problem.pending_raw[order]
        region = region_of(
            market,
            [problem.keys[at] for at in order],
            raw + pending_raw,
            None if problem.min_count is None else problem.min_count[order],
            None if problem.max_count is None else problem.max_count[order],
            [_renumbered(limit, place, np.argsort(market.order).tolist()) for limit in problem.limits],
        )
        return cls(
            order=order,
            keys=tuple(problem.keys[at] for at in order),
            sources=tuple(problem.sources[at] for at in market.order),
            held=problem.held[order] + pending,
            clean=problem.held[order],
            raw=raw,
            pending_raw=pending_raw,
            targets=problem.targets[order],
            hurdles=problem.hurdles[order],
            metric=problem.metric,
            utility=utility,
            market=market,
            region=region,
        )

    def with_budget(self, budget: int) -> "Canonical":
        """The same problem with other money (millionths)."""
        times = max(budget, 1) / max(self.market.budget, 1)
        return replace(self, market=self.market.with_budget(budget), region=self.region.at_budget(times))

    @cached_property
    def values(self) -> Values:
        """The groups' values, what samples do for other groups included."""
        return Values.of(self.utility, self.order)

    @cached_property
    def supplied(self) -> BoolArray:
        """The groups [groups] for which a source is listed."""
        return np.isin(np.arange(len(self.keys)), self.market.effective.tocoo().coords[0])

    @cached_property
    def space(self) -> FloatArray | None:
        """Accepted samples [groups] that the groups may still take, None: any number."""
        bounded = [(bound.group, row) for row, bound in enumerate(self.region.bounds) if bound.group is not None]
        if not bounded:
            return None
        found = np.full(self.market.groups, np.inf)
        for group, row in bounded:
            found[group] = self.region.upper[row]
        return found

    def sources_of(self, group: int) -> IntArray:
        """The sources that feed a group."""
        feeds = self.market.effective
        return np.asarray(feeds.indices[feeds.indptr[group] : feeds.indptr[group + 1]], dtype=np.int64)

    def groups_of(self, source: int) -> IntArray:
        """The groups that a source feeds."""
        feeds = self.market.feeds
        return np.asarray(feeds.indices[feeds.indptr[source] : feeds.indptr[source + 1]], dtype=np.int64)

    def spent_on(self, spent: IntArray | FloatArray) -> FloatArray:
        """Money [groups] of money [S] spent on the sources, shared out by what they bring."""
        delivered = self.market.brings
        whole = np.asarray(delivered.sum(axis=0), dtype=np.float64).ravel()
        return np.asarray(delivered @ (spent / np.where(whole > 0.0, whole, 1.0)))

    def metric_at(self, counts: FloatArray) -> FloatArray:
        """The predictive metric in its own units [groups, draws] at counts [groups]."""
        return self.metric.to_metric(self.values.moved(counts).posterior.band(counts))


def _renumbered(limit: Limit, groups: list[int], sources: list[int]) -> Limit:
    place = groups if limit.over == "groups" else sources
    share_of = None if limit.share_of is None else tuple(sorted(place[at] for at in limit.share_of))
    return replace(limit, members=tuple(sorted(place[at] for at in limit.members)), share_of=share_of)
