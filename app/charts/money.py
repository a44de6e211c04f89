"""Where the money went: spent and committed after each round, below the budget."""

from collections.abc import Sequence
from typing import TypedDict

from app.charts.theme import DASHED, Spec, ThemeName, finished, layer, nominal, palette, quantitative, titled
from app.charts.words import amounts

STATES = ("spent", "committed")


class RoundMoney(TypedDict):
    """One accepted round, in currency units."""

    round: int
    spent: float
    committed: float


def spending(
    rows: Sequence[RoundMoney], budget: float, currency: str, source: str = "", theme: ThemeName = "light"
) -> Spec:
    """Bars of what was spent, and is still committed, by all rounds up to each; the budget as a line."""
    finding = headline(rows, budget, currency)
    spec: Spec = {
        "title": titled(finding, f"{currency}, all rounds up to each. The dashed line is the budget.", source),
        "width": "container",
        "height": 220,
        "layer": [bar_layer(running(rows), currency, theme), *budget_layers(budget, currency, theme)],
    }
    return finished(spec, theme, finding)


def headline(rows: Sequence[RoundMoney], budget: float, currency: str) -> str:
    spent, committed = sum(row["spent"] for row in rows), sum(row["committed"] for row in rows)
    left = budget - spent - committed
    told = amounts(currency)
    rest = f"{currency} {left:{told}} left" if left >= 0 else f"{currency} {-left:{told}} over the budget"
    return f"{currency} {spent:{told}} of {budget:{told}} spent, {committed:{told}} committed, {rest}"


def running(rows: Sequence[RoundMoney]) -> list[Spec]:
    """Sums over all rounds up to each, one row per round and state."""
    sums = dict.fromkeys(STATES, 0.0)
    found: list[Spec] = []
    for row in sorted(rows, key=lambda row: row["round"]):
        sums = {"spent": sums["spent"] + row["spent"], "committed": sums["committed"] + row["committed"]}
        found += [
            {"round": row["round"], "state": state, "amount": sums[state], "order": place}
            for place, state in enumerate(STATES)
        ]
    return found


def bar_layer(values: Sequence[Spec], currency: str, theme: ThemeName) -> Spec:
    colours = palette(theme)
    scale = {"domain": list(STATES), "range": [colours.blue, colours.faint]}
    edge = {"domain": list(STATES), "range": [colours.blue, colours.muted]}
    return layer(
        {"type": "bar", "width": {"band": 0.6}},
        values,
        x={"field": "round", "type": "ordinal", "title": "round", "axis": {"labelAngle": 0}},
        y=quantitative("amount", title=currency, axis={"format": "~s"}),
        stroke={"field": "state", "scale": edge, "legend": None},
        color={"field": "state", "scale": scale, "legend": {"orient": "top", "title": None}},
        order=quantitative("order"),
        tooltip=[
            {"field": "round", "title": "up to round"},
            {"field": "state", "title": "state"},
            {"field": "amount", "title": currency, "format": amounts(currency)},
        ],
    )


def budget_layers(budget: float, currency: str, theme: ThemeName) -> list[Spec]:
    said = f"budget {currency} {budget:{amounts(currency)}}"
    here, level = [{"budget": budget, "words": said}], quantitative("budget")
    line = {"type": "rule", "strokeDash": DASHED, "color": palette(theme).text}
    words = {"type": "text", "align": "left", "x": 4, "dy": -7}
    return [layer(line, here, y=level), layer(words, here, y=level, text=nominal("words"))]
