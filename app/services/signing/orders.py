"""What to order of which source, why, and what limits it; and why nothing is ordered of the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from app.services.signing.members import Answer, Members
from app.services.signing.words import has_points, moved
from app.store.models.projects import Project

LIMITS = {
    "bounds": "the limits",
    "max_order": "its largest order",
    "budget": "the money",
    "min_order": "its smallest order",
    "lot_size": "its lots",
    "licence_rule": "the licence rule",
}

BY_HAND = "hold"


@dataclass(frozen=True)
class OrderLine:
    """What to order of a source. accepted: samples expected to pass, None in rounds from before it was told. price: of
    one that does. tier: from how many samples on the price holds, None for the first. days: until it is all there.
    why: what it is ordered for, in a sentence."""

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
    why: str = ""

    @property
    def price(self) -> Decimal | None:
        return self.cost / self.accepted if self.accepted else None


@dataclass(frozen=True)
class LeftOut:
    """A source that gets no order, and why."""

    name: str
    why: str


def orders_of(project: Project, answer: Answer, members: Members) -> tuple[OrderLine, ...]:
    """The dearest first."""
    groups = {one["group"]: one for one in answer["groups"]}
    lines = [_order(project, one, groups, members) for one in answer["sources"] if one["order"]]
    return tuple(sorted(lines, key=lambda one: -one.cost))


def _order(project: Project, one: Answer, groups: Mapping[str, Answer], members: Members) -> OrderLine:
    source = members.sources.get(one["source"])
    tiers = [] if source is None else [tier["from"] for tier in source.price_tiers if tier["from"] <= one["order"]]
    linked = None if source is None else source.connection_id
    return OrderLine(
        key=one["source"],
        name=members.source(one["source"]),
        vendor=None if linked is None else members.vendors.get(linked),
        order=one["order"],
        accepted=one.get("accepted"),
        cost=Decimal(one["cost"]),
        fixed=Decimal(0) if source is None else source.fixed_cost,
        tier=max(tiers, default=None),
        days=None if source is None else source.lead_time_days,
        limits=tuple(LIMITS.get(name, name) for name in one["binding"] if name != BY_HAND),
        why=_why(project, one, groups, members),
    )


def _why(project: Project, one: Answer, groups: Mapping[str, Answer], members: Members) -> str:
    """For one group: the group's own reason. For several: whom it moves the most, and how many come with that one."""
    if BY_HAND in one["binding"]:
        return "The order was set by hand."
    fed = [groups[key] for key in members.feeds.get(one["source"], ()) if key in groups]
    if len(fed) == 1:
        group, reason = members.group(fed[0]["group"]), str(fed[0]["reason"])
        return reason if group == members.source(one["source"]) else f"{group}: {reason}"
    known = [group for group in fed if group["metric_now"] and group["metric_after"]]
    if not known:
        return ""
    sign = 1.0 if project.metric_goal == "maximize" else -1.0
    gains = [sign * (group["metric_after"]["mean"] - group["metric_now"]["mean"]) for group in known]
    gain, most = max(zip(gains, known, strict=True), key=lambda pair: pair[0])
    unit = " points" if has_points(project) else f" of {project.metric_name}"
    named = f"{members.group(most['group'])} gains the most, {moved(project, gain)}{unit if gain else ''}"
    return f"{named}; samples of {len(fed) - 1:,} other group{'' if len(fed) == 2 else 's'} come with it."


def left_out_of(project: Project, answer: Answer, members: Members) -> tuple[LeftOut, ...]:
    return tuple(_left_out(project, one, members) for one in answer["sources"] if not one["order"])


def _left_out(project: Project, one: Answer, members: Members) -> LeftOut:
    name, even = members.source(one["source"]), one.get("break_even")
    if BY_HAND in one["binding"]:
        return LeftOut(name, "set to 0 by hand")
    if "licence_rule" in one["binding"]:
        return LeftOut(name, "the licence rule allows no order")
    if one.get("verdict") == "leave" and even is not None:
        return LeftOut(name, f"too dear: it pays below {Decimal(even):.3g} {project.currency} a sample")
    if one["binding"]:
        return LeftOut(name, f"kept out by {', '.join(LIMITS.get(limit, limit) for limit in one['binding'])}")
    return LeftOut(name, "the money brings more elsewhere")
