"""What charts of learning curves draw: plain mappings and lists, as app/charts/curves describes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from app.planner.plan import GroupPlan
from app.services.computing import Work, computed
from app.services.curves.fits import Fits
from app.services.forecasts.curves import BEYOND, Curve, Known, known_curves
from app.services.planning.situations import answer_key
from app.store.models.projects import Group, Project

STEPS = 24
"""Counts at which a curve is drawn."""
NORMAL_95 = 1.645
"""Error bars hold 90 %, as bands do."""
MARGIN = 0.06
"""Room above and below a curve, as a share of the axis."""


@dataclass(frozen=True)
class CurveView:
    """Which groups' curves to draw, and how: `plans` says where each group stands and what it adds, by its key."""

    shown: Sequence[Group]
    plans: Mapping[str, GroupPlan]
    draws: int = 300
    seed: int = 0


def curve_panels(session: Session, fits: Fits, project: Project, view: CurveView) -> list[dict[str, Any]]:
    """A panel per group shown, on one axis, each with the others' curves behind it."""
    known = known_curves(session, fits, project, view.draws, view.seed)
    plans = [repr(view.plans[group.key]) for group in view.shown]
    key = answer_key("panels", project, [view.draws, view.seed, *plans])
    return computed(session, key, Work(len(view.shown) * view.draws, lambda: panels_of(project, known, view)))


def panels_of(project: Project, known: Known, view: CurveView) -> list[dict[str, Any]]:
    panels = []
    for group in view.shown:
        plan = view.plans[group.key]
        curve = known.curve(group, counts_of(known.curve(group), plan))
        panels.append(panel_of(project, group, curve, plan))
    domain = shared_domain(panels)
    behind = {panel["group"]: others_of(panel) for panel in panels}
    return [
        {
            **panel,
            "domain": domain,
            "others": [row for key, rows in behind.items() if key != panel["group"] for row in rows],
        }
        for panel in panels
    ]


def counts_of(curve: Curve, plan: GroupPlan) -> list[int]:
    """Counts on a logarithmic spread, and each at which something is marked."""
    measured = [point.count for point in curve.points]
    marked = {plan.count_now, plan.count_after, *([max(measured)] if measured else [])}
    least = max(1, min([one for one in (*measured, plan.count_now) if one > 0], default=1))
    largest = max(*marked, 16) * (BEYOND / 2)
    spread = np.geomspace(min(least, largest / 2), largest, STEPS)
    return sorted({int(count) for count in np.round(spread)} | marked)


def panel_of(project: Project, group: Group, curve: Curve, plan: GroupPlan) -> dict[str, Any]:
    """Where the group stands now and after is the plan's own word, so that no table says otherwise."""
    bands = [(count, one.mean, one.quantiles["p05"], one.quantiles["p95"]) for count, one in curve.bands]
    return {
        "group": group.key,
        "name": group.name or group.key,
        "metric": project.metric_name,
        "now": {"count": plan.count_now, "mean": plan.metric_now.mean},
        "after": {"count": plan.count_after, "mean": plan.metric_after.mean} if plan.add else None,
        "pending": plan.pending,
        "add": plan.add,
        "target": group.target,
        "measured_to": max((point.count for point in curve.points), default=0),
        "band": [{"count": count, "mean": mean, "p05": p05, "p95": p95} for count, mean, p05, p95 in bands],
        "points": [
            {
                "count": point.count,
                "value": point.value,
                "low": None if point.stderr is None else point.value - NORMAL_95 * point.stderr,
                "high": None if point.stderr is None else point.value + NORMAL_95 * point.stderr,
            }
            for point in curve.points
        ],
    }


def others_of(panel: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The curve as it stands behind others': every third count is enough for a faint line."""
    rows = panel["band"]
    kept = [*rows[:-1:3], *rows[-1:]]
    return [{"group": panel["group"], "count": row["count"], "mean": row["mean"]} for row in kept]


def shared_domain(panels: Sequence[Mapping[str, Any]]) -> list[float]:
    """The lowest and the highest value that any of the panels shows, with some room."""
    values = [row["mean"] for panel in panels for row in panel["band"]]
    values += [point["value"] for panel in panels for point in panel["points"]]
    values += [panel["target"] for panel in panels if panel["target"] is not None]
    values += [row[name] for panel in panels for row in panel["band"][-6:] for name in ("p05", "p95")]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = MARGIN * (high - low) or 0.5
    return [low - room, high + room]
