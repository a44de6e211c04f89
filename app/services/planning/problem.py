"""From rows to the planner's arrays: curves and the next allocation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from app.errors import Fault, invalid
from app.money import millionths, minor_unit
from app.planner.arrays import FloatArray
from app.planner.curves import Posterior
from app.planner.problem import Limit, Problem, Tier
from app.planner.problem import Source as PlannerSource
from app.planner.utility import KINDS, Objective, Stakeholder, parse
from app.services.curves.fit import metric_of
from app.services.ledger.holdings import Holdings, SourceRecord
from app.services.ledger.terms import price_of, tiers_of
from app.services.licences import judge
from app.services.projects.attributes import is_of
from app.services.projects.references import over_of
from app.services.projects.sources import lot_of
from app.store.member_rows import AnyGroup, AnySource
from app.store.models.projects import Project

LEAST_QUALITY = 1e-6
"""Samples that are worth less, or do harm, are not ordered."""


@dataclass(frozen=True)
class Budget:
    """The round's money: what may be spent now, and what is left of the project's total before it."""

    available: Decimal
    remaining: Decimal


def problem_of(
    project: Project,
    groups: Sequence[AnyGroup],
    sources: Sequence[AnySource],
    holdings: Holdings,
    posterior: Posterior,
    budget: Budget,
    hold: Mapping[str, int],
) -> Problem:
    """The planner's problem; `hold` fixes this round's orders of the named sources. Those that the project's licence
    rule excludes are in it, with no orders allowed.

    Raises Invalid where the objective, or a stakeholder's, is about targets and no group that it weighs has one.
    """
    stocks = [holdings.stock(group) for group in groups]
    keys = tuple(group.key for group in groups)
    place = {group.id: position for position, group in enumerate(groups)}
    risk = project.objective.get("risk") or 1.0
    offers = tuple(
        planner_source(
            source,
            place,
            holdings.record(source),
            hold.get(source.key),
            risk,
            excluded=bool(judge(project.licence_rule, source)[0]),
        )
        for source in sources
    )
    targeted = {group.key: group.weight for group in groups if group.target is not None}
    check_target(project.objective, targeted, "/objective/kind")
    for at, one in enumerate(project.stakeholders):
        weights = targeted if one["weights"] is None else {key: one["weights"].get(key, 0.0) for key in targeted}
        check_target(one["objective"], weights, f"/stakeholders/{at}/objective/kind")
    return Problem(
        keys=keys,
        weights=np.array([group.weight for group in groups]),
        held=np.array([one.held.effective for one in stocks], dtype=np.float64),
        raw=np.array([one.held.raw for one in stocks], dtype=np.float64),
        targets=numbers([group.target for group in groups]),
        reference_loss=np.array([group.reference_loss or project.reference_loss or 1.0 for group in groups]),
        metric=metric_of(project),
        objective=planner_objective(project.objective, keys),
        stakeholders=tuple(planner_stakeholder(one, keys) for one in project.stakeholders),
        posterior=posterior,
        sources=offers,
        budget=millionths(budget.available),
        pending=np.array([one.awaited.effective for one in stocks], dtype=np.float64),
        pending_raw=np.array([one.awaited.count for one in stocks], dtype=np.float64),
        min_count=numbers([group.min_count for group in groups]),
        max_count=numbers([group.max_count for group in groups]),
        limits=planner_limits(project.set_limits, [offer.key for offer in offers], groups),
        payable=minor_unit(project.currency),
    )


def numbers(values: Sequence[float | None]) -> FloatArray:
    """nan stands for None."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def planner_objective(objective: Mapping[str, Any], keys: Sequence[str]) -> Objective:
    parameters = {name: value for name, value in objective.items() if name != "kind"}
    return parse(objective["kind"], parameters, keys)


def check_target(objective: Mapping[str, Any], weights: Mapping[str, float], at: str) -> None:
    """weights: of the groups with a target. Raises Invalid where the objective is about targets and none counts."""
    kind = objective["kind"]
    if KINDS[kind].needs_target and not any(weight > 0 for weight in weights.values()):
        detail = f"the objective {kind!r} needs a group with a weight above 0 and a target; give one a target"
        raise invalid(Fault(at, detail))


def planner_stakeholder(stakeholder: Mapping[str, Any], keys: Sequence[str]) -> Stakeholder:
    weights = stakeholder["weights"]
    return Stakeholder(
        name=stakeholder["name"],
        objective=planner_objective(stakeholder["objective"], keys),
        weights=None if weights is None else tuple(float(weights.get(key, 0.0)) for key in keys),
    )


def planner_limits(
    limits: Sequence[Mapping[str, Any]], sources: Sequence[str], groups: Sequence[AnyGroup]
) -> tuple[Limit, ...]:
    """Raises Invalid where no group has the attributes of a limit any longer."""
    places = {
        "sources": {key: place for place, key in enumerate(sources)},
        "groups": {group.key: place for place, group in enumerate(groups)},
    }
    found = []
    for index, limit in enumerate(limits):
        where = limit.get("where")
        named = limit if where is None else {**limit, "groups": [one.key for one in groups if is_of(one, where)]}
        if where is not None and not named["groups"]:
            detail = "no group has these attributes any longer; take the limit out, or give them to a group"
            raise invalid(Fault(f"/set_limits/{index}/where", detail))
        found.append(planner_limit(named, places))
    return tuple(found)


def planner_limit(limit: Mapping[str, Any], places: Mapping[str, Mapping[str, int]]) -> Limit:
    over: Literal["groups", "sources"] = over_of(limit)
    place = places[over]
    share_of = limit.get("share_of")

    def bound(value: str | float | None) -> float | None:
        if value is None or limit["measure"] != "cost":
            return value if value is None else float(value)
        return float(millionths(Decimal(value)))

    return Limit(
        name=limit["name"],
        over=over,
        members=tuple(place[key] for key in limit[over]),
        measure=limit["measure"],
        share_of=None if share_of is None else tuple(place[key] for key in share_of),
        minimum=bound(limit.get("min")),
        maximum=bound(limit.get("max")),
    )


def planner_source(
    source: AnySource, place: Mapping[int, int], record: SourceRecord, order: int | None, risk: float, *, excluded: bool
) -> PlannerSource:
    """The offer at the rates its deliveries and runs showed. `place`: a group's position by its id; what the source
    delivers of archived groups is of no use. `order`: what this round's order is held at. `risk`: acceptance and
    quality are the mean of their worst such share, as utilities are: for certain, that is their own where it is 1.
    `excluded`: by the licence rule."""
    quality = record.quality.worst(risk)
    harms = quality < LEAST_QUALITY
    return PlannerSource(
        key=source.key,
        yields=tuple(
            sorted((place[group_id], rate.mean) for group_id, rate in record.yields.items() if group_id in place)
        ),
        unit_cost=millionths(price_of(source)),
        min_order=source.min_order,
        max_order=0 if harms and order is None else source.max_order,
        lot_size=lot_of(source),
        tiers=tuple(Tier(start, millionths(price)) for start, price in tiers_of(source)),
        fixed_cost=millionths(source.fixed_cost),
        max_total=source.max_total,
        ordered=record.ordered,
        project_tiers=source.tier_scope == "project",
        acceptance_rate=record.acceptance.worst(risk),
        quality=LEAST_QUALITY if harms else quality,
        quality_variance=record.quality.variance,
        acceptance_weight=None if record.acceptance.failure <= 0.0 else record.acceptance.weight,
        billed="accepted" if source.billed == "accepted" else "delivered",
        fixed_order=order,
        excluded=excluded,
    )
