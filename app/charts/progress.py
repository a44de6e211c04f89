"""What came of a round: per group, the samples accepted, pending and rejected beside those planned."""

from collections.abc import Sequence
from typing import TypedDict

from app.charts.theme import Spec, ThemeName, finished, layer, nominal, palette, quantitative, titled

STATES = ("accepted", "pending", "rejected")
MOST_GROUPS = 30


class GroupRow(TypedDict):
    """Samples of one group."""

    group: str
    planned: int
    accepted: int
    pending: int
    rejected: int


def progress(
    round: int | None, rows: Sequence[GroupRow], source: str = "", theme: ThemeName = "light", most: int = MOST_GROUPS
) -> Spec:
    """Bars of the `most` groups that lack the most samples. round: None before any round was accepted."""
    shown = sorted(rows, key=lambda row: (missing(row) * -1, row["group"]))[:most]
    bars = [
        {"group": row["group"], "state": state, "samples": samples, "order": place}
        for row in shown
        for place, (state, samples) in enumerate(zip(STATES, delivered(row), strict=True))
        if samples
    ]
    ends = [{**row, "end": max(row["planned"], sum(delivered(row))), "words": words(row)} for row in shown]
    finding = headline(round, rows)
    detail = (
        "Samples" if len(shown) == len(rows) else f"Samples; the {len(shown)} of {len(rows):,} groups that lack most"
    )
    spec: Spec = {
        "title": titled(finding, f"{detail}. The upright line is what was planned.", source),
        "width": "container",
        "height": {"step": 26},
        "layer": [bar_layer(bars, shown, theme), planned_layer(ends, theme), words_layer(ends)],
    }
    return finished(spec, theme, finding)


def headline(round: int | None, rows: Sequence[GroupRow]) -> str:
    if round is None:
        return "No round has been accepted yet"
    planned, accepted = sum(row["planned"] for row in rows), sum(row["accepted"] for row in rows)
    share = f" ({accepted / planned:.0%})" if planned else ""
    return f"Round {round}: {accepted:,} of {planned:,} planned samples accepted{share}"


def missing(row: GroupRow) -> int:
    return max(0, row["planned"] - row["accepted"])


def delivered(row: GroupRow) -> tuple[int, int, int]:
    """Samples in the order of STATES."""
    return row["accepted"], row["pending"], row["rejected"]


def words(row: GroupRow) -> str:
    more = [f"{row[state]:,} {state}" for state in ("pending", "rejected") if row[state]]
    return ", ".join([f"{row['accepted']:,} of {row['planned']:,}", *more])


def bar_layer(bars: Sequence[Spec], shown: Sequence[GroupRow], theme: ThemeName) -> Spec:
    colours = palette(theme)
    # What was rejected is an outline: in greyscale it would be as dark as what was accepted.
    scale = {"domain": list(STATES), "range": [colours.blue, colours.faint, colours.background]}
    edge = {"domain": list(STATES), "range": [colours.blue, colours.muted, colours.vermillion]}
    return layer(
        {"type": "bar", "height": {"band": 0.6}},
        bars,
        y=nominal("group", title=None, sort=[row["group"] for row in shown]),
        x=quantitative("samples", title="samples", axis={"format": ",d", "tickCount": 5}, scale=room_for_words(shown)),
        stroke={"field": "state", "scale": edge, "legend": None},
        color={"field": "state", "scale": scale, "legend": {"orient": "top", "title": None}},
        order=quantitative("order"),
        tooltip=[
            {"field": "group", "title": "group"},
            {"field": "state", "title": "state"},
            {"field": "samples", "title": "samples", "format": ",d"},
        ],
    )


def room_for_words(shown: Sequence[GroupRow]) -> Spec:
    """The scale of the samples: to the right of the longest bar its words need a place too."""
    longest = max((max(row["planned"], sum(delivered(row))) for row in shown), default=0)
    return {"domain": [0, 1.5 * longest]} if longest else {}


def planned_layer(ends: Sequence[Spec], theme: ThemeName) -> Spec:
    mark = {"type": "tick", "thickness": 2, "color": palette(theme).text, "height": {"band": 0.9}}
    told = [{"field": "group", "title": "group"}, {"field": "planned", "title": "planned", "format": ",d"}]
    return layer(mark, ends, y=nominal("group"), x=quantitative("planned"), tooltip=told)


def words_layer(ends: Sequence[Spec]) -> Spec:
    mark = {"type": "text", "align": "left", "dx": 8}
    return layer(mark, ends, y=nominal("group"), x=quantitative("end"), text=nominal("words"))
