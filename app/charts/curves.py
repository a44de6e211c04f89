"""Learning curves: what was measured, what is thought of the rest, and where the plan would go.

A panel is a mapping: `group` and `name`, `metric` (its name), `held` and `recommended` samples (None: nothing is
planned), `target` (or None), `measured_to` (the largest count measured, 0 for none), `band` (count, mean, p05, p95,
ascending in count), `points` (count, value, low, high; low and high None where the error is unknown), `others`
(group, count, mean: curves of other groups) and `domain` (lowest and highest value that the axis shows). Counts of 0
have no place on a logarithmic axis and are left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.charts.theme import DASHED, Palette, Spec, ThemeName, finished, palette, wrapped
from app.charts.words import number

Panel = Mapping[str, Any]

PANEL_WIDTH, PANEL_HEIGHT = 280, 190
CHARACTERS = 38


def curve_chart(panel: Panel, source: str, theme: ThemeName = "light") -> Spec:
    """One group's curve, as wide as where it stands."""
    view = panel_view(panel, source, palette(theme)) | {"width": "container", "height": PANEL_HEIGHT}
    return finished(view, theme, described(panel))


def curves_chart(panels: Sequence[Panel], source: str, columns: int = 3, theme: ThemeName = "light") -> Spec:
    """Small multiples on the same axes."""
    size = {"width": PANEL_WIDTH, "height": PANEL_HEIGHT}
    views = [panel_view(panel, source, palette(theme)) | size for panel in panels]
    return finished({"concat": views, "columns": columns}, theme, " ".join(map(described, panels)))


def finding(panel: Panel) -> str:
    """What the panel shows, in one line."""
    now, after = mean_at(panel, panel["held"]), mean_at(panel, panel["recommended"])
    if now is None:
        return f"{panel['name']}: nothing is held yet"
    more = (panel["recommended"] or 0) - panel["held"]
    if after is None or more <= 0:
        return f"{panel['name']}: {number(now)} at {panel['held']:,} samples"
    return f"{panel['name']}: {number(now)} now, {number(after)} after {more:,} more"


def described(panel: Panel) -> str:
    """The panel in words, for who cannot see it."""
    reached = f"Measured up to {panel['measured_to']:,} samples." if panel["measured_to"] else "Not measured yet."
    target = "" if panel["target"] is None else f" Target {number(panel['target'])}."
    return f"{finding(panel)}. {reached}{target}"


def mean_at(panel: Panel, count: int | None) -> float | None:
    return next((row["mean"] for row in panel["band"] if row["count"] == count), None)


def panel_view(panel: Panel, source: str, colours: Palette) -> Spec:
    """The layers of one panel, from the back to the front."""
    layers = [
        *others_layer(panel, colours),
        *band_layers(panel),
        *target_layers(panel, colours),
        *point_layers(panel, colours),
        *mark_layers(panel, colours),
        hover_layer(panel),
    ]
    detail = f"{panel['metric']}, with 90 % interval; dashed beyond what was measured. Source: {source}"
    return {
        "title": {"text": wrapped(finding(panel), CHARACTERS), "subtitle": wrapped(detail, CHARACTERS + 8)},
        "encoding": {"x": x_axis(panel), "y": y_axis(panel)},
        "layer": layers,
    }


def x_axis(panel: Panel) -> Spec:
    counts = [row["count"] for row in (*panel["band"], *panel["points"]) if row["count"] >= 1]
    scale: Spec = {"type": "log"}
    if counts:
        scale |= {"domain": [min(counts) * 0.8, max(counts)], "nice": False}
    axis = {"format": "~s", "tickCount": 4, "labelOverlap": "greedy"}
    return {"field": "count", "type": "quantitative", "title": "samples of the group", "scale": scale, "axis": axis}


def y_axis(panel: Panel) -> Spec:
    scale = {"domain": list(panel["domain"]), "zero": False, "nice": False}
    return {"field": "mean", "type": "quantitative", "title": None, "scale": scale, "axis": {"tickCount": 4}}


