"""What of runs that were taken deserves a second look."""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from app.planner.wording import Warning
from app.services.curves.readings import standard_error
from app.services.ledger.holdings import NONE_COLLECTED
from app.services.observations.drafts import Draft
from app.store.ledger import collected_counts
from app.store.models.projects import Project
from app.store.observations import CountedGroup

EDGE = 0.01
"""The share of the metric's span at either end in which a whole first post is doubted."""


def units_of(project: Project, fresh: Sequence[Draft]) -> list[Warning]:
    """Values that all lie in the lowest or all in the highest hundredth of the bounds are most likely in another unit
    than these."""
    lower, upper = project.metric_lower, project.metric_upper
    values = [reading.value for draft in fresh for reading in draft.metrics.values()]
    if lower is None or upper is None or not values:
        return []
    least, most = min(values), max(values)
    low = most <= lower + EDGE * (upper - lower)
    if not low and least < upper - EDGE * (upper - lower):
        return []
    detail = (
        f"Every value lies in the {'lowest' if low else 'highest'} hundredth of the metric's bounds {lower:g} to"
        f" {upper:g}, from {least:g} to {most:g}: are values and bounds in one unit, percent or fractions?"
        " If not, make a project with the right bounds."
    )
    return [Warning("units", detail)]


def doubtful_groups(
    session: Session, project: Project, active: Mapping[str, CountedGroup], fresh: Sequence[Draft]
) -> tuple[Warning, ...]:
    """One warning per kind and group, whatever the number of runs."""
    held = held_of_doubtful(session, project, active, fresh)
    found: dict[tuple[str, str], Warning] = {}
    for draft in fresh:
        for key, count in draft.counts.items() if held else ():
            if key in held and count > held[key]:
                detail = (
                    f"a run was trained on {count} samples of '{key}', but {held[key]} are held; "
                    "record what was delivered, or PATCH the group's initial_count"
                )
                found.setdefault(("counts_exceed_held", key), Warning("counts_exceed_held", detail, key))
        for key, reading in draft.metrics.items():
            if standard_error(project, reading) is None:
                detail = f"no standard error for '{key}': it is learnt from the scatter; give stderr" + (
                    " or eval_size" if project.metric_kind == "proportion" else ""
                )
                found.setdefault(("stderr_unknown", key), Warning("stderr_unknown", detail, key))
    return tuple(found.values())


def held_of_doubtful(
    session: Session, project: Project, active: Mapping[str, CountedGroup], fresh: Sequence[Draft]
) -> dict[str, int]:
    """By key: what is held of each group of which a run was trained on more than was there at the start. Only where
    there is one, the ledger is added up."""
    above = {key for draft in fresh for key, count in draft.counts.items() if count > active[key].initial_count}
    if not above:
        return {}
    collected = collected_counts(session, project.id)
    groups = [active[key] for key in above]
    return {one.key: one.initial_count + collected.get(one.id, NONE_COLLECTED).count for one in groups}
