"""A plan as plain text of at most 110 columns where its keys are short. Pure: answers in, text out."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Protocol

from tranche.answers import Estimate, Remark
from tranche.plan_parts import Budget, GroupPlan, SimpleRule, Verdict

WIDTH = 110
SHOWN_GROUPS = 60


class Plan(Protocol):
    """What is shown of a plan."""

    @property
    def groups(self) -> Mapping[str, GroupPlan]: ...
    @property
    def budget(self) -> Budget: ...
    @property
    def unspent_reason(self) -> str | None: ...
    @property
    def verdict(self) -> Verdict | None: ...
    @property
    def best_simple_rule(self) -> SimpleRule | None: ...
    @property
    def warnings(self) -> Sequence[Remark]: ...


def plan_text(plan: Plan) -> str:
    """Whether to buy it, the table of the groups, what the plan is worth, and the service's warnings."""
    head = [*wrapped(plan.verdict.sentence, ""), ""] if plan.verdict is not None else []
    said = finding(plan)
    worth = ["", said] if said else []
    warnings = ["", "WARNINGS", remark_lines(plan.warnings)] if plan.warnings else []
    return "\n".join([*head, plan_table(plan), *worth, *warnings])


def plan_table(plan: Plan, metric: str = "metric") -> str:
    """Per group what it holds, gets and costs, its metric now and after, and why; then the totals.

    Of more than 60 groups those are shown that get the most money.
    """
    titles = ["group", "now", "add", "cost", f"{metric} now", "90 % interval", "after", "90 % interval"]
    groups, left_out = shown_groups(plan)
    held, added = sum(group.count for group in plan.groups.values()), sum(one.add for one in plan.groups.values())
    total = ["total", f"{held:,}", f"{added:,}", f"{plan.budget.spend:,.2f}", "", "", "", ""]
    header, *rows, last = aligned([titles, *map(group_cells, groups), total])
    rule = "-" * len(header)
    reasoned = [line for row, group in zip(rows, groups, strict=True) for line in (row, *wrapped(group.reason, "    "))]
    more = [f"and {left_out:,} groups more"] if left_out else []
    return "\n".join([header, rule, *reasoned, *more, rule, last, *unspent(plan)])


def shown_groups(plan: Plan) -> tuple[list[GroupPlan], int]:
    """The groups to show, in the plan's order, and how many are left out."""
    groups = list(plan.groups.values())
    dearest = sorted(range(len(groups)), key=lambda i: groups[i].cost, reverse=True)[:SHOWN_GROUPS]
    return [groups[i] for i in sorted(dearest)], len(groups) - len(dearest)


def finding(plan: Plan) -> str:
    """What the plan is worth beside simple rules."""
    rule = plan.best_simple_rule
    return "" if rule is None else "\n".join(wrapped(rule.finding, ""))


def remark_lines(remarks: Sequence[Remark]) -> str:
    """The service's warnings, one paragraph each; what is said of several groups is said once."""
    return "\n".join(line for text in remark_texts(remarks) for line in wrapped(text, "  "))


def remark_texts(remarks: Sequence[Remark]) -> list[str]:
    about: dict[tuple[str, str], list[str]] = {}
    for remark in remarks:
        about.setdefault((remark.code, remark.detail), []).append(remark.group or remark.source or "")
    return [f"{code}{_whom(names)}: {detail}" for (code, detail), names in about.items()]


def group_cells(plan: GroupPlan) -> list[str]:
    held, added, cost = f"{plan.count:,}", f"{plan.add:,}", f"{plan.cost:,.2f}"
    return [plan.group, held, added, cost, *estimate_cells(plan.metric_now), *estimate_cells(plan.metric_after)]


def estimate_cells(estimate: Estimate | None) -> list[str]:
    """A mean and its 90 % interval."""
    if estimate is None:
        return ["unknown", ""]
    return [f"{estimate.mean:.4f}", f"{estimate.p05:.4f} to {estimate.p95:.4f}"]


def unspent(plan: Plan) -> list[str]:
    """The line on money that is left over, if there is any."""
    if not plan.budget.unspent:
        return []
    return [f"unspent: {plan.budget.unspent:,.2f}" + (f" ({plan.unspent_reason})" if plan.unspent_reason else "")]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]


def wrapped(text: str, indent: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")


def _whom(names: Sequence[str]) -> str:
    named = [name for name in names if name]
    more = f" and {len(named) - SHOWN_GROUPS:,} more" if len(named) > SHOWN_GROUPS else ""
    return f" ({', '.join(named[:SHOWN_GROUPS])}{more})" if named else ""
