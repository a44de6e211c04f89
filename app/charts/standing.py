"""Where the groups stand now and after the plan, beside their targets: what a purchase brings, group by group."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.charts.theme import Spec, ThemeName, finished, layer, nominal, palette, quantitative, titled
from app.charts.words import level

Row = Mapping[str, Any]
"""`name`; `now`, `after`, `p05`, `p95` in the metric's units; `add` samples; `target` or None; `kind`: what the group
is summed with where there are many, or None."""

MOST = 14
HALF = 58
"""Characters of a line: it stands in half a page."""
WORST = 10
"""Groups that are shown where there are more than MOST."""


def standing_chart(
    rows: Sequence[Row], metric: str, goal: str, share: bool, source: str = "", theme: ThemeName = "light"
) -> Spec:
    """A hollow dot now, a filled one after with its 90 % interval, a tick for the target. goal: maximize or minimize;
    share: whether the metric lies between 0 and 1 and is told in percent."""
    ranked = sorted(rows, key=lambda row: (-shortfall(row, goal), row["name"]))
    kept = ranked if len(ranked) <= MOST else ranked[:WORST]
    finding = headline(ranked, goal, share)
    detail = f"{metric}; ○ now, ● after the plan with its 90 % interval, | target; + samples it adds."
    if len(kept) < len(ranked):
        detail += f" The {len(kept)} worst of {len(ranked):,} groups, then the means of the others."
        kept = [*kept, *others(ranked[WORST:])]
    spec: Spec = {
        "title": {**titled(finding, detail, source, HALF), "fontSize": 14},
        "width": "container",
        "height": {"step": 24},
        "data": {"values": [{**row, "plus": f"+{row['add']:,}" if row["add"] else ""} for row in kept]},
        "encoding": {"y": nominal("name", title=None, sort=[row["name"] for row in kept])},
        "layer": marks(kept, metric, share, theme),
    }
    return finished(spec, theme, finding)


def others(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows of each kind as one: means, and the sum of what they add."""
    kinds: dict[str | None, list[Row]] = {}
    for row in rows:
        kinds.setdefault(row.get("kind"), []).append(row)
    return [
        {
            "name": f"{len(some):,} other{'' if len(some) == 1 else 's'}" + (f", {kind}" if kind else ""),
            "now": sum(row["now"] for row in some) / len(some),
            "after": sum(row["after"] for row in some) / len(some),
            "p05": None,
            "p95": None,
            "add": sum(row["add"] for row in some),
            "target": None,
        }
        for kind, some in kinds.items()
    ]


def shortfall(row: Row, goal: str) -> float:
    """By how much the group misses its target after the plan; without targets, how badly it stands."""
    sign = 1.0 if goal == "maximize" else -1.0
    return float(sign * ((row["target"] if row["target"] is not None else 0.0) - row["after"]))


def headline(ranked: Sequence[Row], goal: str, share: bool) -> str:
    if not ranked:
        return "Nothing is known of the groups yet"
    short = [row for row in ranked if row["target"] is not None and shortfall(row, goal) > 0.0]
    if short:
        worst = short[0]
        others = f", {len(short) - 1} more below theirs" if len(short) > 1 else ""
        after, target = told(worst["after"], share), told(worst["target"], share)
        return f"{worst['name']} ends at {after}, its target is {target}{others}"
    if any(row["target"] is not None for row in ranked):
        return "Every group with a target is expected to reach it"
    worst = ranked[0]
    return f"{worst['name']} stays the worst: {told(worst['now'], share)} now, {told(worst['after'], share)} after"


def told(value: float, share: bool) -> str:
    return f"{100 * value:.1f}\N{NO-BREAK SPACE}%" if share else level(value)


def marks(kept: Sequence[Row], metric: str, share: bool, theme: ThemeName) -> list[Spec]:
    colours = palette(theme)
    form = ".1%" if share else ".4~g"
    axis = {"format": ".0%" if share else "~g", "grid": True, "tickCount": 5}
    scale = {"zero": False, "nice": True}
    tooltip = [
        nominal("name", title="group"),
        quantitative("now", title="now", format=form),
        quantitative("after", title="after", format=form),
        quantitative("p05", title="after, 5 %", format=form),
        quantitative("p95", title="after, 95 %", format=form),
        quantitative("target", title="target", format=form),
        quantitative("add", title="samples added", format=",d"),
    ]

    def at(field: str) -> Spec:
        return quantitative(field, title=metric, axis=axis, scale=scale)

    found = [
        {
            **layer({"type": "rule", "strokeWidth": 3, "color": colours.faint}, x=at("p05"), x2={"field": "p95"}),
            "transform": [{"filter": "isValid(datum.p05)"}],
        },
        layer({"type": "point", "filled": False, "size": 60, "color": colours.muted}, x=at("now"), tooltip=tooltip),
        layer({"type": "point", "filled": True, "size": 70, "color": colours.blue}, x=at("after"), tooltip=tooltip),
        layer({"type": "text", "align": "left", "dx": 8}, x={"value": "width"}, text=nominal("plus")),
    ]
    if any(row["target"] is not None for row in kept):
        tick = {"type": "tick", "thickness": 2, "height": 16, "color": colours.text}
        found.append({**layer(tick, x=at("target")), "transform": [{"filter": "isValid(datum.target)"}]})
    return found
