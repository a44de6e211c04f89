"""The sections of docs/evidence.md on whole loops, odd shapes and whether the numbers are true.

Figures of two checkouts stand side by side: `before` and `now` (see sides.py).
"""

from collections.abc import Callable, Sequence

from results_files import Row, distinct, markdown, read, select, signed

PLAYERS = ("equal", "equal_spend", "proportional", "worst_first", "oracle", "nothing")
RULES = ("equal", "equal_spend", "proportional", "worst_first")
SIDES = ("before", "now")


def loops() -> str:
    rows = read("loops.json")
    told = [(part, utility) for part in distinct(rows, "part") for utility in distinct(rows, "utility")]
    sided = [(select(rows, part=part, utility=utility), side) for part, utility in told for side in _sides(rows)]
    table = [_loop_row(mine) for some, side in sided if (mine := select(some, side=side))]
    columns = ["task (seeds)", "utility", "", "optimal", *PLAYERS]
    return "\n".join([LOOPS, markdown(columns, table), *(_ahead(rows, side) for side in _sides(rows)), NOT_LOOPS])


def _loop_row(some: Sequence[Row]) -> list[str]:
    """One side of a task's utility: `optimal`, and the others less `optimal`."""
    by = {row["player"]: row for row in some}
    optimal = by["optimal"]
    level = f"{optimal['mean']:.4f}"
    if optimal["side"] == "now" and "diff_to_other_side" in optimal:
        level += f" ({signed(optimal['diff_to_other_side'], optimal['other_side_se'])})"
    cells = [signed(by[name]["diff_to_optimal"], by[name]["diff_se"]) for name in PLAYERS]
    return [f"{optimal['part']} ({optimal['seeds']})", optimal["utility"], optimal["side"], level, *cells]


def _ahead(rows: Sequence[Row], side: str) -> str:
    """Where a simple rule leads `optimal` by more than one standard error."""
    found = [
        f"{row['player']} on {row['part']} {row['utility']} ({signed(row['diff_to_optimal'], row['diff_se'])})"
        for row in select(rows, side=side)
        if row["player"] in RULES and row["diff_to_optimal"] > row["diff_se"]
    ]
    tasks = len(distinct(rows, "part")) * len(distinct(rows, "utility"))
    told = "; ".join(found) if found else "nowhere"
    return f"Ahead of `optimal` by more than one standard error, {side}, of {tasks * len(RULES)} results: {told}.\n"


def shapes() -> str:
    rows = read("shapes.json")
    columns = (
        "case", "optimal", "equal", "equal_spend", "p said", "ahead of equal", "of the best rule", "cover",
        "cover, odd", "cover, utility", "money to the odd",
    )  # fmt: skip
    names = (
        "optimal", "equal", "equal_spend", "p_said", "p_equal", "p_rule", "cover", "odd_cover", "utility_cover",
        "odd_money",
    )  # fmt: skip
    cells = [[case, *(_sided(select(rows, part=case), name) for name in names)] for case in distinct(rows, "part")]
    warned = [[case, *_warned(select(rows, part=case))] for case in distinct(rows, "part")]
    sides = _sides(rows)
    return "\n".join(
        [SHAPES.format(worlds=rows[0]["worlds"]), markdown(columns, cells), WARNED, markdown(["case", *sides], warned)]
    )


def _warned(rows: Sequence[Row]) -> list[str]:
    codes = [select(rows, side=side)[0]["warnings"] for side in _sides(rows)]
    return [", ".join(f"`{code}` {share:.2f}" for code, share in found.items()) or "nothing" for found in codes]


def truth() -> str:
    rows = read("truth.json")
    told = {part: select(rows, part=part) for part in distinct(rows, "part")}
    columns = ["number", *_sides(rows)]
    parts = [TRUTH.format(worlds=told["plan"][0]["worlds"]), markdown(columns, _numbers(told["plan"], PLAN))]
    parts += ["Chances said, and how often they came true (worlds; ±):\n", markdown(columns, _chances(told["plan"]))]
    for part, names in ((part, names) for part, names in MORE.items() if part in told):
        parts += [HEADS[part].format(worlds=told[part][0]["worlds"]), markdown(columns, _numbers(told[part], names))]
    return "\n".join([*parts, NOT_TRUTH])


Look = Callable[[Row], str]
"""What a cell says of one side."""


def _numbers(rows: Sequence[Row], looks: dict[str, Look]) -> list[list[str]]:
    return [[name, *(look(select(rows, side=side)[0]) for side in _sides(rows))] for name, look in looks.items()]


def _chances(rows: Sequence[Row]) -> list[list[str]]:
    """By bin of the chance said, against equal counts and against the best simple rule."""
    found = []
    for name, words in (("calibration", "equal counts"), ("calibration_best_rule", "the best simple rule")):
        cells = [
            "; ".join(
                f"{one['said']:.2f} → {one['true']:.2f} ({one['worlds']}; {one['se']:.2f})"
                for one in select(rows, side=side)[0][name]
            )
            for side in _sides(rows)
        ]
        found.append([f"ahead of {words}", *cells])
    return found


def _plain(name: str) -> Look:
    return lambda row: f"{row[name]:.3f}"


def _lead(rule: str) -> Look:
    return lambda row: signed(*row["lead"][rule])


def _needs(rule: str) -> Look:
    return lambda row: "{1:.2f} ({0:.2f} to {2:.2f})".format(*row["needs"][rule])


