"""What is held of every level of the groups' attributes, beside the population's shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from itertools import combinations, product
from math import isnan
from typing import Literal

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Fault, invalid, refuse
from app.planner.arrays import FloatArray
from app.planner.representation import Margin, effective_size, growth, rake, standardised
from app.planner.wording import Warning
from app.services.ledger.holdings import Holdings, holdings_of
from app.services.ledger.terms import price_of
from app.services.licences import judge
from app.services.projects.attributes import JOINS, Levels, level_of, levels_of
from app.store.member_rows import GroupRow, SourceRow, group_rows, source_rows
from app.store.models.projects import Project

MOST_ATTRIBUTES = 6
MOST_LEVELS = 40
"""Levels of an attribute: two of them have 1,600 pairs of levels."""
LEAST_MONEY = Decimal("0.000001")
PER = 1_000
"""Money by which what helps most is told."""


@dataclass(frozen=True)
class RepresentationQuestion:
    """attributes: None: those of the population, or where it is not said all that groups have. pairs: also two at a
    time."""

    attributes: tuple[str, ...] | None = None
    pairs: bool = False


@dataclass(frozen=True)
class LevelStanding:
    """A level of one attribute or of two: samples held, their share, the population's, the standardised difference, and
    what a sample of it weighs on average (None where no weights are)."""

    attributes: tuple[str, ...]
    level: str
    held: int
    share: float | None
    target: float | None
    difference: float | None
    weight: float | None


@dataclass(frozen=True)
class Hole:
    """A level of which no sample is held: no group has it, or its groups have no samples."""

    attributes: tuple[str, ...]
    level: str
    target: float | None
    because: Literal["no_group", "no_samples"]


@dataclass(frozen=True)
class GroupWeight:
    group: str
    weight: float | None


@dataclass(frozen=True)
class NextSample:
    """What samples of the group cost from the cheapest source (None: no source offers any), and by how much the
    effective size grows by one, and by those that 1,000 of the currency buy."""

    group: str
    unit_cost: Decimal | None
    effective_size_per_sample: float
    effective_size_per_1000: float | None


@dataclass(frozen=True)
class Representation:
    size: int
    effective_size: float | None
    levels: Sequence[LevelStanding]
    groups: Sequence[GroupWeight]
    holes: Sequence[Hole]
    overlaps: Sequence[Sequence[str]]
    next: Sequence[NextSample]
    warnings: Sequence[Warning]


@dataclass(frozen=True)
class Target:
    """The population's shares by level of these attributes; by key of group where there are none."""

    attributes: tuple[str, ...]
    shares: Mapping[str, float]


def representation_of(session: Session, project: Project, question: RepresentationQuestion) -> Representation:
    """Raises Invalid for attributes that no group has, or that have too many levels."""
    groups = group_rows(session, project.id)
    sources = source_rows(session, project.id)
    holdings = holdings_of(session, project, sources)
    held = np.array([holdings.stock(group).raw_count for group in groups], dtype=np.float64)
    targets = [Target(tuple(one["attributes"]), one["shares"]) for one in project.population] or by_weight(groups)
    levels = levels_of(groups)
    asked = asked_attributes(project, question, levels)
    names = [(one,) for one in asked] + (list(combinations(asked, 2)) if question.pairs else [])
    margins = [margin_of(groups, one) for one in targets]
    raked = rake(held, margins) if margins and held.sum() > 0.0 else None
    weight = None if raked is None else raked.weight
    told = [standing for one in names for standing in standings(groups, held, weight, one, targets)]
    return Representation(
        size=int(held.sum()),
        effective_size=None if weight is None else effective_size(held, weight),
        levels=told,
        groups=[
            GroupWeight(group.key, None if isnan(one) else one)
            for group, one in zip(groups, nothing(groups) if weight is None else weight.tolist(), strict=True)
        ],
        holes=holes_of(groups, held, names, levels, targets),
        overlaps=overlaps_of(groups),
        next=[] if weight is None else next_samples(project, groups, sources, holdings, held, weight),
        warnings=warnings_of(groups, held, targets, margins, None if raked is None else raked.state),
    )


def nothing(groups: Sequence[GroupRow]) -> list[float]:
    return [float("nan")] * len(groups)


