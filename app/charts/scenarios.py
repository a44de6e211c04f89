"""Scenarios side by side: what each gains over the first, by the first's own objective.

A row is a mapping: `name`, `spend` in currency units (None where no plan keeps the scenario's constraints) and `gain`
(mean, p05, p95, p_better; None where there is nothing to compare).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.charts.theme import Spec, ThemeName, finished, layer, nominal, palette, quantitative, titled
from app.charts.words import amounts, money, number, percent

Row = Mapping[str, Any]


def scenarios_chart(rows: Sequence[Row], currency: str, source: str, theme: ThemeName = "light") -> Spec:
    """A point with its interval per scenario, and a line at no difference."""
    colours = palette(theme)
    values = [
        {
            "place": f"{place + 1}. {row['name']}",
            "spend": row["spend"],
            "label": f"{number(row['gain']['mean'])} for {money(row['spend'], currency)}",
            **{name: row["gain"][name] for name in ("mean", "p05", "p95", "p_better")},
        }
        for place, row in enumerate(rows)
        if row["gain"] is not None and row["spend"] is not None
    ]
    axis = {"grid": True, "tickCount": 5, "format": "~g"}
    x = quantitative("mean", title="difference in utility to the first scenario", axis=axis)
    span = {"type": "rule", "strokeWidth": 3, "color": colours.sky}
    layers: list[Spec] = [
        layer({"type": "rule", "color": colours.muted}, [{"mean": 0}], y=None),
        layer(span, x=x | {"field": "p05"}, x2={"field": "p95"}),
        layer({"type": "point", "size": 90}, tooltip=tooltips(currency)),
        layer({"type": "text", "dy": -11, "fontSize": 11}, text=nominal("label")),
    ]
    y = nominal("place", sort=None, title=None, axis={"labelLimit": 180})
    spec: Spec = {
        "title": titled(finding(rows), "Mean over the same draws of the curves, with 90 % interval.", source),
        "width": "container",
        "height": {"step": 44},
        "data": {"values": values},
        "encoding": {"x": x, "y": y},
        "layer": layers,
    }
    return finished(spec, theme, finding(rows))


def tooltips(currency: str) -> list[Spec]:
    return [
        nominal("place", title="scenario"),
        quantitative("spend", format=amounts(currency), title=f"spend, {currency}"),
        quantitative("mean", format=".4~g", title="difference"),
        quantitative("p05", format=".4~g", title="5 %"),
        quantitative("p95", format=".4~g", title="95 %"),
        quantitative("p_better", format=".0%", title="chance to be better"),
    ]


def finding(rows: Sequence[Row]) -> str:
    """Which scenario gains the most over the first, and how surely."""
    others = [row for row in rows[1:] if row["gain"] is not None]
    if not others:
        return "There is nothing to compare yet"
    best = max(others, key=lambda row: row["gain"]["mean"])
    first = rows[0]["name"]
    if best["gain"]["mean"] <= 0:
        return f"No scenario is expected to do better than {first}"
    return f"{best['name']} does better than {first} with a chance of {percent(best['gain']['p_better'])}"
