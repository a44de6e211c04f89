"""The screen on which a plan is signed: the verdict, what to pay and what it brings, the orders, and what to check.

It is made of the API's answer, so that the plan that is asked for, the one that a round keeps and the report say the
same.
"""

from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

from app.money import payable
from app.services.signing.checks import Check, checks_of
from app.services.signing.groups import Fold, folded, reasons_of, spread
from app.services.signing.members import Answer, Members
from app.services.signing.orders import LeftOut, OrderLine, left_out_of, orders_of
from app.services.signing.tiles import Tile, tiles_of
from app.store.models.projects import Project

MOST_CHECKS = 3
FEW_GROUPS = 14
"""So many are looked at one by one; more are summed by their attributes too."""


@dataclass(frozen=True)
class Screen:
    """One plan as it is signed. kind, sentence: the verdict's, empty in rounds proposed before there were verdicts.
    part: what to spend instead, where the verdict is to buy a part. bar: (class, start, width) of what was used before,
    of this plan, as shares of the project's money. reasons: by group, why it gets what it gets. folds: by attribute,
    sums of the groups, where there are many. names: of all groups and sources."""

    kind: str
    sentence: str
    tiles: tuple[Tile, ...]
    orders: tuple[OrderLine, ...]
    spend: Decimal
    part: Decimal | None
    bar: tuple[tuple[str, float, float], ...]
    left_out: tuple[LeftOut, ...]
    checks: tuple[Check, ...]
    reasons: dict[str, str]
    spread: str
    folds: dict[str, list[Fold]]
    names: frozenset[str]

    @property
    def first(self) -> tuple[Check, ...]:
        return self.checks[:MOST_CHECKS]

    @property
    def rest(self) -> tuple[Check, ...]:
        return self.checks[MOST_CHECKS:]


def screen_of(project: Project, answer: Answer, members: Members, left: Decimal) -> Screen:
    """The screen of an answer of `GET …/allocations/next`. left: of the project's money before it."""
    verdict = answer.get("verdict") or {}
    spend, budget = Decimal(answer["budget"]["spend"]), verdict.get("budget")
    return Screen(
        kind=verdict.get("kind", ""),
        sentence=verdict.get("sentence", ""),
        tiles=tiles_of(project, answer, members, left),
        orders=orders_of(project, answer, members),
        spend=spend,
        part=None if budget is None else payable(Decimal(budget), project.currency, down=True),
        bar=_bar(project.budget_total, left, spend),
        left_out=left_out_of(project, answer, members),
        checks=checks_of(answer, members),
        reasons=reasons_of(answer, members),
        spread=spread(answer["groups"]),
        folds=folded(answer["groups"], members) if len(answer["groups"]) > FEW_GROUPS else {},
        names=frozenset([*members.names.values(), *map(members.source, members.sources)]),
    )


def _bar(total: Decimal, left: Decimal, spend: Decimal) -> tuple[tuple[str, float, float], ...]:
    parts = [("before", max(total - left, Decimal(0))), ("spent", spend)]
    whole = float(max(total, sum((part for _, part in parts), Decimal(0)))) or 1.0
    starts = [0.0, *accumulate(float(part) / whole for _, part in parts)]
    return tuple((name, start, float(part) / whole) for (name, part), start in zip(parts, starts, strict=False))
