"""What a plan is worth beside simple rules: the best of them, and the money it would need to reach the same.

A rule's utility at other budgets stands on a few of them; between two it is taken as linear in log(b + ¼), b the budget
as a multiple of what the plan spends (method.md 8, "Worth").
"""

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.integer.whole_orders import fitted
from app.planner.plan.compare import Outlook, Outlooks, gain_of
from app.planner.plan.decide import Decision
from app.planner.plan.plan import BudgetRatio, Gain, SimpleRule
from app.planner.policies.policy import Means, Policy, PolicyName
from app.planner.policies.table import POLICIES
from app.planner.problem.canonical import Canonical
from app.planner.wording import number

TIMES = (0.0, 0.5, 0.75, 1.0, 1.4, 2.0, 4.0, 8.0)
"""Budgets that a rule is tried with, as multiples of what the plan spends, until it surely reaches as much."""
MOST_CURVES = 100_000
"""Groups times draws that are looked at for every budget."""

SURELY = 0.95
"""In this share of the draws."""
LITTLE = 0.05
"""Where the best simple rule needs so small a share more or less of the money, the split matters little."""


def best_simple_rule(after: Outlook, rules: dict[PolicyName, Outlook]) -> tuple[PolicyName, Gain]:
    """The rule of the highest expected utility, the first of equals, and the plan's gain over it."""
    best = max(rules, key=lambda name: rules[name].mean)
    return best, gain_of(after, rules[best])


def simple_rules(
    decision: Decision, outlooks: Outlooks, after: Outlook, rules: dict[PolicyName, Outlook]
) -> tuple[SimpleRule, BudgetRatio | None]:
    """The best simple rule beside the plan, and what equal counts would need to reach the same."""
    best, gain = best_simple_rule(after, rules)
    few = outlooks.fewer(MOST_CURVES)
    ratios = {name: budget_ratio(decision, few, name) for name in dict.fromkeys(("equal", best))}
    orders = zip(decision.form.sources, decision.baselines[best].tolist(), strict=True)
    rule = SimpleRule(
        policy=best,
        orders={source.key: order for source, order in orders if order},
        utility=rules[best].interval,
        gain=gain,
        budget_ratio=ratios[best],
        finding="" if decision.policy == best else _finding(best, ratios),
    )
    return rule, ratios["equal"]


def budget_ratio(decision: Decision, outlooks: Outlooks, policy: PolicyName) -> BudgetRatio | None:
    """How many times the plan's money the rule would need to reach what the plan reaches; None where it spends none."""
    spend = sum(decision.spent.tolist())
    if not spend:
        return None
    after, tried, reached = outlooks.at(decision.counts), [], []
    for times in TIMES:
        one = _with_budget(decision.form, outlooks, POLICIES[policy], round(times * spend))
        if one is not None:
            tried.append(times)
            reached.append(one)
            if one.mean >= after.mean and (one.draws >= after.draws).mean() > SURELY:
                break
    budgets = np.array(tried)
    draws = needed(budgets, np.array([one.draws for one in reached]), after.draws)
    mean = needed(budgets, np.array([[one.mean] for one in reached]), np.array([after.mean]))
    # "inverted_cdf" picks draws and never averages two, which may be infinite.
    p05, p95 = np.quantile(draws, (0.05, 0.95), method="inverted_cdf")
    return BudgetRatio(float(mean[0]), float(p05), float(p95))


def _with_budget(form: Canonical, outlooks: Outlooks, rule: Policy, budget: int) -> Outlook | None:
    """What the rule reaches with other money; None where that does not pay for what must be bought."""
    other = form.with_budget(budget)
    means = Means(0, lambda _, __: np.zeros(0, dtype=np.int64))
    orders = fitted(other, lambda part: rule.orders(part, means))
    return None if orders is None else outlooks.at(form.held + form.market.added(orders))


def needed(times: FloatArray, reached: FloatArray, wanted: FloatArray) -> FloatArray:
    """The least budget [draws] that reaches `wanted` [draws], inf where none does; reached [times, draws] ascending."""
    if not len(times):
        return np.full(len(wanted), np.inf)
    highest = np.maximum.accumulate(reached, axis=0)
    enough = highest >= wanted
    at = np.argmax(enough, axis=0)
    before = np.maximum(at - 1, 0)
    place = np.log(times + 0.25)
    draws = np.arange(len(wanted))
    low, high = highest[before, draws], highest[at, draws]
    share = np.divide(wanted - low, high - low, out=np.ones_like(wanted), where=high > low)
    found = np.exp(place[before] + share * (place[at] - place[before])) - 0.25
    return np.where(enough.any(axis=0), np.where(at == 0, times[0], found), np.inf)


def _finding(best: PolicyName, ratios: dict[PolicyName, BudgetRatio | None]) -> str:
    """One sentence on what the plan is worth beside simple rules."""
    name = POLICIES[best].label.lower()
    ratio, equal = ratios[best], ratios["equal"]
    if ratio is None or equal is None:
        return ""
    if abs(ratio.mean - 1.0) <= LITTLE:
        return f"Here it matters little which is bought: the best simple rule ({name}) reaches nearly the same."
    also = "" if best == "equal" else f", equal counts {_times(equal)}"
    return f"To reach the same, the best simple rule ({name}) would need {_times(ratio)}{also}."


def _times(ratio: BudgetRatio) -> str:
    """ "1.4 times the money (1.0 to 2.1)"."""
    most = TIMES[-1]
    if not np.isfinite(ratio.mean):
        return f"more than {number(most)} times the money"
    ends = [f"{end:.2g}" if np.isfinite(end) else f"more than {number(most)}" for end in (ratio.p05, ratio.p95)]
    return f"{ratio.mean:.2g} times the money ({ends[0]} to {ends[1]})"
