"""What the report says: one dossier as plain values for the template."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.charts.words import money, number, percent
from app.money import amount
from app.report import words
from app.report.hindsight import hindsight_lines
from app.services.exports.dossier import Dossier
from app.services.exports.purchase_tables import approved_by_names, spending_of
from app.services.exports.tables import table_of
from app.services.ledger.terms import price_of
from app.services.planning import GroupPlan, SourcePlan, Warning
from app.services.planning.allocations import Allocation, doubts_by_group
from app.services.planning.policies import PLAYERS, RULES
from app.services.planning.scenarios import ScenarioResult
from app.services.purchases.steps import state_of, steps_of
from app.services.signing import Members, answer_of, screen_of
from app.store.access import key_name
from app.store.models.projects import Source
from app.store.rounds import listed_rounds

ORDERS, BOUGHT, STANDING, WARNINGS, ROUNDS, BOUNDS, EXCLUDED = 40, 25, 30, 25, 30, 8, 20
"""Rows that are shown of each table; what is left out is added up and told."""
ALIKE = 6
"""Warnings of one code."""
MOST_ROUNDS = 10_000
UNIT = 1_000


@dataclass(frozen=True)
class Part:
    """The rows of a table that are shown, and how many are not."""

    rows: Sequence[Any]
    more: int

    @classmethod
    def of(cls, rows: Sequence[Any], most: int) -> "Part":
        return cls(rows[:most], max(0, len(rows) - most))


@dataclass(frozen=True)
class OrderLine:
    """An order of the plan with its source."""

    plan: SourcePlan
    source: Source
    feeds: str

    @property
    def cost(self) -> Decimal:
        return amount(self.plan.cost)

    @property
    def name(self) -> str:
        return self.source.name or self.source.key

    @property
    def unit_cost(self) -> Decimal:
        return price_of(self.source)


@dataclass(frozen=True)
class BoughtLine:
    """A group that the plan buys for, and what to doubt of it."""

    plan: GroupPlan
    name: str
    doubts: Sequence[Warning]

    @property
    def cost(self) -> Decimal:
        return amount(self.plan.cost)


def content_of(dossier: Dossier) -> dict[str, Any]:
    allocation = dossier.allocation
    bought, orders = bought_lines(dossier), order_lines(dossier)
    standing = standing_rows(dossier)
    them = Members.of(dossier.session, dossier.project)
    screen = screen_of(dossier.project, answer_of(dossier.project, allocation), them, dossier.left)
    return {
        "project": dossier.project,
        "allocation": allocation,
        "plan": allocation.plan,
        "known": allocation.known,
        "question": dossier.question,
        "policy": RULES[allocation.plan.policy],
        "objective": words.objective(dossier.project.objective),
        "available": allocation.budget.available,
        "spend": amount(allocation.plan.spend),
        "unspent": amount(allocation.plan.unspent),
        "money": dossier.money,
        "left": dossier.left,
        "screen": screen,
        "signatures": signatures_of(dossier, screen.spend),
        "reasons": screen.reasons,
        "finding": words.purchase([(line.name, line.plan.add) for line in bought]),
        "better": percent(allocation.plan.utility.best_simple_rule.gain.p_better),
        "rule": rule_of(allocation),
        "orders": Part.of(orders, ORDERS),
        "excluded": Part.of([one.source for one in allocation.excluded], EXCLUDED),
        "worth": Part.of(worth_lines(dossier), ORDERS),
        "orders_feed": any(line.feeds != line.name for line in orders),
        "bought": Part.of(bought, BOUGHT),
        "awaited": any(line.plan.pending for line in bought),
        "awaited_any": any(row["pending"] for row in standing),
        "rest": rest_of(bought, BOUGHT),
        "bounds": bounds_of(allocation, dossier.project.currency),
        "splits": splits_of(allocation),
        "sure": sureness(allocation),
        "record": record_words(dossier),
        "standing": Part.of(standing, STANDING),
        "has_targets": any(group.target is not None for group in dossier.groups),
        "targets_same": targets_same(dossier),
        "warnings": of_every_kind(warning_lines(dossier)),
        "scenarios": [scenario_line(dossier, one) for one in dossier.outcomes],
        "rounds": round_lines(dossier),
        "hindsight": hindsight_lines(dossier),
        "made_at": dossier.at,
        "query": query_of(dossier),
    }


def signatures_of(dossier: Dossier, spend: Decimal) -> int:
    """How many must approve the spend."""
    threshold = dossier.project.approval_threshold
    return 2 if threshold is not None and spend > threshold else 1


def bought_lines(dossier: Dossier) -> list[BoughtLine]:
    """Those that get the most money first."""
    doubts = doubts_by_group(dossier.allocation)
    lines = [
        BoughtLine(one, dossier.labels[one.key], doubts.get(one.key, ()))
        for one in dossier.allocation.plan.groups
        if one.add
    ]
    return sorted(lines, key=lambda line: (-line.plan.cost, -line.plan.add))


def rest_of(lines: Sequence[BoughtLine], most: int) -> dict[str, Any]:
    """What the lines beyond the first `most` add up to."""
    rest = lines[most:]
    return {"add": sum(line.plan.add for line in rest), "cost": sum((line.cost for line in rest), Decimal(0))}


def order_lines(dossier: Dossier) -> list[OrderLine]:
    """Sources that get an order, the dearest first."""
    lines = []
    for one in dossier.allocation.plan.sources:
        if one.order:
            names = [dossier.labels[key] for key in one.groups]
            feeds = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            lines.append(OrderLine(one, dossier.sources[one.key], feeds))
    return sorted(lines, key=lambda line: -line.plan.cost)


def worth_lines(dossier: Dossier) -> list[tuple[str, str, str]]:
    """Sources whose samples are not as good as clean ones for sure: name, what they are worth, and the verdict."""
    currency = dossier.project.currency
    found: list[tuple[str, str, str]] = []
    for key, one in dossier.allocation.verdicts.items():
        quality, even = one.quality, one.break_even
        if (quality.p05, quality.p95) != (1.0, 1.0):
            price = None if even is None else amount(max(0, int(even.mean)))
            said = words.worth(quality.mean, quality.p05, quality.p95, price, currency)
            found.append((dossier.sources[key].name or key, said, one.verdict))
    return found


def bounds_of(allocation: Allocation, currency: str) -> list[tuple[str, str]]:
    """What holds the plan back, and what more of it would be worth."""
    bounds = sorted(allocation.bounds.items(), key=lambda one: -abs(one[1]))[:BOUNDS]
    return [
        ("The budget of the round", f"{number(UNIT * price)} utility per {UNIT:,} {currency} more")
        if pointer == "/budget"
        else (pointer, f"{number(price)} utility per unit more room")
        for pointer, price in bounds
    ]


def targets_same(dossier: Dossier) -> str:
    """Where no budget changes the chance that all targets are met: what it is. Else nothing."""
    if not dossier.allocation.known:
        return ""
    chances = {round(row["chance"], 4) for row in dossier.budgets.rows if row["chance"] is not None}
    if len(chances) != 1:
        return ""
    return f"All targets are met with a chance of {percent(chances.pop())}, whichever of these budgets is spent."


def splits_of(allocation: Allocation) -> list[dict[str, Any]]:
    """The plan beside simple ways to spend the same money, over the same draws."""
    if not allocation.known:
        return []
    utility = allocation.plan.utility
    named = [
        ("Nothing bought", utility.now),
        ("This plan", utility.after),
        ("The same count for every group", utility.equal),
        ("The same money for every group", utility.equal_spend),
        ("By the groups' weights", utility.proportional),
    ]
    return [{"name": name, "utility": one, "gain": one.mean - utility.now.mean} for name, one in named]


def sureness(allocation: Allocation) -> str:
    if not allocation.known:
        return (
            "Nothing is known of the metric yet: the money is split equally. Post one evaluated run, or give every "
            "group a curve to assume."
        )
    utility = allocation.plan.utility
    return (
        f"The plan ends above the best simple rule ({rule_of(allocation)}) with a chance of "
        f"{percent(utility.best_simple_rule.gain.p_better)}. "
        f"{utility.best_simple_rule.finding} Utility after the round lies between {number(utility.after.p05)} and "
        f"{number(utility.after.p95)} with 90 % probability; it is {number(utility.now.mean)} now."
    )


def rule_of(allocation: Allocation) -> str:
    """The best simple rule, by its name in sentences."""
    return PLAYERS[allocation.plan.utility.best_simple_rule.policy].lower()


def record_words(dossier: Dossier) -> str:
    """How far the intervals can be trusted, by the project's own record."""
    record = dossier.record
    if not record.count:
        return "No forecast of this project has been put to the test yet: the intervals are the model's own."
    half, _, most = record.coverage
    covered = f"{percent(half or 0.0)} fell into the 50 % intervals, {percent(most or 0.0)} into the 90 % ones"
    held = f"{record.count:,} forecasts were put to the test by later runs: {covered}."
    if record.overpromised:
        much, direction = percent(abs(record.overpromised)), "less" if record.overpromised > 0.0 else "more"
        held += f" Beyond the sizes measured, curves promise {much} {direction} gain than without this record."
    moved = bool((record.widening != 1.0).any())
    return f"{held} The intervals shown are rescaled by this record." if moved else held


