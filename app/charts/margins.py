"""Marginal utility per cost, now and after the plan: the picture of why.

A row is a mapping: `group`, `name`, `now` and `after` (utility per currency unit, or None for a group that nothing
delivers) and `add` (samples planned).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.charts.theme import Spec, ThemeName, finished, layer, nominal, palette, quantitative, titled
from app.charts.words import listed, number

Row = Mapping[str, Any]

MOST = 20
UNIT = 1_000
LEVEL = 1.5
"""Margins within this factor of each other are called level."""


def margins_chart(rows: Sequence[Row], currency: str, source: str, theme: ThemeName = "light") -> Spec:
    """Two bars per group: what its next sample gains per cost now, and once the plan has come."""
    kept = largest(rows)
    values = [one for row in kept for one in bars_of(row)]
    colours = palette(theme)
    left = len(rows) - len(kept)
    detail = f"Utility per {UNIT:,} {currency} spent on the group, now and after the purchase." + (
        f" The {len(kept)} groups with the most; {left} more are not shown." if left else ""
    )
    bar = layer(
        {"type": "bar", "height": {"band": 0.9}},
        color=nominal(
            "moment", scale={"domain": ["now", "after"], "range": [colours.faint, colours.blue]}, legend=None
        ),
        tooltip=[
            nominal("name", title="group"),
            nominal("moment", title="when"),
            quantitative("margin", format=".4~g", title=f"utility per {UNIT:,}"),
        ],
    )
    mark = {"type": "text", "align": "left", "dx": 4, "baseline": "middle", "fontSize": 10}
    text = layer(mark, text=nominal("label"))
    spec: Spec = {
        "title": titled(finding(rows), detail, source),
        "width": "container",
        "height": {"step": 15},
        "data": {"values": values},
        "encoding": {
            "y": nominal(
                "name",
                sort=[row["name"] for row in kept],
                title=None,
                scale={"paddingInner": 0.35},
                axis={"domain": False, "ticks": False, "labelLimit": 150},
            ),
            "yOffset": nominal("moment", sort=["now", "after"]),
            "x": quantitative(
                "margin",
                title=f"utility per {UNIT:,} {currency}",
                scale={"domain": [0, 1.25 * max((one["margin"] for one in values), default=1.0) or 1.0]},
                axis={"grid": True, "tickCount": 4, "format": "~g"},
            ),
        },
        "layer": [bar, text],
    }
    return finished(spec, theme, finding(rows))


def largest(rows: Sequence[Row]) -> list[Row]:
    """The rows to draw, largest margin first; names alone do not tell equal ones apart, so the order given stays."""
    known = [row for row in rows if row["now"] is not None]
    return sorted(known, key=lambda row: -row["now"])[:MOST]


def bars_of(row: Row) -> list[dict[str, Any]]:
    return [
        {
            "name": row["name"],
            "moment": moment,
            "margin": UNIT * (row[moment] or 0.0),
            "label": f"{moment} {number(UNIT * (row[moment] or 0.0))}",
        }
        for moment in ("now", "after")
    ]


def finding(rows: Sequence[Row]) -> str:
    """What the bars show, computed from them."""
    known = largest(rows)
    fed = [row for row in known if row["add"]]
    if not known:
        return "Nothing is known yet of what a sample gains"
    if not fed:
        return f"A sample of {known[0]['name']} gains the most per cost, and nothing is bought"
    if len(fed) == 1:
        return f"Money gains the most on {fed[0]['name']}"
    after = [row["after"] for row in fed if row["after"]]
    names = listed([row["name"] for row in fed])
    if after and max(after) <= LEVEL * min(after):
        return f"Bought until money gains the same everywhere it goes: {names}"
    return f"Money gains the most on {names}"
