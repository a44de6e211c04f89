"""What more or less money would do: to the utility, and to the chance that all targets are met.

A row is a mapping: `budget` in currency units, ascending; `gain` and `gain_equal` (mean, p05, p95: of utility over now,
with the plan, and with the same count for every group); `chance` that all targets are met, or None where no group has
one. `chosen` is the budget that the plan is made for; it is one of the rows'.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.charts.labels import end_offsets
from app.charts.theme import (
    DASHED,
    DOTTED,
    Palette,
    Spec,
    ThemeName,
    finished,
    layer,
    nominal,
    palette,
    quantitative,
    titled,
)
from app.charts.words import amounts, money, number, percent

Row = Mapping[str, Any]

HEIGHT = 220


def utility_chart(rows: Sequence[Row], chosen: float, currency: str, source: str, theme: ThemeName = "light") -> Spec:
    """The gain of utility by budget, with its band, beside that of equal counts for the same money: the level would
    hide it."""
    colours = palette(theme)
    plan = [{"budget": row["budget"], **row["gain"]} for row in rows]
    equal = [{"budget": row["budget"], **row["gain_equal"]} for row in rows]
    low, high = reach(plan)
    mean = quantitative("mean", title="gain of utility", axis={"format": "~g", "tickCount": 5})
    layers: list[Spec] = [
        layer({"type": "area", "opacity": 0.2}, plan, y=mean | {"field": "p05"}, y2={"field": "p95"}),
        layer({"type": "line", "color": colours.muted, "strokeDash": DASHED}, equal),
        layer({"type": "line", "point": True}, plan),
        *end_labels([("planned", plan, colours.blue), ("equal counts", equal, colours.muted)], low, high),
        *chosen_layers(plan, chosen, currency, colours, (low + high) / 2),
        hover(plan, [("mean", "gain of utility"), ("p05", "5 %"), ("p95", "95 %")], currency),
    ]
    detail = "What the round adds to the utility, with 90 % interval."
    title = titled(utility_finding(rows, chosen, currency), detail, source)
    spec = frame(title) | {"encoding": {"x": x_axis(currency), "y": mean}, "layer": layers}
    return finished(spec, theme, utility_finding(rows, chosen, currency))


def targets_chart(rows: Sequence[Row], chosen: float, currency: str, source: str, theme: ThemeName = "light") -> Spec:
    """The chance that every group with a target reaches it, by budget."""
    known = [{"budget": row["budget"], "mean": row["chance"]} for row in rows if row["chance"] is not None]
    axis = {"format": "%", "tickCount": 5}
    y = quantitative("mean", title="chance", scale={"domain": [0, 1]}, axis=axis)
    layers: list[Spec] = [
        layer({"type": "line", "point": True}, known),
        *chosen_layers(known, chosen, currency, palette(theme), 0.5),
        hover(known, [("mean", "chance")], currency, ".1%"),
    ]
    finding = targets_finding(known, chosen, currency)
    title = titled(finding, "Chance that all groups with a target reach it after the round.", source)
    spec = frame(title) | {"encoding": {"x": x_axis(currency), "y": y}, "layer": layers}
    return finished(spec, theme, finding)


def reach(rows: Sequence[Row]) -> tuple[float, float]:
    """The lowest and the highest value of the rows' bands."""
    values = [row[name] for row in rows for name in ("mean", "p05", "p95")]
    return min(values, default=0.0), max(values, default=1.0)


def frame(title: Spec) -> Spec:
    return {"title": title, "width": "container", "height": HEIGHT}


def x_axis(currency: str) -> Spec:
    axis = {"format": ",~f", "tickCount": 6, "labelOverlap": "greedy"}
    return quantitative("budget", title=f"budget of the round, {currency}", axis=axis)


def end_labels(series: Sequence[tuple[str, Sequence[Row], str]], low: float, high: float) -> list[Spec]:
    """Names where the lines end, in place of a legend; none stands on another. low, high: what the axis shows."""
    known = [one for one in series if one[1]]
    offsets = end_offsets([rows[-1]["mean"] for _, rows, _ in known], low, high, HEIGHT)
    return [
        layer(
            {"type": "text", "align": "left", "dx": 7, "dy": round(dy, 1), "color": colour},
            [{**rows[-1], "label": label}],
            text=nominal("label"),
        )
        for (label, rows, colour), dy in zip(known, offsets, strict=True)
    ]


def chosen_layers(rows: Sequence[Row], chosen: float, currency: str, colours: Palette, middle: float) -> list[Spec]:
    """An upright line at the plan's budget. Curves rise, so that its words have room above on its left, and on its
    right above while the curve is below the axis's `middle`, else below."""
    here = [{**row, "label": f"this plan, {money(chosen, currency)}"} for row in rows if row["budget"] == chosen]
    if not here:
        return []
    right = chosen > (rows[0]["budget"] + rows[-1]["budget"]) / 2
    above = right or here[0]["mean"] < middle
    mark = {"type": "point", "shape": "diamond", "size": 130, "color": colours.green, "stroke": colours.background}
    text = {
        "type": "text",
        "align": "right" if right else "left",
        "dx": -6 if right else 6,
        "fontWeight": 600,
        "color": colours.green,
    }
    return [
        layer({"type": "rule", "color": colours.green, "strokeDash": DOTTED}, here, y=None),
        layer(mark, here),
        layer(text, here, text=nominal("label"), y={"value": 8 if above else HEIGHT - 8}),
    ]


def hover(rows: Sequence[Row], fields: Sequence[tuple[str, str]], currency: str, form: str = ".4~g") -> Spec:
    told = [quantitative(name, format=form, title=title) for name, title in fields]
    budget = quantitative("budget", format=amounts(currency), title=f"budget, {currency}")
    return layer({"type": "point", "opacity": 0, "size": 300}, rows, tooltip=[budget, *told])


def utility_finding(rows: Sequence[Row], chosen: float, currency: str) -> str:
    """What this plan's money gains, and what all of it would gain."""
    at = {row["budget"]: row["gain"]["mean"] for row in rows}
    if chosen not in at or len(at) < 2:
        return "Utility by budget"
    start, most = min(at), max(at)
    gained = at[chosen] - at[start]
    said = f"{money(chosen, currency)} raise utility by {number(gained)}"
    if most > chosen:
        further = at[most] - at[chosen]
        return f"{said}; {money(most - chosen, currency)} more would add {number(further)}"
    return said


def targets_finding(rows: Sequence[Row], chosen: float, currency: str) -> str:
    at = {row["budget"]: row["mean"] for row in rows}
    if not at:
        return "No group has a target"
    if chosen not in at:
        return "Chance that all targets are met, by budget"
    said = f"With {money(chosen, currency)} all targets are met with a chance of {percent(at[chosen])}"
    most = max(at)
    return said if most <= chosen else f"{said}; with {money(most, currency)}, {percent(at[most])}"
