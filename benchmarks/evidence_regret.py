"""The sections of docs/evidence.md on regret over rounds and budget, and on hindsight."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from bench_hindsight import table as hindsight_table
from results_files import Row, distinct, markdown, read, select

from app.charts.theme import Spec, finished, titled

WORLDS = {"concave": "The conditions hold", "late": "A group learns late", "teaching": "Groups teach each other"}
PLAYERS = {"separate": "plan on own counts", "joint": "plan of one model"}
LATE = {"world": "late", "budget": 4000}
"""Where the money pays for both groups, but is not enough to do without a choice."""


def rounds_regret() -> str:
    found = read("regret.json")
    games = found["games"]
    parts = ["## Regret over rounds and budget\n", REGRET.format(games=counted(games)), claims(found)]
    parts.append(f"![Regret by rounds, three worlds](evidence/{CHART})\n")
    for world, name in WORLDS.items():
        parts += [f"### {name}\n", table(found, world), SAID[world]]
    parts += ["### The theorem's own game\n", THEOREM, theorem(found["theorem"]), NOT_REGRET]
    return "\n".join(parts)


def counted(games: Sequence[Row]) -> str:
    """ "4 games of late, 3 of concave", the fewest that any cell of a world has."""
    fewest = {
        world: min(len(select(games, **cell)) for cell in cells(select(games, world=world)))
        for world in distinct(games, "world")
    }
    return ", ".join(f"{number} of `{world}`" for world, number in fewest.items())


def cells(games: Sequence[Row]) -> list[dict[str, Any]]:
    names = ("world", "budget", "player", "rounds")
    return [
        dict(zip(names, cell, strict=True)) for cell in sorted({tuple(one[name] for name in names) for one in games})
    ]


def estimate(games: Sequence[Row]) -> str:
    regrets = np.array([one["regret"] for one in games])
    error = f" ± {regrets.std(ddof=1) / len(regrets) ** 0.5:.4f}" if len(regrets) > 1 else ""
    return f"{regrets.mean():.4f}{error}"


def table(found: Any, world: str) -> str:
    games = select(found["games"], world=world)
    rounds = sorted(distinct(games, "rounds"))
    rows = []
    for budget in sorted(distinct(games, "budget")):
        [rule] = select(found["rules"], world=world, budget=budget)
        for player in distinct(games, "player"):
            of = [select(games, budget=budget, player=player, rounds=number) for number in rounds]
            plan = [estimate(some) if some else "–" for some in of]
            rows.append([f"{budget:,}", PLAYERS[player], *plan, f"{rule['equal']:.4f}", f"{rule['equal_spend']:.4f}"])
        if all("bound" in one for one in games):
            bound = [
                np.mean([one["bound"] for one in select(games, budget=budget, rounds=number)]) for number in rounds
            ]
            rows.append([f"{budget:,}", "bound", *(f"{one:.4f}" for one in bound), "", ""])
    columns = ["money", "", *(f"{number} rounds" if number > 1 else "1 round" for number in rounds)]
    return markdown([*columns, "equal counts", "equal money"], rows)


def claims(found: Any) -> str:
    """What was set down before the run, each beside what came."""
    games = found["games"]
    concave = select(games, world="concave")
    late = select(games, **LATE)
    [rule] = select(found["rules"], **LATE)
    one = [1.0 - game["regret"] for game in select(late, rounds=1)]
    more = {number: [1.0 - game["regret"] for game in select(late, rounds=number)] for number in (2, 4, 8, 16)}
    warned = sum("not_started" in game["first"] for game in late)
    held = sum(game["regret"] <= game["bound"] for game in concave)
    rows = [
        ["the bound holds in every game of `concave`", f"in {held} of {len(concave)}"],
        [
            f"`late`, {LATE['budget']:,}: one round ends below an equal split",
            f"{np.mean(one):.3f} of the best gain (worst {min(one):.3f}), an equal split {1.0 - rule['equal']:.3f}",
        ],
        [
            f"`late`, {LATE['budget']:,}: two rounds and more keep .98 of the best gain",
            ", ".join(
                f"{number} rounds {np.mean(some):.3f} ({min(some):.3f})" for number, some in more.items() if some
            ),
        ],
        [f"`late`, {LATE['budget']:,}: `not_started` in the first answer", f"in {warned} of {len(late)}"],
    ]
    return "Set down before the run; means over games, the worst in brackets:\n\n" + markdown(["claim", "came"], rows)


def theorem(rows: Sequence[Row]) -> str:
    lines = [
        [f"{row['budget']:,}", row["batches"], row["epsilon"], f"{row['regret']:.4f}", f"{row['bound']:.4f}",
         "yes" if row["slack"] >= -1e-9 else "no"]
        for row in rows
    ]  # fmt: skip
    return markdown(["money", "batches", "ε", "regret", "bound", "holds in all"], lines)


CHART = "regret.svg"


def rounds_chart() -> dict[str, Spec]:
    found = read("regret.json")
    values = [*plans(found["games"]), *rules(found)]
    kinds = [*PLAYERS.values(), "bound", "equal money"]
    x = {"field": "rounds", "type": "quantitative", "title": "Rounds", "scale": {"type": "log", "base": 2},
         "axis": {"values": [1, 2, 4, 8, 16], "grid": False}}  # fmt: skip
    y = {"field": "regret", "type": "quantitative", "title": "Regret, share of the best gain", "scale": {"type": "log"}}
    encoding = {
        "x": x, "y": y,
        "color": {"field": "money", "type": "nominal", "title": "Money", "sort": None},
        "strokeDash": {"field": "kind", "type": "nominal", "title": None, "sort": kinds,
                       "scale": {"domain": kinds, "range": [[1, 0], [6, 2], [2, 2], [1, 4]]}},
    }  # fmt: skip
    detail = (
        "Means over games; log scales; the bound is that of the theorem, at the errors that the estimated slopes had."
    )
    spec = {
        "title": titled("Rounds repair first curves that mislead", detail),
        "data": {"values": values},
        "facet": {"column": {"field": "world", "type": "nominal", "title": None, "sort": list(WORLDS.values())}},
        "spec": {
            "width": 210,
            "height": 240,
            "layer": [{"mark": {"type": "line"}, "encoding": encoding},
                      {"mark": {"type": "point", "filled": True, "size": 18},
                       "transform": [{"filter": {"field": "kind", "oneOf": list(PLAYERS.values())}}],
                       "encoding": {"x": x, "y": y, "color": encoding["color"]}}],
        },
    }  # fmt: skip
    return {CHART: finished(spec)}


def plans(games: Sequence[Row]) -> list[Row]:
    found = []
    for cell in cells(games):
        some = select(games, **cell)
        point = {"world": WORLDS[cell["world"]], "money": f"{cell['budget']:,}", "rounds": cell["rounds"]}
        drawn = {PLAYERS[cell["player"]]: [one["regret"] for one in some]}
        if all("bound" in one for one in some):
            drawn["bound"] = [one["bound"] for one in some]
        # A log scale has no place for what lost nothing.
        found += [{**point, "kind": kind, "regret": max(float(np.mean(of)), 1e-4)} for kind, of in drawn.items()]
    return found


def rules(found: Any) -> list[Row]:
    played = distinct(found["games"], "rounds")
    return [
        {"world": WORLDS[row["world"]], "money": f"{row['budget']:,}", "rounds": number, "kind": "equal money",
         "regret": max(row["equal_spend"], 1e-4)}
        for row in found["rules"] for number in (min(played), max(played))
    ]  # fmt: skip


def hindsight() -> str:
    found = read("hindsight.json")
    parts = ["## Hindsight\n", HINDSIGHT]
    for part, name in (("lcdb", "Real learning curves"), ("family", "Curves of the fitted family")):
        if part in found:
            parts += [f"### {name}\n", hindsight_table(found[part])]
    return "\n".join(parts)


REGRET = """`make bench-regret`: what buying round by round loses to the best purchase in hindsight when nothing is
known of the learning rates at the start, as a share of what the best purchase gains ([method](method.md#8-policies),
*Rounds without known rates*, has the theorem). Each round the held samples are scored on nested runs, the world
`teaching` also on other mixtures, on one shared holdout of 2,000; the API's own plan is bought. ± is a standard error.

Games: {games}.
"""
SAID = {
    "concave": """Rounds hardly help here, nor do they harm: with the true family and nested runs the first curves are
good enough. The bound takes ε from how far the slopes were off where purchases ended.
""",
    "late": """With little money the late group cannot be made to learn on the way: what is bought of it before it
starts teaches nothing, and who feeds it all wins. With enough for both, first curves mislead for one round. With
plenty an equal split is nearly best, and what is spent on finding that out costs more than it brings.
""",
    "teaching": """Slopes of own counts do not see what a sample does for other groups, and no number of rounds mends
that; one model fitted on runs of several mixtures sees it, and then rounds pay.
""",
}
THEOREM = """Money in equal batches, each to the group of the largest true slope times a random factor between e^−ε and
e^ε, in the world `concave`; 20 repetitions.
"""
NOT_REGRET = """
**What this does not show.** Three worlds made for the purpose, one holdout size, one utility; the family of the curves
is the fitted one in two of them.
"""
HINDSIGHT = """`make bench-hindsight`: whether what hindsight says of other splits comes true. Two rounds of random
splits, four nested runs before, between and after; then all runs judge, and the true curves say what would have been.
*Cover*: how often the 90 % interval of a policy's difference to what was bought holds the true one.
"""
