"""A plan for people: the table of a terminal, and Markdown for the comment of a pull request. Pure: answer in, text
out."""

import re
from collections.abc import Sequence
from decimal import Decimal

from tranche import Allocation, Estimate, GroupPlan, Remark
from tranche.display import finding, plan_table, remark_lines, wrapped

from app.report.words import figure, money, purchase

MOST_ROWS = 30
MOST_WARNINGS = 20
"""Of a comment, which should be read: the groups that get most money, the warnings said first."""
MARKS = re.compile(r"([\\`*_\[\]<>#|~&$])")


def says_no(plan: Allocation) -> bool:
    """Whether nothing is to be collected: the plan adds nothing, or the stop advice says that it is not worth it."""
    return not any(plan.add.values()) or (plan.stop is not None and plan.stop.stop)


def lead(plan: Allocation, currency: str) -> list[str]:
    """What to do, on top of every layout: the service's verdict, and what is collected if it is followed or not."""
    if plan.verdict is None:
        return [collected(plan, currency)]
    return [plan.verdict.sentence, *([] if says_no(plan) else [collected(plan, currency)])]


def collected(plan: Allocation, currency: str) -> str:
    """What the plan collects, and what that costs."""
    if says_no(plan):
        reason = plan.stop.reason if plan.stop is not None and plan.stop.stop else plan.unspent_reason
        return "Collect nothing in this round" + (f": {reason.rstrip('.')}." if reason else ".")
    spent = f"{figure(plan.budget.spend, currency)} of {money(plan.budget.available, currency)}"
    bought = [(one.group, one.add) for one in by_cost(plan) if one.add]
    return f"{purchase(bought)} That costs {spent}."


def as_table(plan: Allocation, metric: str, currency: str) -> str:
    """As `tranche demo` shows a plan."""
    warnings = f"WARNINGS\n{remark_lines(plan.warnings)}" if plan.warnings else ""
    head = "\n".join(line for text in lead(plan, currency) for line in wrapped(text, ""))
    parts = [head, plan_table(plan, metric), finding(plan), warnings]
    return "\n\n".join(part for part in parts if part)


def as_markdown(plan: Allocation, metric: str, currency: str) -> str:
    """What to do, a short table and the warnings; texts of the project cannot become markup, links or mentions."""
    first, *more = [escaped(text) for text in lead(plan, currency)]
    head = [f"**{first}**", *more, table(plan, metric, currency)]
    rule = [] if plan.best_simple_rule is None else [escaped(plan.best_simple_rule.finding)]
    warnings = [f"Warnings:\n\n{warning_list(plan.warnings)}"] if plan.warnings else []
    return "\n\n".join([*head, *rule, *warnings])


def by_cost(plan: Allocation) -> list[GroupPlan]:
    return sorted(plan.groups.values(), key=lambda one: (-one.cost, -one.add))


def table(plan: Allocation, metric: str, currency: str) -> str:
    groups = list(plan.groups.values())
    shown = groups if len(groups) <= MOST_ROWS else by_cost(plan)[:MOST_ROWS]
    name = escaped(metric)
    rows = [
        row("group", "held", "add", "cost", f"{name} now", f"{name} after"),
        row("---", *["---:"] * 5),
        *(
            row(
                escaped(one.group),
                f"{one.count:,}",
                f"{one.add:,}",
                figure(one.cost, currency),
                estimate(one.metric_now),
                estimate(one.metric_after),
            )
            for one in shown
        ),
        *others(groups, len(groups) - len(shown), shown, currency),
        row("total", *totals(groups, currency), "", ""),
    ]
    return "\n".join(rows)


def others(groups: Sequence[GroupPlan], count: int, shown: Sequence[GroupPlan], currency: str) -> list[str]:
    """One row for the groups that are not shown."""
    names = {one.group for one in shown}
    rest = [one for one in groups if one.group not in names]
    return [row(f"{count:,} others", *totals(rest, currency), "", "")] if rest else []


def totals(groups: Sequence[GroupPlan], currency: str) -> tuple[str, str, str]:
    held, added = sum(one.count for one in groups), sum(one.add for one in groups)
    return f"{held:,}", f"{added:,}", figure(sum((one.cost for one in groups), Decimal(0)), currency)


def estimate(one: Estimate | None) -> str:
    return "unknown" if one is None else f"{one.mean:.4f} ({one.p05:.4f} to {one.p95:.4f})"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def warning_list(remarks: Sequence[Remark]) -> str:
    """What is said of several groups is said once."""
    about: dict[tuple[str, str], list[str]] = {}
    for remark in remarks:
        about.setdefault((remark.code, remark.detail), []).append(remark.group or remark.source or "")
    lines = [
        f"- `{code}`{whom(names)}: {escaped(detail)}" for (code, detail), names in list(about.items())[:MOST_WARNINGS]
    ]
    more = len(about) - MOST_WARNINGS
    return "\n".join([*lines, *([f"- and {more:,} more"] if more > 0 else [])])


def whom(names: Sequence[str]) -> str:
    named = [escaped(name) for name in names if name]
    more = f" and {len(named) - 5:,} more" if len(named) > 5 else ""
    return f" ({', '.join(named[:5])}{more})" if named else ""


def escaped(text: str) -> str:
    """As it stands, in one line; nobody is mentioned by it and no issue linked, for which a mark of no width does."""
    flat = MARKS.sub(r"\\\1", " ".join(text.split()))
    return re.sub(r"@|://|\bwww\.|\\#", lambda found: found[0] + "\N{ZERO WIDTH SPACE}", flat)
