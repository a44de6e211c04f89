"""A workspace's projects at a glance: money, round, who is worst off, and what waits to be done."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.ledger.holdings import left_of
from app.services.purchases.steps import state_of
from app.store.ledger import Money, money_of_project
from app.store.models.observations import Observation
from app.store.models.projects import Group, Project
from app.store.models.purchases import Round
from app.store.observations import newest_observations
from app.store.projects import members
from app.store.rounds import count_accepted, newest_round

RUNS_LOOKED_AT = 20
OPEN = ("accepted", "collecting")


@dataclass(frozen=True)
class Worst:
    """The group with the worst of the newest measurements of each group."""

    group: str
    name: str | None
    value: float


@dataclass(frozen=True)
class Overview:
    """`rounds`: how many were accepted. `action` is what waits to be done; `waits` whether it waits for who looks."""

    project: Project
    money: Money
    rounds: int
    worst: Worst | None
    action: str
    waits: bool

    @property
    def spent_share(self) -> float:
        total = self.project.budget_total
        return float(self.money.spent / total) if total else 0.0


def overview_of(session: Session, project: Project, mine: Collection[UUID], now: datetime) -> Overview:
    """mine: the projects with a proposal that waits for who looks."""
    groups = {group.key: group for group in members(session, Group, project.id)}
    runs = newest_observations(session, project.id, project.recipe, RUNS_LOOKED_AT)
    money = money_of_project(session, project.id)
    last = newest_round(session, project.id)
    if last is not None and state_of(last, now) == "proposed":
        action, waits = about_proposal(last, project.id in mine)
    else:
        action, waits = next_action(project, groups, runs, money, last)
    accepted = count_accepted(session, project.id)
    return Overview(project, money, accepted, worst_of(project, groups, runs), action, waits)


def about_proposal(last: Round, mine: bool) -> tuple[str, bool]:
    if mine:
        return f"Approve or decline round {last.number}", True
    return f"Round {last.number} waits for {'a second' if last.approvals else 'an'} approval", False


def worst_of(project: Project, groups: dict[str, Group], runs: list[Observation]) -> Worst | None:
    """Among the newest `RUNS_LOOKED_AT` runs; equals go by key."""
    newest: dict[str, float] = {}
    for run in runs:
        for key, reading in run.metrics.items():
            if key in groups:
                newest.setdefault(key, reading["value"])
    if not newest:
        return None
    sign = 1 if project.metric_goal == "maximize" else -1
    key = min(newest, key=lambda one: (sign * newest[one], one))
    return Worst(key, groups[key].name, newest[key])


def next_action(
    project: Project, groups: dict[str, Group], runs: list[Observation], money: Money, last: Round | None
) -> tuple[str, bool]:
    if not groups:
        return "Add groups", True
    if last is not None and last.state in OPEN:
        return f"Round {last.number} is being collected", False
    if not runs:
        return "Post the first training runs", True
    if not left_of(project, money):
        return "The budget is spent", False
    return f"Plan round {1 + (last.number if last else 0)}", True