def _answer(at: int) -> Look:
    def look(row: Row) -> str:
        one = row["chances"][at]
        reached = "–" if one["reached"] is None else f"{one['reached']:.2f}"
        lost = one["of these reached by 16 times"]
        told = "–" if lost is None else f"{lost:.2f}"
        return f"{reached} of {one['counts']}; out of reach {one['out_of_reach']}, of these reached {told}"

    return look


PLAN: dict[str, Look] = {
    "`optimal`, share of the best gain": lambda row: f"{row['share']['optimal']:.3f}",
    "equal counts": lambda row: f"{row['share']['equal']:.3f}",
    "equal money": lambda row: f"{row['share']['equal_spend']:.3f}",
    "`optimal` less equal counts": _lead("equal"),
    "`optimal` less equal money": _lead("equal_spend"),
    "budgets equal counts need for the same (quartiles)": _needs("equal"),
    "budgets equal money needs": _needs("equal_spend"),
    "90 % interval of `utility.after` holds": _plain("utility_after"),
    "of `utility.now`": _plain("utility_now"),
    "of `metric_after`": _plain("metric_after"),
    "of `metric_now`": _plain("metric_now"),
    "gain said; true": lambda row: f"{row['gain_said']:.4f}; {row['gain_true']:.4f}",
    "Brier score of the chance said; of the base rate": (
        lambda row: f"{row['brier']:.3f}; {row['brier_of_base_rate']:.3f}"
    ),
}
STOP: dict[str, Look] = {
    "share of the money spent; best": lambda row: f"{row['spent']:.2f}; {row['best_spent']:.2f}",
    "lost by the advice, in budgets": lambda row: f"{row['lost']['advice']:.3f}",
    "by spending half; all; nothing": (
        lambda row: "; ".join(f"{row['lost'][name]:.3f}" for name in ("half", "all", "none"))
    ),
}
REQUIREMENTS: dict[str, Look] = {f"chance {chance}: reached": _answer(at) for at, chance in enumerate((0.5, 0.8, 0.9))}
MEASUREMENT: dict[str, Look] = {
    "share of the best gain: plan; halving; repeating; no more runs": (
        lambda row: "; ".join(f"{row['share'][name]:.3f}" for name in ("plan", "halving", "repeat", "none"))
    ),
    "plan less halving": lambda row: signed(*row["plan_ahead_of"]["halving"]),
}


MORE = {"stop": STOP, "requirements": REQUIREMENTS, "measurement": MEASUREMENT}


def _sides(rows: Sequence[Row]) -> list[str]:
    return [side for side in SIDES if select(rows, side=side)]


def _sided(rows: Sequence[Row], name: str) -> str:
    """The sides' values of a number, an arrow between."""
    values = [select(rows, side=side)[0][name] for side in _sides(rows)]
    return " → ".join("–" if value is None else f"{value:.2f}" for value in values)


LOOPS = """## Whole loops, broken shapes, and whether the numbers are true

`make bench-loops BENCH_ARGS='--packages DIR --data DIR --against DIR'`, `make bench-shapes` and `make bench-truth`.
What the service answers is played in process. *Before* and *now* are two checkouts, on the same seeds.

### Whole loops on real tasks

Five rounds, runs at a quarter, a half and all that is held, real training, judged on test rows; the tasks are told in
`benchmarks/tasks.py`. Where groups have models of their own (digits, nhanes, census) the rows of one teach the others
nothing. `oracle` is the best of 30 fixed splits on the mean of the other seeds, really trained: an honest yardstick, no
upper bound. Cells: `optimal`'s utility, higher is better (*now*: in brackets what it is above before, paired), and the
others' less `optimal`'s, paired over the seeds.
"""
NOT_LOOPS = """
**What this does not show.** So few seeds see differences of half a point of accuracy at best. On `languages` the metric
is each language's recall, which falls as its rivals grow: curves of own counts cannot see it.
"""
SHAPES = """### Broken on purpose

`make bench-shapes`: six groups, one purchase of twice what is held after four nested runs, {worlds} worlds a case; in
the cases of a shape two of the six have it. *optimal*, *equal*, *equal_spend*: the share of the best purchase's gain
in mean accuracy. *p said* is the mean chance said to beat the best simple rule (before: equal counts); beside it how
often the plan was ahead of equal counts, and of the simple rule that the plan itself says is best. *cover*: how often
90 % intervals hold the truth. An arrow leads from before to now.
"""
WARNED = """Warnings, as shares of the plans:
"""
TRUTH = """### Are the numbers true?

`make bench-truth`: worlds whose truths are real learning curves (LCDB, smoothed; the shipped prior was trained on
them), six groups, one purchase of three times what is held after four nested runs, holdouts of 1,000. {worlds} worlds.
"""
HEADS = {
    "stop": """Stop advice, where the best stop lies inside the budget ({worlds} worlds; means of the middle four
fifths):
""",
    "requirements": """Requirements, targets 5 to 30 % below today's error ({worlds} worlds), judged where the truth
is known, up to 16 times what is held:
""",
    "measurement": """Measurement plan: two runs known, two more, then a purchase ({worlds} worlds):
""",
}
NOT_TRUTH = """
**What this does not show.** These curves are averages of 25 splits of benchmark data sets, six of them drawn at random
make a project: groups of one project are more alike.
"""
