"""What each source, or each vendor, has been worth: its share of the gain that all deliveries brought."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.errors import NothingDelivered
from app.planner.problem import Problem
from app.planner.valuation import Delivered, PlayerValue, SourceValues, closing_costs, source_values
from app.planner.wording import Warning
from app.services.computing import Work
from app.services.curves.fits import Fits
from app.services.curves.kept import kept
from app.services.planning.situations import Situation, answer_key, feasibly, known_situation, round_budget
from app.store.models.projects import Project, Source
from app.store.models.vendors import VendorConnection
from app.store.projects import members_by_id
from app.store.vendors import connections_by_id

Players = Literal["sources", "vendors"]

MOST_TIMES = 50
"""About so often the draws are gone over at most."""
MOST_CLOSED = 20
"""Beyond so many players no next round is planned without each."""


@dataclass(frozen=True)
class Item:
    """A player: accepted samples that it delivered, what they cost, what they are worth, and what shutting it would
    take from the next round's utility (None: not asked, or bounds cannot be met without it)."""

    source: str
    delivered: int
    spent: Decimal
    worth: PlayerValue
    closing_costs: float | None

    @property
    def value_per_1000(self) -> tuple[float, float, float] | None:
        """The value with its 90 % interval per 1,000 of money; None where it cost nothing."""
        if not self.spent:
            return None
        value = self.worth.value
        per = 1000.0 / float(self.spent)
        return per * value.mean, per * value.p05, per * value.p95


@dataclass(frozen=True)
class Valuation:
    """All players that delivered, the most valuable first."""

    found: SourceValues
    items: Sequence[Item]
    warnings: Sequence[Warning]


@dataclass
class _Player:
    """What one brought: accepted samples in all, effective ones by group id, money, and its sources' keys."""

    accepted: int = 0
    effective: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    spent: Decimal = Decimal(0)
    keys: set[str] = field(default_factory=set)


def kept_source_values(
    session: Session, fits: Fits, project: Project, players: Players, draws: int, seed: int
) -> Valuation:
    """What each has been worth, computed once per data version."""
    key = answer_key("source-values", project, [players, draws, seed])
    found: Valuation = kept(session, fits.answers, key, lambda: valuing(session, fits, project, players, draws, seed))
    return found


def valuing(session: Session, fits: Fits, project: Project, players: Players, draws: int, seed: int) -> Work[Valuation]:
    """Raises NothingDelivered where no source has, Conflict while nothing is known of the metric, Infeasible."""
    situation = known_situation(session, fits, project, draws, seed)
    budget = round_budget(project, situation.holdings, None)
    brought = _brought(session, situation, players)
    if not brought:
        raise NothingDelivered("No source has delivered accepted samples yet. Ask again once a round has brought some.")
    times = min(2 ** len(brought), MOST_TIMES)
    return Work(situation.cells * times, lambda: _valued(project, situation, situation.problem(budget), brought, seed))


def _valued(
    project: Project, situation: Situation, problem: Problem, brought: Mapping[str, _Player], seed: int
) -> Valuation:
    groups = [group.id for group in situation.groups]
    came = [Delivered(key, np.array([one.effective.get(at, 0.0) for at in groups])) for key, one in brought.items()]
    found = source_values(problem, came, seed)
    closed = feasibly(project, lambda: _closed(problem, [one.keys for one in brought.values()]))
    rows = zip(brought.items(), found.players, closed, strict=True)
    items = [Item(key, one.accepted, one.spent, worth, cost) for (key, one), worth, cost in rows]
    items.sort(key=lambda one: -one.worth.value.mean)
    return Valuation(found, items, _shared(situation, brought))


def _closed(problem: Problem, players: Sequence[set[str]]) -> tuple[float | None, ...]:
    return closing_costs(problem, players) if len(players) <= MOST_CLOSED else (None,) * len(players)


def _brought(session: Session, situation: Situation, players: Players) -> Mapping[str, _Player]:
    """What every player that delivered brought, by its key or its vendor's name; archived sources' deliveries too."""
    holdings = situation.holdings
    sources = members_by_id(session, Source, holdings.tallies)
    vendors: dict[UUID, VendorConnection] = {}
    if players == "vendors":
        ids = {one.connection_id for one in sources.values() if one.connection_id}
        vendors = connections_by_id(session, ids)
    found: dict[str, _Player] = defaultdict(_Player)
    for source_id, tally in holdings.tallies.items():
        if not tally.accepted:
            continue
        source = sources[source_id]
        vendor = vendors.get(source.connection_id) if source.connection_id else None
        one = found[source.key if vendor is None else vendor.name]
        quality = holdings.record(source).quality
        for group_id, came in tally.accepted_of.items():
            one.effective[group_id] += came.effective if quality.is_exact else quality.mean * came.count
        one.accepted += tally.accepted
        one.spent += tally.spent
        one.keys.add(source.key)
    return found


def _shared(situation: Situation, brought: Mapping[str, _Player]) -> list[Warning]:
    """Groups that several served: whose samples came first does not matter, so that credit is shared."""
    served = defaultdict(list)
    for key, one in brought.items():
        for group_id in one.effective:
            served[group_id].append(key)
    return [
        Warning(
            "shared_credit",
            f"{_both(served[group.id])} delivered samples of '{group.key}': what each is credited with depends on the"
            " others, as the first samples of a group teach most.",
            group.key,
        )
        for group in situation.groups
        if len(served[group.id]) > 1
    ]


def _both(keys: Sequence[str]) -> str:
    """Two of the sources, and whether there are more."""
    return f"{' and '.join(keys[:2])}{' and others' if len(keys) > 2 else ''}"