def by_weight(groups: Sequence[GroupRow]) -> list[Target]:
    """The groups' weights as the population's shares, where any is above 0."""
    total = sum(group.weight for group in groups)
    return [Target((), {group.key: group.weight / total for group in groups})] if total > 0.0 else []


def asked_attributes(project: Project, question: RepresentationQuestion, levels: Levels) -> tuple[str, ...]:
    """Raises Invalid."""
    asked = question.attributes
    if asked is None:
        said = [name for one in project.population for name in one["attributes"] if name in levels]
        asked = tuple(dict.fromkeys(said)) or tuple(sorted(levels))
    faults = [Fault("?attributes", f"no group has the attribute '{name}'") for name in asked if name not in levels]
    faults += [
        Fault("?attributes", f"'{name}' has {len(levels[name])} levels; ask for attributes of at most {MOST_LEVELS}")
        for name in asked
        if len(levels.get(name, ())) > MOST_LEVELS
    ]
    refuse(faults)
    if len(asked) > MOST_ATTRIBUTES:
        raise invalid(Fault("?attributes", f"ask for at most {MOST_ATTRIBUTES} attributes: there are {len(asked)}"))
    return tuple(dict.fromkeys(asked))


def level_in(group: GroupRow, target: Target) -> str | None:
    return level_of(group, target.attributes) if target.attributes else group.key


def margin_of(groups: Sequence[GroupRow], target: Target) -> Margin:
    """The target with a place for each level that it names or a group has; those that it does not name have no
    share."""
    levels = [level_in(group, target) for group in groups]
    place = {name: at for at, name in enumerate(dict.fromkeys([*target.shares, *(one for one in levels if one)]))}
    share = np.array([target.shares.get(name, 0.0) for name in place])
    return Margin(np.array([-1 if one is None else place[one] for one in levels]), share / share.sum())


def standings(
    groups: Sequence[GroupRow],
    held: FloatArray,
    weight: FloatArray | None,
    attributes: tuple[str, ...],
    targets: Sequence[Target],
) -> list[LevelStanding]:
    """Of each level that a group has or a target names. Shares are of the groups that say these attributes."""
    members: dict[str, list[int]] = {}
    for at, group in enumerate(groups):
        level = level_of(group, attributes)
        if level is not None:
            members.setdefault(level, []).append(at)
    shares = target_of(groups, attributes, targets)
    all_held = sum(float(held[at].sum()) for at in members.values())
    found = []
    for level in sorted(members.keys() | {name for name, share in (shares or {}).items() if share > 0.0}):
        mine = members.get(level, [])
        count = float(held[mine].sum())
        share = count / all_held if all_held else None
        target = None if shares is None else shares.get(level, 0.0)
        found.append(
            LevelStanding(
                attributes,
                level,
                int(count),
                share,
                target,
                standardised(share, target) if share is not None and target is not None else None,
                float(np.nansum(held[mine] * weight[mine]) / count) if weight is not None and count else None,
            )
        )
    return found


def target_of(
    groups: Sequence[GroupRow], attributes: tuple[str, ...], targets: Sequence[Target]
) -> dict[str, float] | None:
    """The population's shares of the levels of these attributes, as one target says them or adds up to them; None where
    none does."""
    for one in targets:
        if set(one.attributes) == set(attributes):
            return added_up(one, attributes)
    for one in targets:
        if not one.attributes:
            return of_groups(groups, attributes, one)
        if set(attributes) < set(one.attributes):
            return added_up(one, attributes)
    return None


def added_up(target: Target, attributes: tuple[str, ...]) -> dict[str, float]:
    places = [target.attributes.index(name) for name in attributes]
    found: dict[str, float] = {}
    for text, share in target.shares.items():
        parts = text.split(JOINS) if len(target.attributes) > 1 else [text]
        level = JOINS.join(parts[at] for at in places)
        found[level] = found.get(level, 0.0) + share
    return shared(found)


def of_groups(groups: Sequence[GroupRow], attributes: tuple[str, ...], target: Target) -> dict[str, float] | None:
    found: dict[str, float] = {}
    for group in groups:
        level = level_of(group, attributes)
        if level is not None:
            found[level] = found.get(level, 0.0) + target.shares[group.key]
    return shared(found) if sum(found.values()) > 0.0 else None


def shared(found: Mapping[str, float]) -> dict[str, float]:
    total = sum(found.values())
    return {name: share / total for name, share in found.items()}