def shown(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [dict(row) for row in rows if row["count"] >= 1]


def parts(panel: Panel) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The curve inside what was measured and beyond it; both hold the count where they meet."""
    band, reach = shown(panel["band"]), panel["measured_to"]
    inside = [row for row in band if row["count"] <= reach]
    beyond = [row for row in band if row["count"] >= reach]
    return inside, beyond


def others_layer(panel: Panel, colours: Palette) -> list[Spec]:
    rows = shown(panel["others"])
    if not rows:
        return []
    mark = {"type": "line", "color": colours.faint, "strokeWidth": 1, "clip": True}
    return [{"data": {"values": rows}, "mark": mark, "encoding": {"detail": {"field": "group", "type": "nominal"}}}]


def band_layers(panel: Panel) -> list[Spec]:
    inside, beyond = parts(panel)
    return [
        layer
        for rows, opacity, dash in ((inside, 0.28, [1, 0]), (beyond, 0.14, DASHED))
        if rows
        for layer in (
            {
                "data": {"values": rows},
                "mark": {"type": "area", "opacity": opacity, "clip": True},
                "encoding": {"y": {"field": "p05", "type": "quantitative"}, "y2": {"field": "p95"}},
            },
            {"data": {"values": rows}, "mark": {"type": "line", "strokeDash": dash, "clip": True}},
        )
    ]


def target_layers(panel: Panel, colours: Palette) -> list[Spec]:
    if panel["target"] is None:
        return []
    data = {"values": [{"mean": panel["target"], "label": f"target {number(panel['target'])}"}]}
    no_x: Spec = {"x": None}
    text = {"type": "text", "align": "left", "baseline": "bottom", "dx": 3, "dy": -2, "color": colours.vermillion}
    return [
        {
            "data": data,
            "mark": {"type": "rule", "color": colours.vermillion, "strokeDash": [2, 2]},
            "encoding": no_x,
        },
        {"data": data, "mark": text, "encoding": {"x": {"value": 0}, "text": {"field": "label", "type": "nominal"}}},
    ]


def point_layers(panel: Panel, colours: Palette) -> list[Spec]:
    rows = shown(panel["points"])
    if not rows:
        return []
    known = [row for row in rows if row["low"] is not None]
    bars: Spec = {
        "data": {"values": known},
        "mark": {"type": "rule", "color": colours.text, "clip": True},
        "encoding": {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}},
    }
    dots: Spec = {
        "data": {"values": rows},
        "mark": {"type": "point", "color": colours.text, "size": 26},
        "encoding": {
            "y": {"field": "value", "type": "quantitative"},
            "tooltip": [
                {"field": "count", "type": "quantitative", "format": ",d", "title": "samples"},
                {"field": "value", "type": "quantitative", "format": ".4~g", "title": "measured"},
                {"field": "low", "type": "quantitative", "format": ".4~g", "title": "less 1.64 standard errors"},
                {"field": "high", "type": "quantitative", "format": ".4~g", "title": "plus 1.64 standard errors"},
            ],
        },
    }
    return [bars, dots] if known else [dots]


def mark_layers(panel: Panel, colours: Palette) -> list[Spec]:
    """The counts now and after the plan, told apart by shape and by word."""
    marks = [
        ("now", panel["held"], "circle", colours.blue, 17),
        ("after", panel["recommended"], "diamond", colours.green, -13),
    ]
    layers: list[Spec] = []
    drawn: set[int] = set()
    for label, count, shape, colour, dy in marks:
        mean = mean_at(panel, count)
        if count is None or count < 1 or mean is None or count in drawn:
            continue
        drawn.add(count)
        data = {"values": [{"count": count, "mean": mean, "label": label}]}
        mark = {
            "type": "point",
            "shape": shape,
            "size": 120,
            "opacity": 1,
            "color": colour,
            "stroke": colours.background,
        }
        text = {"type": "text", "dy": dy, "fontWeight": 600, "color": colour}
        layers += [
            {"data": data, "mark": mark},
            {"data": data, "mark": text, "encoding": {"text": {"field": "label", "type": "nominal"}}},
        ]
    return layers


def hover_layer(panel: Panel) -> Spec:
    """Where the pointer finds the curve's numbers."""
    fields = (("mean", "expected"), ("p05", "5 %"), ("p95", "95 %"))
    return {
        "data": {"values": shown(panel["band"])},
        "mark": {"type": "point", "opacity": 0, "size": 260},
        "encoding": {
            "tooltip": [
                {"field": "count", "type": "quantitative", "format": ",d", "title": "samples"},
                *(
                    {"field": field, "type": "quantitative", "format": ".4~g", "title": title}
                    for field, title in fields
                ),
            ]
        },
    }