def standing_rows(dossier: Dossier) -> list[dict[str, Any]]:
    """Every group as the table `groups` has it, the worst metric first."""
    table = table_of(dossier, "groups")
    names = [column.name for column in table.columns]
    rows: list[dict[str, Any]] = [
        dict(zip(names, row, strict=True)) | {"label": dossier.labels[str(row[0])]} for row in table.rows
    ]
    sign = 1 if dossier.project.metric_goal == "maximize" else -1
    worst = {row["group"]: sign * (row["metric_now_mean"] or 0.0) for row in rows}
    return sorted(rows, key=lambda row: worst[row["group"]])


def warning_lines(dossier: Dossier) -> list[dict[str, Any]]:
    """Warnings of the whole first, then those of groups that are bought for, then the others."""
    bought = {one.key for one in dossier.allocation.plan.groups if one.add}
    lines: list[dict[str, Any]] = [
        {
            "about": dossier.labels.get(one.group, one.group) if one.group else one.source or "",
            "detail": one.detail,
            "code": one.code,
            "rank": 0 if one.group is None else 1 if one.group in bought else 2,
        }
        for one in dossier.allocation.warnings
    ]
    return sorted(lines, key=lambda line: line["rank"])


def of_every_kind(lines: Sequence[dict[str, Any]]) -> Part:
    """The first of each code, so that one that a thousand groups share does not hide the others."""
    seen: Counter[str] = Counter()
    shown: list[dict[str, Any]] = []
    for line in lines:
        seen[line["code"]] += 1
        if seen[line["code"]] <= ALIKE and len(shown) < WARNINGS:
            shown.append(line)
    return Part(shown, len(lines) - len(shown))


