"""A plan as HTML for notebooks. Pure; every text of a user or of the service is escaped."""

from html import escape

from tranche.display import Plan, group_cells, remark_texts, shown_groups, unspent

TITLES = ("group", "count", "add", "cost", "now", "90 % interval", "after", "90 % interval", "why")


def plan_html(plan: Plan) -> str:
    """Whether to buy it, the standing of the groups, what they get and why, then totals, finding and warnings."""
    groups, left_out = shown_groups(plan)
    head = _row("th", TITLES)
    body = "".join(_row("td", [*group_cells(group), group.reason]) for group in groups)
    rule, verdict = plan.best_simple_rule, plan.verdict
    lead = "" if verdict is None else f"<p><strong>{escape(verdict.sentence)}</strong></p>"
    notes = [
        f"and {left_out:,} groups more" if left_out else "",
        f"spend: {plan.budget.spend:,.2f} of {plan.budget.available:,.2f}",
        *unspent(plan),
        "" if rule is None else rule.finding,
    ]
    said = "".join(f"<p>{escape(note)}</p>" for note in notes if note)
    warnings = "".join(f"<li>{escape(text)}</li>" for text in remark_texts(plan.warnings))
    listed = f"<ul>{warnings}</ul>" if warnings else ""
    return f"<div>{lead}<table><thead>{head}</thead><tbody>{body}</tbody></table>{said}{listed}</div>"


def _row(tag: str, cells: tuple[str, ...] | list[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
