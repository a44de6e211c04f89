"""What whoever signs a plan looks at: what to pay, what it brings, what it is worth, what would be instead, the
orders, and what to check first.

It is made of the API's answer, so that the plan that is asked for, the one that a round keeps and the report say the
same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.services.planning.policies import PLAYERS
from app.services.signing.verdict import has_points, in_percent, level, money, signed
from app.store.models.projects import Project, Source

Answer = Mapping[str, Any]
MOST_CHECKS = 3
LIMITS = {
    "bounds": "the limits",
    "max_order": "its largest order",
    "budget": "the money",
    "min_order": "its smallest order",
    "lot_size": "its lots",
    "hold": "held by hand",
    "licence_rule": "the licence rule",
}
MEASURE = ("few_points", "no_observations", "stale", "extrapolates", "no_gain", "not_started", "wide_range")
"""Warnings that a run on what is held answers."""
FIRST = (
    "no_gain", "extrapolates", "stale", "no_observations", "not_monotone", "fell", "outlier", "hopeless_target",
    "mixed_unknown", "counts_without_purchase", "licence_unspecified", "no_source", "drifts",
)  # fmt: skip
"""The worst first; what is not listed comes after."""
INFORMS = ("transfer", "transfer_held", "pooled_prior", "many_points")
"""Warnings that say how something was reckoned, which nobody has to look after before signing."""
NEARLY = 0.05
"""A simple rule that needs so small a share more or less of the money needs the same."""


@dataclass(frozen=True)
class Tile:
    """A figure with its words: `big` stands large, `small` beneath it, `more` on lines of its own."""

    title: str
    big: str
    small: str = ""
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class OrderLine:
    """What to order of a source. accepted: samples expected to pass, None in rounds from before it was told. price: of
    one that does. tier: from how many samples on the price holds, None for the first. days: until it is all there."""

    key: str
    name: str
    vendor: str | None
    order: int
    accepted: int | None
    cost: Decimal
    fixed: Decimal
    tier: int | None
    days: int | None
    limits: tuple[str, ...]

    @property
    def price(self) -> Decimal | None:
        return self.cost / self.accepted if self.accepted else None


@dataclass(frozen=True)
class LeftOut:
    """A source that gets no order, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Check:
    """What to look at before signing. measure: whether a run on what is held answers it."""

    about: str
    detail: str
    measure: bool


@dataclass(frozen=True)
class Screen:
    """One plan as it is signed. kind, sentence: the verdict's, empty in rounds proposed before there were verdicts."""

    kind: str
    sentence: str
    tiles: tuple[Tile, ...]
    orders: tuple[OrderLine, ...]
    spend: Decimal
    left_out: tuple[LeftOut, ...] = ()
    checks: tuple[Check, ...] = ()
    more_checks: int = field(default=0)


def screen_of(
    project: Project,
    answer: Answer,
    sources: Sequence[Source],
    names: Mapping[str, str],
    targets: Mapping[str, float],
    vendors: Mapping[Any, str],
    left: Decimal,
) -> Screen:
    """The screen of an answer of `GET …/allocations/next`. names: of the groups by key; targets: of those that have
    one; vendors: of the connections by id; left: of the project's money before it."""
    verdict = answer.get("verdict") or {}
    rows = {source.key: source for source in sources}
    checks = _checks(answer, names)
    orders = [_order(one, rows.get(one["source"]), vendors) for one in answer["sources"] if one["order"]]
    spend = Decimal(answer["budget"]["spend"])
    return Screen(
        kind=verdict.get("kind", ""),
        sentence=verdict.get("sentence", ""),
        tiles=tuple(_tiles(project, answer, targets, spend, left)),
        orders=tuple(sorted(orders, key=lambda one: -one.cost)),
        spend=spend,
        left_out=tuple(_left_out(project, one, rows) for one in answer["sources"] if not one["order"]),
        checks=tuple(checks[:MOST_CHECKS]),
        more_checks=max(0, len(checks) - MOST_CHECKS),
    )


def _tiles(project: Project, answer: Answer, targets: Mapping[str, float], spend: Decimal, left: Decimal) -> list[Tile]:
    pay = Tile("Pay", money(spend, project.currency), f"of {money(left, project.currency)} left")
    changes = (answer.get("verdict") or {}).get("changes")
    if changes is None:
        return [pay]
    return [
        pay,
        _get(project, answer, changes, targets),
        _worth(project, answer, changes, spend),
        _instead(project, answer),
    ]


def _get(project: Project, answer: Answer, changes: Answer, targets: Mapping[str, float]) -> Tile:
    mean, worst = changes["mean"], changes["worst"]
    gain = mean["gain"]
    low, high = (_moved(project, gain[end]) for end in ("p05", "p95"))
    said = (
        f"{project.metric_name} on average, better by {_moved(project, gain['mean'])} ({low} to {high}{_unit(project)})"
    )
    more = [f"worst group {level(project, worst['now'])} → {level(project, worst['after'])}"]
    if targets:
        now, after = (_met(project, answer, targets, when) for when in ("now", "after"))
        more.append(f"targets met {now} → {after} of {len(targets)}")
    return Tile("Get", f"{level(project, mean['now'])} → {level(project, mean['after'])}", said, tuple(more))


