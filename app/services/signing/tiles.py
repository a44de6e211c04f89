"""The four figures of a plan: what to pay, what it brings, what that is worth, and what would be instead."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from app.services.planning.policies import PLAYERS
from app.services.signing.members import Answer, Members
from app.services.signing.words import has_points, in_percent, level, money, moved, of_hundred
from app.store.models.projects import Project

NEARLY = 0.05
"""A simple rule that needs so small a share more or less of the money needs the same."""
UNSTATED = "nobody has stated what a gain is worth in money"
MOST_TIMES = 8
"""Times the plan's money up to which a simple rule's is told."""


@dataclass(frozen=True)
class Tile:
    """A figure with its words: `big` stands large, `small` beneath it, `more` on lines of its own."""

    title: str
    big: str
    small: str = ""
    more: tuple[str, ...] = ()


def tiles_of(project: Project, answer: Answer, members: Members, left: Decimal) -> tuple[Tile, ...]:
    """Pay, Get, Worth and Instead; Pay alone where nothing is known of the metric. left: of the project's money."""
    spend = Decimal(answer["budget"]["spend"])
    pay = Tile("Pay", money(spend, project.currency), f"of {money(left, project.currency)} left")
    changes = (answer.get("verdict") or {}).get("changes")
    if changes is None:
        return (pay,)
    return (
        pay,
        _get(project, answer, changes, members.targets),
        _worth(project, answer, changes, spend),
        _instead(project, answer, spend),
    )


def _get(project: Project, answer: Answer, changes: Answer, targets: Mapping[str, float]) -> Tile:
    mean, worst, gain = changes["mean"], changes["worst"], changes["mean"]["gain"]
    gained, low, high = (moved(project, gain[name]) for name in ("mean", "p05", "p95"))
    said = f"{project.metric_name} on average, {gained}{_unit(project)} ({low} to {high})"
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
    unit = "one point" if has_points(project) else f"1 of {project.metric_name}"
    each = money(spend / Decimal(points), project.currency) if points > 0 and spend else ""
    if stop is not None and stop["worth"] is not None:
        value = money(Decimal(stop["worth"]), project.currency)
        return Tile(
            "Worth", value, "by what the project says a gain is worth", (f"{unit} costs {each}",) if each else ()
        )
    return Tile("Worth", each, f"for {unit} on average", (UNSTATED,)) if each else Tile("Worth", "not said", UNSTATED)


def _instead(project: Project, answer: Answer, spend: Decimal) -> Tile:
    instead = answer["verdict"]["instead"]
    if instead is None:
        return Tile("Instead", "–", "no simple rule to compare with")
    rule, best = PLAYERS[instead["policy"]].lower(), answer["utility"]["best_simple_rule"]
    needs = _needs(best["budget_ratio"], spend, project.currency)
    more = (f"for the same, {rule} would need {needs}",) if needs else ()
    gain = instead["changes"]["mean"]["gain"]["mean"]
    if not gain:
        return Tile("Instead", "the same", f"by {rule}, the best simple rule for this money", more)
    unit = _unit(project).strip() or project.metric_name
    chance = of_hundred(best["gain"]["p_better"])
    said = f"{unit} against {rule}, the best simple rule for this money; better in {chance}"
    return Tile("Instead", moved(project, gain), said, more)


def _needs(ratio: Answer | None, spend: Decimal, currency: str) -> str:
    """The money with which the simple rule reaches what the plan does; nothing where it is the same."""
    if ratio is None or not spend:
        return ""
    if ratio["mean"] is None:
        return f"more than {money(MOST_TIMES * spend, currency)}"
    return "" if abs(ratio["mean"] - 1.0) <= NEARLY else money(spend * Decimal(ratio["mean"]), currency)


def _unit(project: Project) -> str:
    return " points" if has_points(project) else ""