def holes_of(
    groups: Sequence[GroupRow],
    held: FloatArray,
    names: Sequence[tuple[str, ...]],
    levels: Levels,
    targets: Sequence[Target],
) -> list[Hole]:
    """Levels asked for, and levels that have a share of the population, of which no sample is held."""
    more = [one.attributes for one in targets if one.attributes and one.attributes not in names]
    found = []
    for attributes in [*names, *more]:
        count: dict[str, float] = {}
        for group, samples in zip(groups, held.tolist(), strict=True):
            level = level_of(group, attributes)
            if level is not None:
                count[level] = count.get(level, 0.0) + samples
        shares = target_of(groups, attributes, targets)
        cells = {name for name, share in (shares or {}).items() if share > 0.0}
        if attributes in names:
            cells |= {JOINS.join(one) for one in product(*(levels[name] for name in attributes))}
        for level in sorted(cells):
            if not count.get(level):
                target = None if shares is None else shares.get(level, 0.0)
                found.append(Hole(attributes, level, target, "no_samples" if level in count else "no_group"))
    return found


def overlaps_of(groups: Sequence[GroupRow]) -> list[list[str]]:
    """Groups that have all their attributes in common."""
    found: dict[frozenset[tuple[str, str]], list[str]] = {}
    for group in groups:
        if group.attributes:
            found.setdefault(frozenset(group.attributes.items()), []).append(group.key)
    return [keys for keys in found.values() if len(keys) > 1]


def next_samples(
    project: Project,
    groups: Sequence[GroupRow],
    sources: Sequence[SourceRow],
    holdings: Holdings,
    held: FloatArray,
    weight: FloatArray,
) -> list[NextSample]:
    """What helps most per money first; groups that are not for sale last."""
    prices = cheapest(project, sources, holdings)
    found = []
    for group, gain in zip(groups, growth(held, weight).tolist(), strict=True):
        if isnan(gain):
            continue
        price = prices.get(group.id)
        found.append(NextSample(group.key, price, gain, None if price is None else gain * PER / float(price)))
    return sorted(found, key=lambda one: (-(one.effective_size_per_1000 or -1.0), -one.effective_size_per_sample))


def cheapest(project: Project, sources: Sequence[SourceRow], holdings: Holdings) -> dict[int, Decimal]:
    """By id of a group what an accepted sample of it costs from the cheapest source that the licence rule allows,
    before tiers and fixed costs."""
    found: dict[int, Decimal] = {}
    for source in sources:
        if judge(project.licence_rule, source)[0]:
            continue
        record = holdings.record(source)
        accepted = 1.0 if source.billed == "accepted" else record.acceptance.mean
        for group_id, rate in record.yields.items():
            share = accepted * rate.mean
            price = price_of(source)
            if share > 0.0 and price > 0:
                cost = (price / Decimal(share)).quantize(LEAST_MONEY, ROUND_UP)
                found[group_id] = min(cost, found.get(group_id, cost))
    return found


def warnings_of(
    groups: Sequence[GroupRow],
    held: FloatArray,
    targets: Sequence[Target],
    margins: Sequence[Margin],
    state: str | None,
) -> list[Warning]:
    found = []
    if not targets:
        found.append(Warning("no_population", "No group has a weight. Say the shares of the project's population."))
    if state == "disagree":
        detail = (
            "No weights of the samples held reach all shares of the population: they contradict each other, or need"
            " samples of levels together that are not held."
        )
        found.append(Warning("targets_disagree", detail))
    for target, margin in zip(targets, margins, strict=True):
        names = " and ".join(target.attributes)
        unsaid = int(held[margin.level < 0].sum())
        if unsaid:
            detail = f"{unsaid:,} samples are of groups that do not say {names}; its shares are of the others."
            found.append(Warning("attribute_unsaid", detail))
        for group, level, samples in zip(groups, margin.level.tolist(), held.tolist(), strict=True):
            wanted = level >= 0 and margin.share[level] > 0.0
            if not target.attributes and wanted and not samples:
                detail = "It has a weight and no samples, so that no weights make up for it. Collect some."
                found.append(Warning("unrepresented", detail, group.key))
            elif target.attributes and level >= 0 and not wanted and samples:
                detail = f"The population has no share for its {names}, so that its samples weigh nothing."
                found.append(Warning("outside_population", detail, group.key))
    return found
