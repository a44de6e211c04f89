"""The groups of a plan as whoever signs it reads them: why each gets what it gets, and sums where there are many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.services.signing.members import Answer, Members
from app.services.signing.words import named

MOST_LEVELS = 12
"""Of an attribute whose levels are summed: one with more tells groups apart instead of putting them together."""


@dataclass(frozen=True)
class Fold:
    """Groups that have something in common, in sums: how many, how many of them get something, what they get. now,
    after: means of their metric by the groups' weights, None where nothing is known of it."""

    name: str
    groups: int
    bought: int
    add: int
    cost: Decimal
    now: float | None
    after: float | None

    @classmethod
    def of(cls, name: str, rows: Sequence[Answer], members: Members) -> "Fold":
        return cls(
            name,
            groups=len(rows),
            bought=sum(1 for one in rows if one["add"]),
            add=sum(one["add"] for one in rows),
            cost=sum((Decimal(one["cost"]) for one in rows), Decimal(0)),
            now=_mean(rows, "metric_now", members),
            after=_mean(rows, "metric_after", members),
        )


def _mean(rows: Sequence[Answer], name: str, members: Members) -> float | None:
    known = [(members.weights.get(one["group"], 1.0), one[name]["mean"]) for one in rows if one[name]]
    whole = sum(weight for weight, _ in known)
    return sum(weight * value for weight, value in known) / whole if whole else None


def folded(rows: Sequence[Answer], members: Members) -> dict[str, list[Fold]]:
    """By attribute, a row for each of its levels, the dearest first; attributes of one level or of too many are left
    out, and so are those that not every group has."""
    found: dict[str, list[Fold]] = {}
    names = sorted({name for one in members.attributes.values() for name in one})
    for name in names:
        levels = levels_of(rows, name, members.attributes)
        if 1 < len(levels) <= MOST_LEVELS:
            some = [Fold.of(level, part, members) for level, part in levels.items()]
            found[name] = sorted(some, key=lambda one: (-one.cost, one.name))
    return found


def levels_of(
    rows: Sequence[Answer], attribute: str, attributes: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[Answer]]:
    """The rows by their group's level of an attribute; none where a group lacks it."""
    found: dict[str, list[Answer]] = {}
    for one in rows:
        told = attributes.get(one["group"], {}).get(attribute)
        if told is None:
            return {}
        found.setdefault(str(told), []).append(one)
    return found


def spread(rows: Sequence[Answer]) -> str:
    """ "77 groups get something, 223 nothing"."""
    bought = sum(1 for one in rows if one["add"])
    groups = f"{bought:,} group{'' if bought == 1 else 's'} get{'s' if bought == 1 else ''} something"
    return groups if bought == len(rows) else f"{groups}, {len(rows) - bought:,} nothing"


def reasons_of(answer: Answer, members: Members) -> dict[str, str]:
    """By group, why it gets what it gets: with an order that feeds several groups nobody chose its share."""
    ordered = [one["source"] for one in answer["sources"] if one["order"]]
    feeding: dict[str, list[str]] = {}
    for source in ordered:
        for group in members.feeds.get(source, ()):
            feeding.setdefault(group, []).append(source)

    def reason(one: Answer) -> str:
        given = feeding.get(one["group"], ())
        if not one["add"] or not given or any(len(members.feeds[source]) == 1 for source in given):
            return str(one["reason"])
        return f"Comes with {named([members.source(source) for source in given])}."

    return {one["group"]: reason(one) for one in answer["groups"]}
