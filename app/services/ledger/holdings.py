"""What a project has and awaits: counts per group, what sources proved to deliver, money, rounds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from uuid import UUID

from sqlalchemy.orm import Session

from app.planner.problem import Rate, acceptance, yields
from app.planner.quality import Quality
from app.services.ledger.worths import CLEAN, NOTHING_LEARNT, Learnt, at_the_start, worth_of
from app.store import rounds as round_store
from app.store.ledger import Collected, Money, Totals, collected_counts, money_of_project, totals_of_orders
from app.store.member_rows import AnyGroup, AnySource
from app.store.models.projects import Project
from app.store.models.purchases import Order

NONE_COLLECTED = Collected(0, 0.0)


@dataclass(frozen=True)
class Held:
    """What is held of a group: accepted samples, and their worth in clean ones."""

    raw: int
    effective: float


def left_of(project: Project, money: Money) -> Decimal:
    """What of the budget is neither spent nor committed; none where it was lowered below that."""
    return max(project.budget_total - money.spent - money.committed, Decimal(0))


def money_of(orders: Iterable[Totals]) -> Money:
    """What orders have cost and may still cost."""
    totals = list(orders)
    spent = sum((one.spent for one in totals), Decimal(0))
    return Money(spent, sum((one.committed for one in totals), Decimal(0)))


def held_of(group: AnyGroup, collected: Mapping[int, Collected]) -> Held:
    """What was there at the start and what orders brought."""
    more = collected.get(group.id, NONE_COLLECTED)
    return Held(group.initial_count + more.count, group.initial_count + more.effective)


@dataclass(frozen=True)
class SourceRecord:
    """What a source proved to be: samples ordered so far (cancelled orders aside), its acceptance rate, and its
    yields by group id, the stated values being their priors; and its quality, as stated or as runs tell it."""

    ordered: int
    accepted: int
    rejected: int
    acceptance: Rate
    yields: dict[int, Rate]
    quality: Quality


@dataclass(frozen=True)
class Awaited:
    """Samples that open orders will still bring a group: accepted ones, and their worth in clean ones."""

    count: float = 0.0
    effective: float = 0.0


@dataclass(frozen=True)
class Stock:
    """What a group has and awaits, as every page, table and chart says it: whole clean samples, and raw ones beside
    them. `count` and `pending` add up to the rounded sum, as those of a plan do."""

    held: Held
    awaited: Awaited

    @property
    def now(self) -> float:
        """Clean samples held or awaited: where a group stands now."""
        return self.held.effective + self.awaited.effective

    @property
    def count(self) -> int:
        return round(self.held.effective)

    @property
    def pending(self) -> int:
        return round(self.now) - self.count

    @property
    def raw_count(self) -> int:
        return self.held.raw

    @property
    def raw_pending(self) -> int:
        return round(self.held.raw + self.awaited.count) - self.held.raw


@dataclass
class Tally:
    """A source's orders added up: ordered, accepted, rejected, delivered samples by group, of none, in all; and the
    accepted ones by group, with what the orders said they would be worth; and what was spent."""

    ordered: int = 0
    accepted: int = 0
    rejected: int = 0
    delivered: dict[int, int] = field(default_factory=dict)
    total: int = 0
    spent: Decimal = Decimal(0)
    accepted_of: dict[int, Collected] = field(default_factory=dict)

    def add(self, order: Order, totals: Totals) -> None:
        self.ordered += order.quantity
        self.accepted += totals.in_state("accepted")
        self.rejected += totals.in_state("rejected")
        self.total += totals.delivered
        self.spent += totals.spent
        for (group_id, state), count in totals.counts.items():
            if group_id is not None and state == "accepted":
                so_far = self.accepted_of.get(group_id, NONE_COLLECTED)
                self.accepted_of[group_id] = Collected(so_far.count + count, so_far.effective + count * order.quality)
            if group_id is not None:
                self.delivered[group_id] = self.delivered.get(group_id, 0) + count


NOTHING_AWAITED = Awaited()


@dataclass(frozen=True)
class Holdings:
    """collected, awaited: by group id. tallies: by source id. known: the rows of sources it was made with, by id, and
    what those proved to be. rounds: accepted so far."""

    collected: dict[int, Collected]
    awaited: dict[int, Awaited]
    tallies: dict[int, Tally]
    known: dict[int, tuple[AnySource, SourceRecord]]
    money: Money
    rounds: int
    learnt: Learnt = NOTHING_LEARNT

    def stock(self, group: AnyGroup) -> Stock:
        """What the group has and awaits."""
        held = held_of(group, self.collected)
        less = self._less_at_the_start(group)
        held = Held(held.raw, max(0.0, held.effective - less)) if less else held
        return Stock(held, self.awaited.get(group.id, NOTHING_AWAITED))

    def clean(self, group: AnyGroup) -> int:
        """How many of the samples held of the group did not come from sources whose samples are not clean."""
        came = self._brought_unclean.get(group.id, 0) + round(sum(self._from_the_start(group).values()))
        return max(0, held_of(group, self.collected).raw - came)

    @cached_property
    def _brought_unclean(self) -> dict[int, int]:
        """By group id what orders brought from sources whose samples are not clean."""
        found: dict[int, int] = {}
        for source, _ in self.known.values():
            for group_id, one in () if worth_of(source) == CLEAN else self._tally(source).accepted_of.items():
                found[group_id] = found.get(group_id, 0) + one.count
        return found

    @cached_property
    def _by_key(self) -> dict[str, tuple[AnySource, SourceRecord]]:
        return {source.key: (source, record) for source, record in self.known.values()}

    def _tally(self, source: AnySource) -> Tally:
        return self.tallies.get(source.id, Tally())

    def _less_at_the_start(self, group: AnyGroup) -> float:
        """By how much what was there at the start is worth less than as many clean samples."""
        came = self._from_the_start(group)
        return sum((1.0 - self._by_key[key][1].quality.mean) * n for key, n in came.items() if key in self._by_key)

    def _from_the_start(self, group: AnyGroup) -> dict[str, float]:
        """How many of the group's samples at the start came from sources."""
        trained = self.learnt.trained.get(group.key)
        if trained is None:
            return {}
        brought = {
            key: self._tally(self._by_key[key][0]).accepted_of.get(group.id, NONE_COLLECTED).count
            for key in trained.came
            if key in self._by_key
        }
        return at_the_start(group.initial_count, trained, brought)

    def record(self, source: AnySource) -> SourceRecord:
        """What the source proved to be, its stated values taken as they stand in the row."""
        row, record = self.known.get(source.id, (None, None))
        # A row that was varied for a what-if has the id of the one that it varies.
        return (
            record
            if record is not None and row is source
            else record_of(source, self.tallies.get(source.id, Tally()), self.learnt)
        )


