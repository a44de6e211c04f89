"""How much of the plan's money buys what was never measured, and whether that is worth doubting (warnings.md).

Of a group whose largest measured count is m, what is bought beyond 3 m is far: its money is the group's, shared out by
samples. What the far money brings is L(stop) − L(N) in each draw, L the predictive loss, N the plan's count and
stop = max(3 m, held); its doubt is the standard deviation over the draws as a share of the mean, at most 1. Far money
times doubt is the money at risk; the plan is worth doubting where that is a third of the spend.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.plan.decide import Decision
from app.planner.problem.canonical import Canonical
from app.planner.wording import Warning, count, listed, money, percent

FAR_RATIO = 3.0
"""Counts this many times beyond the largest measured one are far."""
AT_RISK = 1.0 / 3.0
"""A share of the spend at risk that is worth a warning: in the family of curves, plans that buy twice what is held stay
below it, plans that buy six times as much do not."""
NOTABLE_FAR = 0.01
"""Groups are named whose far money is more than this share of the spend."""
MOST_NAMED = 5
"""Groups that are named; the others are counted."""


@dataclass(frozen=True)
class Far:
    """What the plan buys beyond FAR_RATIO times what was measured. Arrays [groups] in canonical order.

    spend: millionths. doubt: of what it brings, from 0 to 1. stop: the count up to which the group is near.
    """

    spend: FloatArray
    doubt: FloatArray
    stop: FloatArray

    @classmethod
    def of(cls, form: Canonical, decision: Decision) -> "Far":
        """Groups that were never measured have no reach to go beyond: other warnings are about them."""
        known = form.utility.posterior.diagnostics
        reach = np.array([max(one.largest_count, 1.0) if one.points else np.inf for one in known])
        stop = np.clip(FAR_RATIO * reach, form.held, decision.counts)
        added = decision.added
        share = np.divide(decision.counts - stop, added, out=np.zeros_like(added), where=added > 0.0)
        spend = form.spent_on(decision.spent) * share
        return cls(spend, np.where(spend > 0.0, _doubt(form, stop, decision.counts), 0.0), stop)

    @property
    def at_risk(self) -> float:
        """Millionths."""
        return float(self.spend @ self.doubt)


def _doubt(form: Canonical, stop: FloatArray, counts: FloatArray) -> FloatArray:
    """sd over mean [groups], at most 1, of the predictive loss's fall from `stop` to `counts`."""
    values = form.values
    falls = values.moved(stop).posterior.band(stop) - values.moved(counts).posterior.band(counts)
    mean, sd = falls.mean(axis=1), falls.std(axis=1)
    share = np.divide(sd, mean, out=np.ones_like(mean), where=mean > 0.0)
    return np.asarray(np.minimum(share, 1.0))


def extrapolations(form: Canonical, decision: Decision) -> list[Warning]:
    """One warning for the plan, where much of its money is far and doubtful: which groups', and how much."""
    far, spent = Far.of(form, decision), float(decision.spent.sum())
    total = float(far.spend.sum())
    if not total or far.at_risk < AT_RISK * spent:
        return []
    ranked = np.argsort(-far.spend, kind="stable")
    ranked = ranked[far.spend[ranked] > NOTABLE_FAR * spent]
    groups = _named(form, far, ranked.tolist())
    price = money(round(total), form.market.payable)
    detail = (
        f"{price}, {percent(total / spent)} of the spend, buys more than {FAR_RATIO:g} times what was"
        f" measured ({groups}), and what it brings is known to within {percent(far.at_risk / total)} only: buy up to"
        " there first, measure, and plan the rest anew."
    )
    return [Warning("extrapolates", detail, group=form.keys[ranked[0]] if len(ranked) == 1 else None)]


def _named(form: Canonical, far: Far, ranked: Sequence[int]) -> str:
    """The first of the groups `ranked`, and how many more; where there are none, every share is small."""
    if not ranked:
        return f"{count(float(np.count_nonzero(far.spend)))} groups, a little each"
    shown = [f"{form.keys[at]} beyond {count(far.stop[at])}" for at in ranked[:MOST_NAMED]]
    more = len(ranked) - len(shown)
    return listed([*shown, f"{more} other groups"] if more > 1 else [*shown, "another group"] if more else shown)
