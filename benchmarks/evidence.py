"""Writes docs/evidence.md and its charts from the results of the benchmarks, so that no figure is typed by hand.

Run after bench_prs.py, bench_replay.py, bench_surrogate.py, also with --levels, bench_loops.py, bench_shapes.py,
bench_truth.py, bench_regret.py and bench_hindsight.py: python benchmarks/evidence.py.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evidence_joint import joint
from evidence_loops import loops, shapes, truth
from evidence_regret import hindsight, rounds_chart, rounds_regret
from results_files import RESULTS, Row, distinct, markdown, read, select, signed

from app.charts.render import svg
from app.charts.theme import Spec, finished, palette, titled

ROOT = Path(__file__).parents[1]
LEAST_SQUARES = "greedy, least squares"
CLEAR = 3.0
"""Standard errors from which on a difference is called clear."""

HEAD = """# The evidence

Does adaptive buying beat the heuristics, and by how much? Three games answer: polygenic scores over simulated
genomes (the paper's case), census and NHANES people with real learners, and a surrogate world whose curves are
known. Then whole loops on real tasks, curves of odd shapes, whether what is said comes true, and what rounds are
worth. All tables and charts on this page are written by `python benchmarks/evidence.py` from the files in
`benchmarks/results`.

A difference is to `optimal`, paired over the same genomes and traits, splits or games; ± is its standard error.
Two standard errors are chance more often than one would think among so many rows: read patterns, not single
cells.
"""


def differences(rows: Sequence[Row], title: str, detail: str, by: str) -> Spec:
    """Each policy's utility less that of `optimal`, one panel for each `by`."""
    colours = palette("light")
    values = [
        {
            "policy": row["policy"],
            "panel": row[by],
            "difference": row["diff_to_optimal"],
            "low": row["diff_to_optimal"] - 2 * row["diff_se"],
            "high": row["diff_to_optimal"] + 2 * row["diff_se"],
        }
        for row in rows
        if row["policy"] not in ("optimal", "nothing", "everything")
    ]
    x = {"type": "quantitative", "title": "Utility less that of optimal"}
    spec = {
        "title": titled(title, detail),
        "data": {"values": values},
        "facet": {"row": {"field": "panel", "type": "nominal", "title": None, "sort": distinct(rows, by)}},
        "spec": {
            "width": 420,
            "height": {"step": 16},
            "encoding": {"y": {"field": "policy", "type": "nominal", "title": None, "sort": distinct(rows, "policy")}},
            "layer": [
                {"mark": {"type": "rule", "strokeWidth": 1.5},
                 "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}}},
                {"mark": {"type": "point", "filled": True}, "encoding": {"x": {"field": "difference", **x}}},
                {"mark": {"type": "rule", "color": colours.text, "strokeDash": [4, 3]},
                 "encoding": {"x": {"datum": 0, **x}}},
            ],
        },
    }  # fmt: skip
    return finished(spec)


def prs() -> str:
    rows, details = read("prs.json"), read("prs_details.json")
    parts = ["## Polygenic scores over simulated genomes", PRS, f"F_ST of the genomes: {fixation(details)}.\n"]
    for scenario in distinct(rows, "scenario"):
        some = select(rows, scenario=scenario)
        utilities = distinct(some, "utility")
        parts.append(f"### {SCENARIOS[scenario]}\n")
        table = []
        for policy in distinct(some, "policy"):
            cells = [one for utility in utilities for one in select(some, policy=policy, utility=utility)]
            table.append([policy, *(f"{one['mean']:.3f} ({gap(one)})" for one in cells)])
        parts.append(markdown(["policy", *utilities], table))
        parts.append(f"![Utility less that of optimal, by policy](evidence/prs-{scenario}.svg)\n")
    parts += ["### How near to the best fixed split\n", PRS_ORACLE, nearness(details["rows"]), held_to(details["rows"])]
    parts += ["### What could be shown at most\n", PRS_AT_MOST, at_most(details["rows"])]
    parts += ["### With transfer\n", PRS_TRANSFER, transfer(details["rows"]), NOT_PRS]
    return "\n".join(parts)


def gap(row: Row) -> str:
    return "·" if row["policy"] == "optimal" else signed(row["diff_to_optimal"], row["diff_se"])


def fixation(details: Mapping[str, Any]) -> str:
    return ", ".join(f"{pair.replace(' ', '/')} {value:.3f}" for pair, value in details["fixation"].items())


def nearness(rows: Sequence[Row]) -> str:
    table = []
    for scenario in distinct(rows, "scenario"):
        cells = []
        for utility in distinct(rows, "utility"):
            [row] = select(rows, scenario=scenario, utility=utility, policy="optimal")
            cells.append(f"{row['less_oracle']:+.3f}" if utility == "log" else f"{row['of_oracle']:.3f}")
        table.append([SCENARIOS[scenario], *cells])
    ratios = [row["of_oracle"] for row in select(rows, policy="optimal") if row["utility"] != "log"]
    mean = sum(ratios) / len(ratios)
    note = f"\nThe mean of the ratios is {mean:.3f}, the least {min(ratios):.3f}.\n"
    return markdown(["scenario", *distinct(rows, "utility")], table) + note


CLAIMS = [
    ("proportional", "equal", "mean"), ("proportional", "equal", "log"), ("proportional", "equal", "worst"),
    ("proportional", "skewed", "mean"), ("proportional", "skewed", "log"), ("proportional", "skewed", "worst"),
    ("equal", "equal", "population"), ("equal", "unequal", "population"), ("equal", "skewed", "population"),
    ("equal", "skewed", "worst"),
    (LEAST_SQUARES, "equal", "mean"), (LEAST_SQUARES, "equal", "log"),
    (LEAST_SQUARES, "skewed", "mean"), (LEAST_SQUARES, "skewed", "log"),
]  # fmt: skip


def behind(row: Row, difference: str, error: str) -> float:
    """By how many standard errors the row's policy is behind the one that the difference is to."""
    return -float(row[difference]) / row[error] if row[error] else 0.0


def held_to(rows: Sequence[Row]) -> str:
    """The claims that were set down before the run, each with its paired difference in standard errors."""
    table = []
    for rival, scenario, utility in CLAIMS:
        [row] = select(rows, policy=rival, scenario=scenario, utility=utility)
        ahead = behind(row, "diff_to_optimal", "diff_se")
        said = "yes" if ahead > CLEAR else "no, within chance" if abs(ahead) < 2 else "short of 3"
        said = "no, behind" if ahead <= -2 else said
        table.append([rival, SCENARIOS[scenario], utility, f"{-row['diff_to_optimal']:+.4f}", f"{ahead:+.1f}", said])
    head = (
        "\nSet down before the run: `optimal` should be ahead of these by more than three paired standard errors.\n\n"
    )
    return head + markdown(["rival", "scenario", "utility", "ahead by", "standard errors", "holds"], table)


def at_most(rows: Sequence[Row]) -> str:
    """The same claims of `optimal` and of the best fixed split, and what follows where not even that one leads."""
    table, leads = [], []
    for rival, scenario, utility in CLAIMS:
        [row] = select(rows, policy=rival, scenario=scenario, utility=utility)
        ahead, oracle = behind(row, "diff_to_optimal", "diff_se"), behind(row, "less_oracle", "less_oracle_se")
        can = "yes" if oracle > CLEAR else "no"
        table.append([rival, SCENARIOS[scenario], utility, f"{ahead:+.1f}", f"{oracle:+.1f}", can])
        leads.append(oracle)
    columns = ["rival", "scenario", "utility", "`optimal` leads by", "`oracle_fixed` leads by", "can be shown"]
    return markdown(columns, table) + "\n" + limit(leads, rows[0]["replicates"])


def limit(leads: Sequence[float], replicates: int) -> str:
    """What follows for the claims from the oracle's leads over the rivals, in standard errors."""
    short = [lead for lead in leads if lead <= CLEAR]
    if not short:
        return f"`oracle_fixed` leads by more than three in all {len(leads)}: {replicates} replicates can show them.\n"
    return (
        f"In {len(short)} of {len(leads)} not even `oracle_fixed` leads by more than three ({min(short):.1f} to"
        f" {max(short):.1f}): with {replicates} replicates a policy no better than it cannot show these.\n"
    )


TRANSFER = {
    "proportional": "proportional", LEAST_SQUARES: LEAST_SQUARES,
    "own counts": "optimal", "transfer": "optimal, transfer",
    "own counts, mixed runs": "optimal, mixed runs", "transfer, mixed runs": "optimal, transfer, mixed runs",
    "oracle_fixed": "oracle_fixed",
}  # fmt: skip
"""Columns and the players in them."""


def transfer(rows: Sequence[Row]) -> str:
    table = []
    for utility in distinct(rows, "utility"):
        players = [select(rows, scenario="unequal", utility=utility, policy=policy)[0] for policy in TRANSFER.values()]
        table.append([utility, *(f"{row['mean']:.4f} ({gap(row)})" for row in players)])
    return markdown(["utility", *TRANSFER], table)


def replay() -> str:
    rows = read("replay.json")
    parts = ["## Census and NHANES people\n", REPLAY.format(splits=rows[0]["replicates"])]
    for data in distinct(rows, "data"):
        for learner in distinct(rows, "learner"):
            some = select(rows, data=data, learner=learner)
            utilities = distinct(some, "utility")
            table = []
            for policy in distinct(some, "policy"):
                cells = [one for utility in utilities for one in select(some, policy=policy, utility=utility)]
                table.append([policy, *(f"{one['mean']:.4f} ({gap(one)})" for one in cells)])
            parts += [f"### {data}, {learner}\n", markdown(["policy", *utilities], table), spread(some)]
    return "\n".join([*parts, NOT_REPLAY])


def spread(rows: Sequence[Row]) -> str:
    """How far the policies lie apart on the plain mean, and how much there is to gain at all."""
    mean = {row["policy"]: row["mean_loss"] for row in select(rows, utility="mean")}
    policies = [value for name, value in mean.items() if name not in ("nothing", "everything")]
    apart = 100 * (max(policies) - min(policies)) / min(policies)
    return (
        f"Mean loss {mean['nothing']:.3f} before, {min(policies):.3f} to {max(policies):.3f} after (the policies lie"
        f" {apart:.1f} % apart), {mean['everything']:.3f} with everything there is to buy.\n"
    )


def surrogate() -> str:
    found = read("surrogate.json")
    rows = found["rows"]
    parts = [
        f"## The surrogate world, {found['games']} games\n",
        SURROGATE.format(games=found["games"], last=found["games"] - 1),
    ]
    for scenario in distinct(rows, "scenario"):
        some = select(rows, scenario=scenario)
        utilities = distinct(some, "utility")
        table = [
            [policy, *(regret(one) for utility in utilities for one in select(some, policy=policy, utility=utility))]
            for policy in distinct(some, "policy")
        ]
        parts += [f"### {SCENARIOS.get(scenario, scenario)}\n", markdown(["policy", *utilities], table)]
    return "\n".join([*parts, levels(), NOT_SURROGATE])


def levels() -> str:
    """What the holdout's error alone costs the worst group."""
    found = read("surrogate_levels.json")
    table = [
        [SCENARIOS[row["scenario"]], *(f"{row[who]:.3f} ± {row[f'{who}, se']:.3f}" for who in LEVELS)]
        for row in found["rows"]
    ]
    said = SURROGATE_LEVELS.format(games=found["games"])
    return f"### What the holdout costs the worst group\n{said}\n" + markdown(["scenario", *LEVELS], table)


def regret(row: Row) -> str:
    own = "" if row["policy"] == "optimal" else f" ({signed(row[AHEAD], row['paired se'])})"
    return f"{row['regret']:.3f}{own}"


def charts() -> dict[str, Spec]:
    """By file name."""
    rows = read("prs.json")
    detail = f"{rows[0]['replicates']} genomes × traits; lines: two standard errors; clear: three."
    found = {name: select(rows, scenario=name) for name in distinct(rows, "scenario")}
    return {
        f"prs-{name}.svg": differences(some, f"{SCENARIOS[name]}: {finding(some)}", detail, "utility")
        for name, some in found.items()
    } | rounds_chart()


def finding(rows: Sequence[Row]) -> str:
    """How many results of the policies are clearly behind `optimal`, and how many clearly ahead."""
    rivals = [row for row in rows if row["policy"] not in ("optimal", "oracle_fixed")]
    far = [row["diff_to_optimal"] for row in rivals if abs(row["diff_to_optimal"]) > CLEAR * row["diff_se"]]
    behind = sum(one < 0.0 for one in far)
    return f"{behind} of {len(rivals)} results are clearly behind optimal, {len(far) - behind} clearly ahead"


def page() -> str:
    parts = [HEAD, prs(), replay(), surrogate(), loops(), shapes(), truth()]
    if (RESULTS / "joint.json").exists():
        parts.append(joint())
    parts += [rounds_regret(), hindsight()]
    return "\n".join(parts).rstrip() + "\n"


AHEAD = "less optimal's"
SCENARIOS = {
    "equal": "Equal costs", "unequal": "Costs 3/1/1.5", "skewed": "Skewed start",
    "equal costs": "Equal costs", "costs 3/1/1.5": "Costs 3/1/1.5", "skewed start": "Skewed start",
}  # fmt: skip
PRS = """
`make bench-prs` (msprime; seeds 1 to 6 for the genomes, `BENCH_ARGS='--scenario skewed --genomes 6 --seed 1'`
chooses). Out-of-Africa demography of Gutenkunst et al. 2009, 5 Mb, 1,600 people of YRI, CEU and CHB each, 2,500
sites, 1,000 causal variants, h² 2/3, ridge scores (GBLUP), six genomes × four traits, each the mean of four games
in which other people train, validate and test. 300 money in six rounds; every round the score is trained on nested
subsets of who is held and measured on 400 validation people per group, and R² with the true genetic value is judged
on 400 others. Utilities: `population` weights .15/.65/.2, `mean`, `log` and the `worst` group. Cells: the utility,
and in brackets what it is above or below `optimal`. `oracle_fixed` is the best single split on the mean of all
replicates, found by trying 496.
"""
PRS_ORACLE = """`optimal` over `oracle_fixed`: ratios, on `log` differences.
"""
PRS_AT_MOST = """Leads over the rival in paired standard errors. `oracle_fixed` is chosen with hindsight.
"""
PRS_TRANSFER = """
With costs 3/1/1.5, where alone it was played. *Own counts* is `optimal` as above. *Transfer* fits one weight per
pair of groups together with the curves, where the evidence speaks for it. Nested runs shrink all groups together,
which says little about who helps whom; with *mixed runs* every round also trains with one group at a time at a
quarter and at half (nine runs instead of three), and own counts are shown on these runs too.
"""
NOT_PRS = """
**What this does not show.** Equal split is within 1 to 2 % of the best on the plain mean when prices and starts
are alike: no win is claimed there. `worst_first` and `slice_tuner` are clearly ahead of `optimal` on the mean of
that scenario: they feed the population that the others' data helps least, which curves of own counts do not see.
`greedy` on posteriors buys as well as `optimal`. On plain power laws fitted by least squares it is behind in the
skewed start, but by less than three standard errors, and level at equal costs. The clear losers are the splits
that ignore need (`proportional` on `log` and `worst`) or price (`equal` where prices differ). Transfer recovered
little of the gap to the oracle, with mixed runs or without. One demography, one architecture of traits, one kind of
score.
"""
REPLAY = """
`make bench-replay` (scikit-learn; {splits} random splits, seeds 1 to {splits}). Prices 1 for the two larger
groups and 3 (NHANES: 2) for the smaller; 1,500 (800) money in five rounds; loss is log loss over the entropy of
the group's base rate, so 1 is a constant predictor's. Cells: utility of the losses, higher is better, and the
difference to `optimal`. `nothing` is the start, `everything` all there is to buy.
"""
NOT_REPLAY = """
**What this does not show.** On these data the policies lie close together, because one group's rows teach the
model much of what it needs for the others: what is bought matters less than that something is. Which rows a
split happens to hold moves the worst group more than the policy does. A win or loss here says nothing about
data whose groups do not share what is to be learnt.
"""
SURROGATE = """
`python benchmarks/bench_surrogate.py --games {games}` (seeds 0 to {last}). The curves are hyperbolas with
transfer read off simulated genomes, measured with an error of .03 shared by a holdout and .01 per run. Cells:
the regret (0 is an oracle that plans on the true curves, 1 is buying nothing) and, in brackets, the final
utility less that of `optimal`, paired.
"""
LEVELS = ("optimal", "levels as measured")
SURROGATE_LEVELS = """
`python benchmarks/bench_surrogate.py --levels --games {games}`. Regret on `worst`, ± its own standard error over
the games. *Levels as measured* plans on the true curves and the true transfer, but takes each group's level as its
holdout has it: what the error shared by all runs of a holdout costs a planner that has nothing else to learn.
"""
NOT_SURROGATE = """
**What this does not show.** A heuristic that happens to be the oracle's answer cannot be beaten by much: with equal
costs, buying equally much of each is nearly optimal on mean and log.
"""


def main() -> None:
    (ROOT / "docs" / "evidence.md").write_text(page(), encoding="utf-8")
    folder = ROOT / "docs" / "evidence"
    folder.mkdir(exist_ok=True)
    for name, spec in charts().items():
        (folder / name).write_text(svg(spec) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
