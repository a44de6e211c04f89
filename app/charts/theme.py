"""What all charts share: colours, type, the title that states the finding.

The colours are those of Okabe and Ito (2008, "Color Universal Design"), darkened or lightened until each stands out
from its background by 3:1 (WCAG 2.1, 1.4.11). Two series never differ by colour alone: dash, shape and place tell
them apart in greyscale.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Spec = dict[str, Any]
ThemeName = Literal["light", "dark"]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
WIDTH = 560
TITLE_CHARACTERS = 54
NARROW_WIDTH, NARROW_CHARACTERS, NARROW_LABEL = 328, 36, 120
SOLID, DASHED, DOTTED = [1, 0], [6, 4], [1.5, 3]


@dataclass(frozen=True)
class Palette:
    """`text` and `muted` are for words (4.5:1), the others for marks (3:1); `faint` and `grid` carry nothing that must
    be seen."""

    background: str
    text: str
    muted: str
    grid: str
    faint: str
    blue: str
    vermillion: str
    green: str
    purple: str
    orange: str
    sky: str

    @property
    def series(self) -> list[str]:
        """For categories, from dark to light in greyscale steps as wide as six colours allow."""
        return [self.blue, self.vermillion, self.green, self.purple, self.orange, self.sky]


LIGHT = Palette(
    background="#ffffff",
    text="#1b1f24",
    muted="#57606a",
    grid="#e3e6ea",
    faint="#c3c9d0",
    blue="#0072b2",
    vermillion="#c84f00",
    green="#00805d",
    purple="#b0568a",
    orange="#a86f00",
    sky="#2f8fc7",
)
DARK = Palette(
    background="#14181d",
    text="#e9edf1",
    muted="#a7b0ba",
    grid="#2a3038",
    faint="#4b545e",
    blue="#4ba3dd",
    vermillion="#f0803c",
    green="#2fbf95",
    purple="#d98fb8",
    orange="#e6a51f",
    sky="#8ccbf0",
)
PALETTES: Mapping[str, Palette] = MappingProxyType({"light": LIGHT, "dark": DARK})


def palette(theme: ThemeName) -> Palette:
    return PALETTES[theme]


def titled(finding: str, detail: str = "", source: str = "", width: int = TITLE_CHARACTERS) -> Spec:
    """A title that says what is to be seen, with the unit and the source beneath. All three are text, shown as such.
    width: of a line, in characters."""
    lines = [*wrapped(detail, width), *wrapped(f"Source: {source}" if source else "", width)]
    title: Spec = {"text": wrapped(finding, width) or [""]}
    return title | ({"subtitle": lines} if lines else {})


def quantitative(field: str, **more: Any) -> Spec:
    return {"field": field, "type": "quantitative", **more}


def nominal(field: str, **more: Any) -> Spec:
    return {"field": field, "type": "nominal", **more}


def layer(mark: Spec, values: Sequence[Mapping[str, Any]] | None = None, **encoding: Any) -> Spec:
    """A layer of a chart: on `values` of its own, or on the chart's."""
    data = {} if values is None else {"data": {"values": list(values)}}
    return {**data, "mark": mark, **({"encoding": encoding} if encoding else {})}


def narrowed(spec: Spec) -> Spec:
    """`spec` for a narrow place: titles in shorter lines, shorter labels, small multiples beneath each other."""
    config = spec["config"]
    axis, title = {**config["axis"], "labelLimit": NARROW_LABEL}, {**config["title"], "fontSize": 14}
    found = {**spec, "config": {**config, "axis": axis, "title": title}, "usermeta": {"width": NARROW_WIDTH}}
    if "concat" in found:
        found |= {"columns": 1, "concat": [rewrapped(view) for view in found["concat"]]}
    return rewrapped(found)


def rewrapped(view: Spec) -> Spec:
    if "title" not in view:
        return view
    title = view["title"]
    lines = {
        name: wrapped(" ".join(title[name]), NARROW_CHARACTERS) for name in ("text", "subtitle") if title.get(name)
    }
    return {**view, "title": {**title, **lines}}


def wrapped(text: str, width: int = TITLE_CHARACTERS) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def finished(spec: Spec, theme: ThemeName = "light", description: str = "") -> Spec:
    """`spec` with its schema and its look, ready to be drawn. description: read aloud in the chart's place."""
    said = {"description": description} if description else {}
    return {"$schema": SCHEMA, **said, **spec, "config": config(theme)}


def config(theme: ThemeName) -> Spec:
    """The look of every chart: horizontal grid only, no frame, words in the palette's text colours."""
    colours = palette(theme)
    return {
        "background": colours.background,
        "padding": 8,
        "font": FONT,
        "view": {"stroke": None},
        "title": title_config(colours),
        "axis": axis_config(colours),
        "axisX": {"grid": False, "domainColor": colours.muted},
        "axisY": {"domain": False, "ticks": False},
        "header": {
            "labelColor": colours.text,
            "titleColor": colours.muted,
            "labelFontSize": 12,
            "labelFontWeight": 600,
        },
        "legend": {"labelColor": colours.text, "titleColor": colours.muted, "labelFontSize": 12, "labelLimit": 260},
        "text": {"color": colours.text, "fontSize": 11},
        "rule": {"color": colours.muted},
        "bar": {"color": colours.blue},
        "line": {"color": colours.blue, "strokeWidth": 2},
        "point": {"color": colours.blue, "filled": True, "size": 42},
        "area": {"color": colours.blue},
        "range": {"category": colours.series},
    }


def title_config(colours: Palette) -> Spec:
    return {
        "anchor": "start",
        "frame": "bounds",
        "color": colours.text,
        "fontSize": 15,
        "fontWeight": 600,
        "subtitleColor": colours.muted,
        "subtitleFontSize": 12,
        "subtitlePadding": 4,
        "offset": 14,
    }


def axis_config(colours: Palette) -> Spec:
    return {
        "labelColor": colours.text,
        "titleColor": colours.muted,
        "gridColor": colours.grid,
        "tickColor": colours.muted,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": 400,
        "labelLimit": 200,
    }