def _met(project: Project, answer: Answer, targets: Mapping[str, float], when: str) -> int:
    """Targets that the groups' mean metrics reach."""
    sign = 1 if project.metric_goal == "maximize" else -1
    found = {one["group"]: one[f"metric_{when}"] for one in answer["groups"]}
    return sum(
        found.get(key) is not None and sign * found[key]["mean"] >= sign * target for key, target in targets.items()
    )


def _worth(project: Project, answer: Answer, changes: Answer, spend: Decimal) -> Tile:
    stop = answer.get("stop")
    points = changes["mean"]["gain"]["mean"] * (100.0 if in_percent(project) else 1.0)
    each = ""
    if points > 0 and spend:
        unit = "one point" if has_points(project) else f"1 of {project.metric_name}"
        each = f"{unit} costs {money(spend / Decimal(points), project.currency)}"
    more = (each,) if each else ()
    if stop is not None and stop["worth"] is not None:
        value = money(Decimal(stop["worth"]), project.currency)
        return Tile("Worth", value, "by the project's value of utility", more)
    return Tile("Worth", "not said", "nobody has stated what a gain is worth in money", more)


def _instead(project: Project, answer: Answer) -> Tile:
    instead = answer["verdict"]["instead"]
    if instead is None:
        return Tile("Instead", "–", "no simple rule to compare with")
    rule = PLAYERS[instead["policy"]].lower()
    chance = answer["utility"]["best_simple_rule"]["gain"]["p_better"]
    ratio = answer["utility"]["best_simple_rule"]["budget_ratio"]
    more: tuple[str, ...] = ()
    if ratio is not None and ratio["mean"] is not None and abs(ratio["mean"] - 1.0) > NEARLY:
        more = (f"it would need {ratio['mean']:.2g} times the money for the same",)
    gain = instead["changes"]["mean"]["gain"]["mean"]
    unit = _unit(project).strip() or project.metric_name
    if not gain:
        return Tile("Instead", "the same", f"by {rule}, the best simple rule", more)
    said = f"{unit} beside {rule}, the best simple rule; better in {_of_hundred(chance)}"
    return Tile("Instead", _moved(project, gain), said, more)


def _of_hundred(chance: float) -> str:
    """Never none or all of what draws can tell."""
    count = round(100 * chance)
    if count >= 100:
        return "more than 99 of 100 cases"
    return f"{count} of 100 cases" if count else "less than 1 of 100 cases"


def _moved(project: Project, gain: float) -> str:
    """An improvement as a number: in points where the metric has them."""
    return signed(100.0 * gain, 1) if in_percent(project) else signed(gain, 1 if has_points(project) else None)


def _unit(project: Project) -> str:
    return " points" if has_points(project) else ""


def _order(one: Answer, source: Source | None, vendors: Mapping[Any, str]) -> OrderLine:
    tiers = [] if source is None else [tier["from"] for tier in source.price_tiers if tier["from"] <= one["order"]]
    return OrderLine(
        key=one["source"],
        name=one["source"] if source is None else source.name or source.key,
        vendor=None if source is None or source.connection_id is None else vendors.get(source.connection_id),
        order=one["order"],
        accepted=one.get("accepted"),
        cost=Decimal(one["cost"]),
        fixed=Decimal(0) if source is None else source.fixed_cost,
        tier=max(tiers, default=None),
        days=None if source is None else source.lead_time_days,
        limits=tuple(LIMITS.get(name, name) for name in one["binding"]),
    )


def _left_out(project: Project, one: Answer, rows: Mapping[str, Source]) -> LeftOut:
    source = rows.get(one["source"])
    name = one["source"] if source is None else source.name or source.key
    if "licence_rule" in one["binding"]:
        return LeftOut(name, "the licence rule allows no order")
    even = one.get("break_even")
    if one.get("verdict") == "leave" and even is not None:
        return LeftOut(name, f"too dear: it pays below {Decimal(even):.3g} {project.currency} a sample")
    if one["binding"]:
        return LeftOut(name, f"kept out by {', '.join(LIMITS.get(limit, limit) for limit in one['binding'])}")
    return LeftOut(name, "the money brings more elsewhere")


def _checks(answer: Answer, names: Mapping[str, str]) -> list[Check]:
    """One line for each kind of warning, the worst first; what several groups share is said once."""
    about: dict[str, list[Answer]] = {}
    for one in answer["warnings"]:
        if one["code"] in INFORMS:
            continue
        about.setdefault(one["code"], []).append(one)
    ranked = sorted(about, key=lambda code: FIRST.index(code) if code in FIRST else len(FIRST))
    return [_check(code, about[code], names) for code in ranked]


def _check(code: str, said: Sequence[Answer], names: Mapping[str, str]) -> Check:
    whom = [names.get(one["group"], one["group"]) if one["group"] else one["source"] or "" for one in said]
    named = [name for name in whom if name]
    head = ", ".join(named[:2]) + (f" and {len(named) - 2} more" if len(named) > 2 else "")
    return Check(head, str(said[0]["detail"]), code in MEASURE)