def holdings_of(
    session: Session, project: Project, sources: Sequence[AnySource], learnt: Learnt = NOTHING_LEARNT
) -> Holdings:
    """All that buying has brought so far; `sources`: the project's, whose rates tell what open orders still bring.
    learnt: what runs say of them. What came from a source of which the quality is not known for sure counts by what is
    known now, all else as it was ordered."""
    orders = round_store.orders_of_project(session, project.id)
    totals = totals_of_orders(session, project.id)
    tallies: dict[int, Tally] = {}
    for order in orders:
        tallies.setdefault(order.source_id, Tally()).add(order, totals.get(order.id, Totals()))
    records = {source.id: record_of(source, tallies.get(source.id, Tally()), learnt) for source in sources}
    return Holdings(
        collected=as_known_now(collected_counts(session, project.id), tallies, records),
        awaited=awaited_counts(orders, totals, records),
        tallies=tallies,
        known={source.id: (source, records[source.id]) for source in sources},
        money=money_of_project(session, project.id),
        rounds=round_store.count_accepted(session, project.id),
        learnt=learnt,
    )


def as_known_now(
    collected: dict[int, Collected], tallies: Mapping[int, Tally], records: Mapping[int, SourceRecord]
) -> dict[int, Collected]:
    """What orders brought by group id, where the quality of sources is not known for sure by what is known now."""
    found = dict(collected)
    for source_id, record in records.items():
        for group_id, one in () if record.quality.is_exact else tallies.get(source_id, Tally()).accepted_of.items():
            more = record.quality.mean * one.count - one.effective
            found[group_id] = Collected(found[group_id].count, max(0.0, found[group_id].effective + more))
    return found


def record_of(source: AnySource, tally: Tally, learnt: Learnt) -> SourceRecord:
    groups = [one.group_id for one in source.yields]
    delivered = [tally.delivered.get(group_id, 0) for group_id in groups]
    rates = yields([one.share for one in source.yields], delivered, tally.total - sum(delivered))
    return SourceRecord(
        ordered=tally.ordered,
        accepted=tally.accepted,
        rejected=tally.rejected,
        acceptance=acceptance(source.acceptance_rate, tally.accepted, tally.rejected),
        yields=dict(zip(groups, rates, strict=True)),
        quality=learnt.quality(source.key, worth_of(source)),
    )


def awaited_counts(
    orders: Sequence[Order], totals: dict[UUID, Totals], records: dict[int, SourceRecord]
) -> dict[int, Awaited]:
    """What open orders still owe, at the rates the sources proved to have (those of the order where its source is
    gone), and what waits for review at the acceptance rate."""
    found: dict[int, Awaited] = {}
    for order in orders:
        if order.state not in round_store.OPEN_ORDERS:
            continue
        mine, record = totals.get(order.id, Totals()), records.get(order.source_id)
        rate = record.acceptance.mean if record else order.acceptance_rate
        shares = {group_id: one.mean for group_id, one in record.yields.items()} if record else stated_yields(order)
        quality = record.quality.mean if record and not record.quality.is_exact else order.quality
        owed = max(0, order.quantity - mine.delivered)
        for group_id in shares.keys() | {group for group, state in mine.counts if state == "pending" and group}:
            samples = rate * (owed * shares.get(group_id, 0.0) + mine.counts.get((group_id, "pending"), 0))
            before = found.get(group_id, Awaited())
            found[group_id] = Awaited(before.count + samples, before.effective + quality * samples)
    return found


def stated_yields(order: Order) -> dict[int, float]:
    return {int(group_id): float(share) for group_id, share in order.yields.items()}
