"""The groups of a plan as a page lists them: filtered, sorted and in parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.api.keys.paths import part_of
from app.api.planning.allocations import AllocationOut
from app.api.planning.plans import GroupPlanOut
from app.errors import Fault, refuse
from app.services.signing import Members, Screen
from app.store.models.projects import Project

PER_PAGE = 25


@dataclass(frozen=True)
class Line:
    """A group's row, with its name, the warnings that concern it, and why it gets what it gets. gain: of its metric,
    above 0 for better; standing: the better the larger; both 0 where nothing is known of it."""

    plan: GroupPlanOut
    name: str
    warnings: Sequence[Any]
    reason: str
    gain: float
    standing: float

    @property
    def part(self) -> str:
        """Its key, as a part of a path."""
        return part_of(self.plan.group)


SHOWS: Mapping[str, tuple[str, Callable[[Line], bool]]] = {
    "all": ("all groups", lambda _: True),
    "bought": ("that get something", lambda line: line.plan.add > 0),
    "nothing": ("that get nothing", lambda line: not line.plan.add),
    "doubted": ("to check", lambda line: bool(line.warnings)),
}
SORTS: Mapping[str, tuple[str, Callable[[Line], Any]]] = {
    "cost": ("the most money first", lambda line: (-line.plan.cost, -line.plan.add)),
    "worst": ("the worst after it first", lambda line: line.standing),
    "gain": ("the largest gain first", lambda line: -line.gain),
    "name": ("by name", lambda line: line.name.casefold()),
}


@dataclass(frozen=True)
class GroupTable:
    """lines: those of the page. shown: on all pages. levels: to choose from, as `attribute: level`."""

    lines: Sequence[Line]
    shown: int
    last: int
    levels: Sequence[str]


def check_view(show: str, sort: str) -> None:
    """Raises Invalid."""
    found = [("?show", show, SHOWS), ("?sort", sort, SORTS)]
    refuse([Fault(at, f"choose one of {', '.join(known)}") for at, given, known in found if given not in known])


def group_table(
    project: Project, plan: AllocationOut, members: Members, screen: Screen, view: tuple[str, str, str], page: int
) -> GroupTable:
    """view: one of SHOWS, one of SORTS, and one of the levels or empty for all."""
    show, sort, level = view
    doubts: dict[str, list[Any]] = {}
    for warning in plan.warnings:
        if warning.group is not None:
            doubts.setdefault(warning.group, []).append(warning)
    sign = 1.0 if project.metric_goal == "maximize" else -1.0
    rows = [_line(one, members, doubts.get(one.group, ()), screen, sign) for one in plan.groups]
    told = {key: {f"{name}: {value}" for name, value in some.items()} for key, some in members.attributes.items()}
    kept = [one for one in rows if SHOWS[show][1](one) and (not level or level in told.get(one.plan.group, ()))]
    kept.sort(key=SORTS[sort][1])
    levels = [f"{name}: {fold.name}" for name, folds in screen.folds.items() for fold in folds]
    return GroupTable(kept[(page - 1) * PER_PAGE : page * PER_PAGE], len(kept), -(-len(kept) // PER_PAGE), levels)


def _line(one: GroupPlanOut, members: Members, doubts: Sequence[Any], screen: Screen, sign: float) -> Line:
    now, after = one.metric_now, one.metric_after
    gain = sign * (after.mean - now.mean) if now and after else 0.0
    standing = sign * after.mean if after else 0.0
    return Line(one, members.group(one.group), doubts, screen.reasons[one.group], gain, standing)
