"""Learning curves: what was measured, what is thought of the rest, and where the plan would go.

A panel is a mapping: `group` and `name`, `metric` (its name), `now` and `after` (count, mean; after None where nothing
is bought), both with the `pending` samples that are awaited, counted as clean ones; `add`, the samples bought; `target`
(or None), `measured_to` (the largest count measured, 0 for none), `band` (count, mean, p05, p95,
ascending in count), `points` (count, value, low, high; low and high None where the error is unknown), `others`
(group, count, mean: curves of other groups) and `domain` (lowest and highest value that the axis shows). Counts of 0
have no place on a logarithmic axis and are left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.charts.theme import (
    DASHED,
    Palette,
    Spec,
    ThemeName,
    finished,
    layer,
    nominal,
    palette,
    quantitative,
    titled,
    wrapped,
)
from app.charts.words import level

Panel = Mapping[str, Any]

PANEL_WIDTH, PANEL_HEIGHT, COLUMNS = 280, 190, 3
DRAWN_WIDTH = 430
CHARACTERS = 38
MOST_TICKS = 7


def curve_chart(panel: Panel, source: str, theme: ThemeName = "light") -> Spec:
    """One group's curve, as wide as where it stands, or as a third of a page."""
    detail = f"{panel['metric']}, with 90 % interval; dashed beyond what was measured. Source: {source}"
    title = {"text": wrapped(finding(panel), CHARACTERS), "subtitle": wrapped(detail, CHARACTERS + 8)}
    size = {"width": "container", "height": PANEL_HEIGHT}
    drawing = panel_view(panel, palette(theme), "samples of the group", panel["metric"])
    return finished({"title": title, **drawing, **size, "usermeta": {"width": DRAWN_WIDTH}}, theme, described(panel))


def curves_chart(panels: Sequence[Panel], source: str, columns: int = COLUMNS, theme: ThemeName = "light") -> Spec:
    """Small multiples on the same vertical axis, what they share said once above them."""
    size = {"width": PANEL_WIDTH, "height": PANEL_HEIGHT}
    views = [{"title": heading(panel), **panel_view(panel, palette(theme)), **size} for panel in panels]
    metric = panels[0]["metric"] if panels else "The metric"
    detail = f"{metric} by samples of the group, with 90 % interval; dashed beyond what was measured."
    title = {**titled(overall(panels), detail, source), "offset": 24}
    spec = {"title": title, "concat": views, "columns": columns, "spacing": {"row": 28, "column": 24}}
    return finished(spec, theme, " ".join([f"{overall(panels)}.", *map(described, panels)]))


def heading(panel: Panel) -> Spec:
    """A panel's title: the group, and beneath it its numbers."""
    numbers = finding(panel).removeprefix(f"{panel['name']}: ")
    title = {"text": wrapped(panel["name"], CHARACTERS) or [""], "subtitle": wrapped(numbers, CHARACTERS + 8)}
    return {**title, "fontSize": 13, "offset": 8}


def overall(panels: Sequence[Panel]) -> str:
    """What the panels show together: whom the plan moves the most."""
    moved = [panel for panel in panels if panel["after"] is not None]
    if not moved:
        return "The plan buys nothing for these groups"
    most = max(moved, key=lambda panel: abs(panel["after"]["mean"] - panel["now"]["mean"]))
    numbers = finding(most).removeprefix(f"{most['name']}: ")
    return f"The plan moves {most['name']}{'' if len(moved) == 1 else ' the most'}: {numbers}"


def finding(panel: Panel) -> str:
    """What the panel shows, in one line."""
    now, after = panel["now"], panel["after"]
    if not now["count"] and after is None:
        return f"{panel['name']}: nothing is held yet"
    here = f"{panel['name']}: {level(now['mean'])}"
    awaited = f"with {panel['pending']:,} awaited" if panel["pending"] else ""
    if after is None:
        return f"{here} at {now['count']:,} samples{f' {awaited}' if awaited else ''}"
    return f"{here} {awaited or 'now'}, {level(after['mean'])} after {more_words(panel)}"


def more_words(panel: Panel) -> str:
    """The samples bought, and what they count for where they are not all clean ones."""
    worth = panel["after"]["count"] - panel["now"]["count"]
    counted = f", counted as {worth:,}" if panel["add"] - worth > 1 else ""
    return f"{panel['add']:,} more{counted}"


def described(panel: Panel) -> str:
    """The panel in words, for who cannot see it."""
    reached = f"Measured up to {panel['measured_to']:,} samples." if panel["measured_to"] else "Not measured yet."
    target = "" if panel["target"] is None else f" Target {level(panel['target'])}."
    return f"{finding(panel)}. {reached}{target}"


