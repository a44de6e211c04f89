"""The section of docs/evidence.md on one model that is trained on all groups."""

from typing import Any

from results_files import Row, distinct, markdown, read, select, signed

FIGURES = ("oneshot", "compositions")
"""Parts whose figures are no utilities: errors and shares, of which less is better."""


def joint() -> str:
    found = read("joint.json")
    games = [row for part, one in found.items() if part not in FIGURES for row in one["rows"]]
    figures = [row for part in FIGURES if part in found for row in found[part]["rows"]]
    parts = [JOINT, _games(games), FEW_RUNS, _figures(figures), BARS, _bars(found)]
    return "\n".join(parts)


def _games(rows: list[Row]) -> str:
    players = [name for name in distinct(rows, "player") if name not in ("own", "nothing")]
    table = []
    for part in distinct(rows, "part"):
        for utility in distinct(select(rows, part=part), "utility"):
            by = {row["player"]: row for row in select(rows, part=part, utility=utility)}
            cells = [_ahead(by[name]) if name in by else "" for name in players]
            table.append([f"{part} ({by['own']['replicates']})", utility, f"{by['own']['mean']:.4f}", *cells])
    return markdown(["world (replicates)", "utility", "own", *players], table)


def _figures(rows: list[Row]) -> str:
    players = distinct(rows, "player")
    table = []
    for part in distinct(rows, "part"):
        for figure in distinct(select(rows, part=part), "utility"):
            by = {row["player"]: row for row in select(rows, part=part, utility=figure)}
            cells = [f"{by[name]['mean']:.3f}" if name in by else "" for name in players]
            table.append([part, figure, *cells])
    return markdown(["", "figure", *players], table)


def _ahead(row: Row) -> str:
    return signed(row["diff_to_own"], row["diff_se"])


def _bars(found: dict[str, Any]) -> str:
    table = []
    for part, one in found.items():
        for bar in one["bars"]:
            asked = [f"at least {bar['mean']:+.4f}"] if bar["mean"] is not None else []
            asked += [f"above {bar['errors']:g} standard errors"] if bar["errors"] is not None else []
            asked += [f"none below {bar['least']:+.4f}"] if bar["least"] is not None else []
            asked += [f"at most {bar['most']:g}"] if bar["most"] is not None else []
            what = f"{bar['player']} over {bar['over']}" if bar["most"] is None else bar["player"]
            seen = _seen(bar)
            table.append([part, bar["utility"], what, ", ".join(asked), seen, "yes" if bar["holds"] else "no"])
    return markdown(["world", "figure", "", "asked", "seen", "holds"], table)


def _seen(bar: Row) -> str:
    if bar["most"] is not None:
        return f"{bar['level']:.3f}"
    return f"{signed(bar['ahead'], bar['se'])}, least {bar['lowest']:+.4f}"


JOINT = """
## One model on all groups

`make bench-joint BENCH_ARGS='families harm independent --seeds 16'` plays made worlds of six groups in two families,
prices 1, 2 and 4 in each, starts of 40 to 150, money for twice the data in five rounds; a run trains on the first
samples of one order, so that runs share their errors. The others are census and NHANES people (`census-hgb`,
`nhanes-lr`, `census-lr`; `apart`: a model for each group; `contradicting`: half of the groups have labels of another
question) and the genomes of the first section. *own* plans on each group's own count, as for separate models; *joint*
on the joint response, with k + 3 runs a round, *joint nested* with three. Cells: the utility above or below *own*,
paired. The prior of the strata that *joint* plays with was trained without tables of the same people or genomes.
"""
FEW_RUNS = """
`oneshot` plans once on surfaces read off tables of retrained models: the regret is the share of the best gain that is
missed, the gain error the rms error of what money brings each group, over its rms. `compositions` forecasts the losses
of held-out mixtures from 12 runs, the error over that of own counts.
"""
BARS = """
Set down before the run:
"""
