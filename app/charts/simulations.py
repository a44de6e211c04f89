"""What a simulation found: utility round by round, and each policy beside the chosen one."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.charts.labels import end_offsets
from app.charts.theme import Spec, ThemeName, finished, layer, nominal, palette, quantitative, titled

HEIGHT = 260
MOST_TICKS = 12
Z90 = 1.645
"""Standard errors on either side of a 90 % interval."""

Names = Mapping[str, str]
"""The policies and the oracle, by key, as the chart names them."""


def utility_by_round(result: Mapping[str, Any], names: Names, source: str, theme: ThemeName = "light") -> Spec:
    """Mean utility at the start and after each round; the chosen policy, the best other one, equal counts and the
    oracle are labelled, the others faint."""
    colours = palette(theme)
    shown = labelled(result)
    values = [
        {
            "policy": names[one["policy"]],
            "round": number,
            "utility": after["mean"],
            "role": shown.get(one["policy"], "other"),
        }
        for one in [*result["policies"], result["oracle"]]
        for number, after in enumerate(one["path"])
    ]
    axis = {"values": whole_steps(len(result["oracle"]["path"]) - 1), "format": "d"}
    x = quantitative("round", title="Rounds bought", axis=axis)
    y = quantitative("utility", title="Mean utility", scale={"zero": False})
    roles = ["chosen", "best other", "equal", "oracle", "other"]
    shades = [colours.blue, colours.vermillion, colours.green, colours.muted, colours.faint]
    dashes = [[1, 0], [6, 4], [1.5, 3], [10, 4], [1, 0]]
    colour = nominal("role", scale={"domain": roles, "range": shades}, legend=None)
    dash = nominal("role", scale={"domain": roles, "range": dashes}, legend=None)
    tooltip = [
        {"field": "policy", "title": "Policy"},
        {"field": "round", "title": "Rounds bought"},
        {"field": "utility", "title": "Mean utility", "format": ".4f"},
    ]
    mark = {"type": "line", "point": True}
    line = layer(mark, color=colour, strokeDash=dash, detail={"field": "policy"}, tooltip=tooltip)
    spec = {
        "title": titled(reached(result, names), f"Mean utility over {result['games']} simulated games.", source),
        "data": {"values": values},
        "width": "container",
        "height": HEIGHT,
        "encoding": {"x": x, "y": y},
        "layer": [line, *end_labels(values, colour)],
    }
    return finished(spec, theme, reached(result, names))


def end_labels(values: Sequence[Mapping[str, Any]], colour: Spec) -> list[Spec]:
    """The names of those that play a part, where their lines end; none stands on another."""
    known = [one for one in values if one["utility"] is not None]
    last = max((one["round"] for one in known), default=0)
    named = [one for one in known if one["round"] == last and one["role"] != "other"]
    low, high = (f((one["utility"] for one in known), default=0.0) for f in (min, max))
    offsets = end_offsets([one["utility"] for one in named], low, high, HEIGHT)
    return [
        layer(
            {"type": "text", "align": "left", "dx": 8, "dy": round(dy, 1)},
            [one],
            text={"field": "policy"},
            color=colour,
        )
        for one, dy in zip(named, offsets, strict=True)
    ]


def whole_steps(last: int) -> list[int]:
    """0 to `last` in whole steps, at most a dozen."""
    return list(range(0, last + 1, -(-last // MOST_TICKS) or 1))


def labelled(result: Mapping[str, Any]) -> dict[str, str]:
    """Policy → the part it plays, for those that are named in the chart."""
    roles = {"oracle": "oracle", "equal": "equal"}
    best = best_other(result)
    if best is not None:
        roles[best["policy"]] = "best other"
    return roles | {result["chosen"]: "chosen"}


def best_other(result: Mapping[str, Any]) -> Mapping[str, Any] | None:
    others = [one for one in result["policies"] if one["policy"] != result["chosen"]]
    return max(others, key=lambda one: one["utility"]["mean"], default=None)


def reached(result: Mapping[str, Any], names: Names) -> str:
    """The finding: how much of the oracle's gain the chosen policy reached, and the best other one."""
    of = {one["policy"]: one for one in result["policies"]}
    chosen, best = of[result["chosen"]], best_other(result)
    if chosen["regret"] is None:
        return "No policy gains anything here, not even one that knows the curves"
    said = f"{names[chosen['policy']]} reaches {share(chosen)} of what perfect knowledge would gain"
    return said if best is None else f"{said}; {names[best['policy']].lower()}, the next best, {share(best)}"


def share(one: Mapping[str, Any]) -> str:
    return f"{100 * (1 - one['regret']):.0f} %"


def paired_differences(result: Mapping[str, Any], names: Names, source: str, theme: ThemeName = "light") -> Spec:
    """Each policy's final utility less the chosen one's, with its 90 % interval over the games."""
    colours = palette(theme)
    chosen = names[result["chosen"]]
    values = [
        {
            "policy": names[one["policy"]],
            "difference": one["difference"]["mean"],
            "low": one["difference"]["mean"] - Z90 * (one["difference"]["se"] or 0.0),
            "high": one["difference"]["mean"] + Z90 * (one["difference"]["se"] or 0.0),
            "share": one["p_better"],
        }
        for one in [*result["policies"], result["oracle"]]
        if one["policy"] != result["chosen"]
    ]
    order = [one["policy"] for one in sorted(values, key=lambda one: -float(one["difference"]))]
    y = nominal("policy", sort=order, title=None)
    title = f"Utility less that of {chosen.lower()}"
    low = quantitative("low", title=title, axis={"tickCount": 6})
    tooltip = [
        {"field": "policy", "title": "Policy"},
        {"field": "difference", "title": "Difference", "format": "+.5f"},
        {"field": "share", "title": "Share of games in which it is ahead", "format": ".0%"},
    ]
    finding = compared(result, names)
    zero, height = {"type": "rule", "color": colours.text, "strokeDash": [4, 3]}, {"value": "height"}
    spec = {
        "title": titled(finding, f"Final utility, paired over {result['games']} games; lines: 90 % intervals.", source),
        "data": {"values": values},
        "width": "container",
        "height": {"step": 26},
        "encoding": {"y": y, "tooltip": tooltip},
        "layer": [
            layer({"type": "rule", "strokeWidth": 2}, x=low, x2={"field": "high"}),
            layer({"type": "point", "filled": True, "size": 70}, x=quantitative("difference")),
            layer(zero, [{"zero": 0}], x=quantitative("zero"), y={"value": 0}, y2=height, tooltip={"value": None}),
        ],
    }
    return finished(spec, theme, finding)


def compared(result: Mapping[str, Any], names: Names) -> str:
    """The finding: whom the chosen policy beats, and who beats it, beyond two standard errors."""
    others = [one for one in result["policies"] if one["policy"] != result["chosen"]]
    behind = [one for one in others if one["difference"]["mean"] < -2 * (one["difference"]["se"] or 0.0)]
    ahead = [one for one in others if one["difference"]["mean"] > 2 * (one["difference"]["se"] or 0.0)]
    chosen = names[result["chosen"]]
    said = f"{chosen} ends above {len(behind)} of {len(others)} other policies beyond chance"
    return said if not ahead else f"{said}, and below {listed(ahead, names)}"


def listed(some: Sequence[Mapping[str, Any]], names: Names) -> str:
    return ", ".join(names[one["policy"]].lower() for one in some)


CHARTS = {"utility": utility_by_round, "differences": paired_differences}