def panel_view(panel: Panel, colours: Palette, across: str | None = None, up: str | None = None) -> Spec:
    """The layers of one panel, from the back to the front. across, up: what the axes are called."""
    layers = [
        *others_layer(panel, colours),
        *band_layers(panel),
        *target_layers(panel, colours),
        *point_layers(panel, colours),
        *mark_layers(panel, colours),
        hover_layer(panel),
    ]
    return {
        "encoding": {"x": x_axis(panel, across), "y": y_axis(panel, up)},
        "layer": layers,
    }


def x_axis(panel: Panel, title: str | None) -> Spec:
    counts = [row["count"] for row in (*panel["band"], *panel["points"]) if row["count"] >= 1]
    scale: Spec = {"type": "log"}
    axis: Spec = {"format": "~s", "labelOverlap": "greedy"}
    if counts:
        low, high = min(counts) * 0.8, max(counts)
        scale |= {"domain": [low, high], "nice": False}
        axis["values"] = ticks(low, high)
    return quantitative("count", title=title, scale=scale, axis=axis)


def ticks(low: float, high: float) -> list[int]:
    """Powers of ten between the two, with their doubles and fivefolds where there is room for these."""
    powers = [10**power for power in range(13)]
    fine = [step * power for power in powers for step in (1, 2, 5) if low <= step * power <= high]
    return fine if len(fine) <= MOST_TICKS else [count for count in fine if count in powers]


def y_axis(panel: Panel, title: str | None) -> Spec:
    scale = {"domain": list(panel["domain"]), "zero": False, "nice": False}
    return quantitative("mean", title=title, scale=scale, axis={"tickCount": 4})


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
    mark = {"type": "line", "color": colours.faint, "strokeWidth": 1, "clip": True, "aria": False}
    return [layer(mark, rows, detail=nominal("group"))]


def band_layers(panel: Panel) -> list[Spec]:
    inside, beyond = parts(panel)
    still = {"clip": True, "aria": False}
    return [
        one
        for rows, opacity, dash in ((inside, 0.28, [1, 0]), (beyond, 0.14, DASHED))
        if rows
        for one in (
            layer({"type": "area", "opacity": opacity, **still}, rows, y=quantitative("p05"), y2={"field": "p95"}),
            layer({"type": "line", "strokeDash": dash, **still}, rows),
        )
    ]


def target_layers(panel: Panel, colours: Palette) -> list[Spec]:
    if panel["target"] is None:
        return []
    here = [{"mean": panel["target"], "label": f"target {level(panel['target'])}"}]
    text = {"type": "text", "align": "left", "baseline": "bottom", "dx": 3, "dy": -2, "color": colours.vermillion}
    return [
        layer({"type": "rule", "color": colours.vermillion, "strokeDash": [2, 2]}, here, x=None),
        layer(text, here, x={"value": 0}, text=nominal("label")),
    ]


def point_layers(panel: Panel, colours: Palette) -> list[Spec]:
    rows = shown(panel["points"])
    if not rows:
        return []
    known = [row for row in rows if row["low"] is not None]
    bar = {"type": "rule", "color": colours.text, "clip": True, "aria": False}
    bars = layer(bar, known, y=quantitative("low"), y2={"field": "high"})
    told = (("value", "measured"), ("low", "less 1.64 standard errors"), ("high", "plus 1.64 standard errors"))
    dot = {"type": "point", "color": colours.text, "size": 26}
    dots = layer(dot, rows, y=quantitative("value"), tooltip=tooltips(told))
    return [bars, dots] if known else [dots]


def tooltips(fields: Sequence[tuple[str, str]]) -> list[Spec]:
    """Of a count and of what is known there, by field and title."""
    samples = quantitative("count", format=",d", title="samples")
    return [samples, *(quantitative(field, format=".4~g", title=title) for field, title in fields)]


def mark_layers(panel: Panel, colours: Palette) -> list[Spec]:
    """The counts now and after the plan, told apart by shape and by word."""
    marks = [
        ("with awaited" if panel["pending"] else "now", panel["now"], "circle", colours.blue, 17),
        ("after", panel["after"], "diamond", colours.green, -13),
    ]
    layers: list[Spec] = []
    drawn: set[int] = set()
    for label, place, shape, colour, dy in marks:
        if place is None or place["count"] < 1 or place["count"] in drawn:
            continue
        drawn.add(place["count"])
        here = [{**place, "label": label}]
        mark = {
            "type": "point",
            "shape": shape,
            "size": 120,
            "opacity": 1,
            "color": colour,
            "stroke": colours.background,
        }
        text = {"type": "text", "dy": dy, "fontWeight": 600, "color": colour}
        layers += [layer(mark, here), layer(text, here, text=nominal("label"))]
    return layers


def hover_layer(panel: Panel) -> Spec:
    """Where the pointer finds the curve's numbers."""
    fields = (("mean", "expected"), ("p05", "5 %"), ("p95", "95 %"))
    mark = {"type": "point", "opacity": 0, "size": 260, "aria": False}
    return layer(mark, shown(panel["band"]), tooltip=tooltips(fields))