def scenario_line(dossier: Dossier, outcome: ScenarioResult) -> dict[str, Any]:
    plan, gain = outcome.plan, outcome.gain
    currency = dossier.project.currency
    return {
        "name": outcome.scenario.name,
        "budget": money(float(outcome.budget.available), currency),
        "spend": None if plan is None else amount(plan.spend),
        "after": plan.utility.after if plan is not None and outcome.known else None,
        "gain": gain,
        "better": None if gain is None else percent(gain.p_better),
        "culprits": [f"{one.pointer}: {one.detail}" for one in outcome.culprits],
    }


def round_lines(dossier: Dossier) -> Part:
    """The newest first, each with its money."""
    spending = {one.round.number: one for one in spending_of(dossier)}
    rounds = listed_rounds(dossier.session, dossier.project.id).after(None, MOST_ROUNDS)
    lines = [
        {
            "round": one,
            "state": state_of(one, dossier.at),
            "steps": steps_of(one),
            "proposed_by": key_name(one, one.proposed_by) or one.proposed_by,
            "approved_by": approved_by_names(one),
            "samples": sum(one.added.values()),
            "spent": spending[one.number].stage.spent if one.number in spending else None,
            "committed": spending[one.number].stage.committed if one.number in spending else None,
        }
        for one in reversed(rounds)
    ]
    return Part.of(lines, ROUNDS)


def query_of(dossier: Dossier) -> Mapping[str, Any]:
    """The question as the API takes it."""
    asked = dossier.question
    budget = {} if asked.budget is None else {"budget": str(asked.budget)}
    exploration = {} if asked.exploration is None else {"exploration": asked.exploration}
    return {**budget, "policy": asked.policy, **exploration, "draws": asked.draws, "seed": asked.seed}
