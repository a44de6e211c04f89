"""The table of what is signed: the verdict, the figures of the plan, its orders and their sum, and what to check."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from app.services.exports.columns import Content
from app.services.exports.dossier import Dossier
from app.services.signing import Members, Screen, answer_of, screen_of
from app.tables.shape import Column


@dataclass(frozen=True)
class Line:
    """`what`: verdict, a figure's title, order, sum or check."""

    what: str
    says: str
    remark: str = ""
    order: int | None = None
    accepted: int | None = None
    cost: Decimal | None = None


def summary_table(dossier: Dossier) -> Content[Line]:
    project = dossier.project
    them = Members.of(dossier.session, project)
    screen = screen_of(project, answer_of(project, dossier.allocation), them, dossier.left)
    return [
        Column("what", "text", "verdict, a figure of the plan, an order, their sum, or what to check first",
               lambda one: one.what),
        Column("says", "long text", "what it is: a sentence, a figure, a source or a group", lambda one: one.says),
        Column("order", "count", "samples to order", lambda one: one.order),
        Column("accepted", "count", "of these expected to pass review", lambda one: one.accepted),
        Column("cost", "money", f"what they cost, {project.currency}", lambda one: one.cost),
        Column("remark", "long text", "what belongs to it", lambda one: one.remark),
    ], list(lines_of(screen))  # fmt: skip


def lines_of(screen: Screen) -> Iterator[Line]:
    yield Line("verdict", screen.sentence, screen.kind)
    for tile in screen.tiles:
        yield Line(tile.title, tile.big, "; ".join(filter(None, (tile.small, *tile.more))))
    for one in screen.orders:
        yield Line("order", one.name, one.why, one.order, one.accepted, one.cost)
    accepted = [one.accepted for one in screen.orders if one.accepted is not None]
    ordered = sum(one.order for one in screen.orders)
    yield Line("sum", "all orders", "", ordered, sum(accepted) if accepted else None, screen.spend)
    for check in screen.checks:
        yield Line("check", check.about, check.detail)
