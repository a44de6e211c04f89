"""The demo's answers as plain text of at most 110 columns. Pure: answers in, text out."""

from collections.abc import Mapping, Sequence
from textwrap import wrap

from tranche import Allocation, Estimate, GroupPlan, Remark

WIDTH = 110


def plan_table(plan: Allocation, metric: str) -> str:
    """Per group what it holds, gets and costs, its metric now and after, and why; then the totals."""
    titles = ["group", "now", "add", "cost", f"{metric} now", "90 % interval", "after", "90 % interval"]
    groups = list(plan.groups.values())
    held, added = sum(group.count for group in groups), sum(group.add for group in groups)
    total = ["total", f"{held:,}", f"{added:,}", f"{plan.budget.spend:,.2f}", "", "", "", ""]
    header, *rows, last = _aligned([titles, *map(_group_row, groups), total])
    rule = "-" * len(header)
    reasoned = [
        line for row, group in zip(rows, groups, strict=True) for line in (row, *_wrapped(group.reason, "    "))
    ]
    return "\n".join([header, rule, *reasoned, rule, last, *_unspent(plan)])


def splits_table(plan: Allocation, others: Mapping[str, Allocation]) -> str:
    """What each split buys with the same money, the utility it reaches, and its gain over buying nothing."""
    now = plan.utility["now"].mean
    titles = ["split", *plan.groups, "spend", "utility", "90 % interval", "gain"]
    nothing = ["buy nothing", *("0" for _ in plan.groups), "0.00", *_estimate(plan.utility["now"]), ""]
    rows = [nothing, _split_row(plan, "after", plan, now)]
    rows += [_split_row(plan, policy, other, now) for policy, other in others.items()]
    header, *body = _aligned([titles, *rows])
    return "\n".join([header, "-" * len(header), *body])


def verdict(plan: Allocation) -> str:
    """What the plan is worth beside simple rules."""
    rule = plan.best_simple_rule
    return "" if rule is None else "\n".join(_wrapped(rule.finding, ""))


def remark_lines(remarks: Sequence[Remark]) -> str:
    """The service's warnings, one paragraph each; what is said of several groups is said once."""
    about: dict[tuple[str, str], list[str]] = {}
    for remark in remarks:
        about.setdefault((remark.code, remark.detail), []).append(remark.group or remark.source or "")
    paragraphs = []
    for (code, detail), names in about.items():
        whom = ", ".join(name for name in names if name)
        paragraphs += _wrapped(f"{code}{f' ({whom})' if whom else ''}: {detail}", "  ")
    return "\n".join(paragraphs)


def _group_row(plan: GroupPlan) -> list[str]:
    held, added, cost = f"{plan.count:,}", f"{plan.add:,}", f"{plan.cost:,.2f}"
    return [plan.group, held, added, cost, *_estimate(plan.metric_now), *_estimate(plan.metric_after)]


def _split_row(plan: Allocation, utility: str, bought: Allocation, now: float) -> list[str]:
    reached = plan.utility[utility]
    adds = [f"{bought.add[group]:,}" for group in plan.groups]
    name = bought.policy.replace("_", " ")
    return [name, *adds, f"{bought.budget.spend:,.2f}", *_estimate(reached), f"{reached.mean - now:+.4f}"]


def _unspent(plan: Allocation) -> list[str]:
    if not plan.budget.unspent:
        return []
    return [f"unspent: {plan.budget.unspent:,.2f}" + (f" ({plan.unspent_reason})" if plan.unspent_reason else "")]


def _estimate(estimate: Estimate | None) -> list[str]:
    if estimate is None:
        return ["unknown", ""]
    return [f"{estimate.mean:.4f}", f"{estimate.p05:.4f} to {estimate.p95:.4f}"]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]


def _wrapped(text: str, indent: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
