"""Observations: what was measured after a training run. All of a request is stored, or nothing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Fault, HoldoutRetired, KeyTaken, NotFound, invalid, refuse
from app.planner.wording import Warning
from app.services.curves.fit import metric_of
from app.services.ids import as_uuid, new_id
from app.services.observations.alike import repeated, said_hash, trained_hash
from app.services.observations.doubts import doubtful_groups, units_of
from app.services.observations.drafts import Draft
from app.services.projects.changes import MAX_FAULTS, touch
from app.store import observations as store
from app.store.member_rows import source_rows
from app.store.models.observations import Observation
from app.store.models.projects import Project
from app.store.observations import CountedGroup, NewRun
from app.store.reading import find

MAX_OBSERVATIONS = 10_000
DEFAULT_HOLDOUT = "default"


@dataclass(frozen=True)
class Accepted:
    """`stored` are the runs that were not there yet; `warnings` say what deserves a second look."""

    stored: tuple[NewRun, ...]
    duplicates: int
    warnings: tuple[Warning, ...]


def accept(
    session: Session, project: Project, drafts: Sequence[Draft], missing_is_zero: bool, now: datetime
) -> Accepted:
    """Store the runs. Raises Invalid naming every bad item, HoldoutRetired, KeyTaken for an external id with
    other content."""
    if len(drafts) > MAX_OBSERVATIONS:
        raise invalid(Fault("", f"{len(drafts):,} observations; send at most {MAX_OBSERVATIONS:,} in one request"))
    groups = {group.key: group for group in store.counted_groups(session, project.id)}
    active = {key: group for key, group in groups.items() if group.archived_at is None}
    if missing_is_zero:
        for draft in drafts:
            draft.counts = {**dict.fromkeys(active, 0), **draft.counts}
    fresh, taken = unseen(session, project, drafts)
    faults = [fault for draft in fresh for fault in draft_faults(project, active, groups, draft)]
    faults += origin_faults(session, project, groups, fresh)
    refuse(faults[:MAX_FAULTS])
    refuse_retired(project, fresh)
    if taken:
        raise KeyTaken(f"{taken[0].pointer}: {taken[0].detail}", tuple(taken[:MAX_FAULTS]))
    if not fresh:
        return Accepted((), len(drafts), ())
    # What is settled by a first run tells that there was one.
    first = all(group.first_run_count is None for group in groups.values())
    first = first and not store.has_observations(session, project.id)
    settle_first_counts(session, project, active, fresh)
    settle_reference_loss(project, active, fresh)
    touch(project, now)
    rows = tuple(stored(project, draft, now) for draft in fresh)
    repeats = repeated(session, project, rows)
    store.insert_runs(session, rows)
    session.flush()
    doubts = units_of(project, fresh) if first else []
    warnings = (*doubts, *doubtful_groups(session, project, active, fresh), *repeats)
    return Accepted(rows, len(drafts) - len(fresh), warnings)


def draft_faults(
    project: Project, active: Mapping[str, CountedGroup], groups: Mapping[str, CountedGroup], draft: Draft
) -> list[Fault]:
    faults = []
    for part, named in (("counts", draft.counts), ("metrics", draft.metrics)):
        for key in () if named.keys() <= active.keys() else named:
            if key not in active:
                why = "is archived; restore it or leave it out" if key in groups else "is no group of this project"
                faults.append(Fault(draft.place(part, key), f"'{key}' {why}"))
    missing = [] if active.keys() <= draft.counts.keys() else [key for key in active if key not in draft.counts]
    if missing:
        names = ", ".join(missing[:100])
        faults.append(
            Fault(
                draft.place("counts"),
                f"no count for: {names}. Give one, or take them as 0 with ?missing=zero",
            )
        )
    if not draft.metrics:
        faults.append(Fault(draft.place("metrics"), "no metric at all; measure at least one group"))
    return [*faults, *reading_faults(project, draft)]


def origin_faults(
    session: Session, project: Project, groups: Mapping[str, CountedGroup], drafts: Sequence[Draft]
) -> list[Fault]:
    """What of the samples' origin cannot be: unknown sources, ones that do not deliver to the group, and more from
    sources than there is in all. Archived sources delivered what they did."""
    named = {source for draft in drafts for source in draft.origin}
    if not named:
        return []
    known = {one.key: {share.group_id for share in one.yields}
             for one in source_rows(session, project.id, archived=None, keys=named)}  # fmt: skip
    faults = []
    for draft in drafts:
        total: dict[str, int] = {}
        for source, counts in draft.origin.items():
            if source not in known:
                faults.append(Fault(draft.place_of_source(source), f"there is no source '{source}' in this project"))
                continue
            for key, count in counts.items():
                total[key] = total.get(key, 0) + count
                if key in draft.counts and (key not in groups or groups[key].id not in known[source]):
                    detail = f"the source '{source}' does not deliver to '{key}'"
                    faults.append(Fault(draft.place_of_source(source, key), detail))
                elif key not in draft.counts:
                    faults.append(Fault(draft.place_of_source(source, key), f"'{key}' has no count in this run"))
        for key, count in total.items():
            if count > draft.counts.get(key, count):
                most = max((counts.get(key, 0), source) for source, counts in draft.origin.items())[1]
                detail = f"{count} samples of '{key}' came from sources, but the run was trained on {draft.counts[key]}"
                faults.append(Fault(draft.place_of_source(most), f"{detail} in all; lower one or raise the other"))
    return faults


def refuse_retired(project: Project, drafts: Sequence[Draft]) -> None:
    """Raises HoldoutRetired for runs on a holdout that the project retired."""
    retired = {name for name, said in (project.retired_holdouts or {}).items() if said["retired"]}
    faults = [
        Fault(draft.place("holdout"), f"the holdout '{holdout_of(draft)}' is retired; score the run on a fresh one")
        for draft in drafts
        if holdout_of(draft) in retired
    ]
    if faults:
        raise HoldoutRetired(f"{faults[0].pointer}: {faults[0].detail}.", tuple(faults[:MAX_FAULTS]))


def holdout_of(draft: Draft) -> str:
    return draft.holdout or DEFAULT_HOLDOUT


def reading_faults(project: Project, draft: Draft) -> list[Fault]:
    lower = -math.inf if project.metric_lower is None else project.metric_lower
    upper = math.inf if project.metric_upper is None else project.metric_upper
    return [
        Fault(
            draft.place("metrics", key),
            f"{reading.value:g} is not within the metric's bounds {lower:g} and {upper:g}",
        )
        for key, reading in draft.metrics.items()
        if not lower <= reading.value <= upper
    ]


def unseen(session: Session, project: Project, drafts: Sequence[Draft]) -> tuple[list[Draft], list[Fault]]:
    """The drafts without the repeats, and those whose external id was used for another run."""
    ids = [draft.external_id for draft in drafts if draft.external_id is not None]
    seen = store.content_of_external_ids(session, project.id, ids)
    stored_names = store.runs_without_external_id(session, project.id, [one for one in ids if one not in seen])
    fresh: list[Draft] = []
    doubtful: list[tuple[Draft, str]] = []
    for draft in drafts:
        name, content = draft.external_id, draft.content
        if name is None or (name not in seen and name not in stored_names):
            fresh.append(draft)
            if name is not None:
                seen[name] = content
        elif seen.get(name) != content:
            doubtful.append((draft, name))
    rows = {**stored_names, **store.runs_of_external_ids(session, project.id, [name for _, name in doubtful])}
    faults = [
        Fault(draft.place("external_id"), f"external_id '{name}' was used for another run; give this one its own")
        for draft, name in doubtful
        if name not in rows or not is_repeat(project, draft, rows[name])
    ]
    return fresh, faults


def is_repeat(project: Project, draft: Draft, row: Observation) -> bool:
    """Whether the draft says what is stored: as it was posted but for counts of 0, or as an export says it, with the
    defaults filled in and instants in whole seconds."""
    if without_zeros(draft.counts) != without_zeros(row.counts) or draft.origin != (row.origin or {}):
        return False
    if replace(draft, counts=row.counts).content == row.content_hash:
        return True
    observed_at = draft.observed_at
    return (
        observed_at is not None
        and observed_at.replace(microsecond=0) == row.observed_at.replace(microsecond=0)
        and holdout_of(draft) == row.holdout
        and (draft.recipe or project.recipe) == row.recipe
        and draft.candidates == row.chosen_from
        and stated_metrics(draft) == row.metrics
    )


def without_zeros(counts: Mapping[str, int]) -> dict[str, int]:
    return {key: count for key, count in counts.items() if count}


def stated_metrics(draft: Draft) -> dict[str, dict[str, float]]:
    """As they are stored: without what was not said."""
    return {
        key: {name: part for name, part in vars(reading).items() if part is not None}
        for key, reading in draft.metrics.items()
    }


def stored(project: Project, draft: Draft, now: datetime) -> NewRun:
    holdout, metrics = holdout_of(draft), stated_metrics(draft)
    return NewRun(
        id=new_id(),
        project_id=project.id,
        external_id=draft.external_id,
        content_hash=draft.content,
        trained_hash=trained_hash(holdout, draft.counts, draft.origin),
        said_hash=said_hash(metrics),
        counts=draft.counts,
        metrics=metrics,
        origin=draft.origin or None,
        holdout=holdout,
        recipe=draft.recipe or project.recipe,
        chosen_from=draft.candidates,
        observed_at=draft.observed_at or now,
        created_at=now,
        data_version=project.data_version,
    )


def settle_first_counts(
    session: Session, project: Project, active: Mapping[str, CountedGroup], fresh: Sequence[Draft]
) -> None:
    """What is held of each group when its first runs come: at least what they were trained on."""
    new = [group for group in active.values() if group.first_run_count is None]
    if new:
        most = {group.id: max(draft.counts[group.key] for draft in fresh) for group in new}
        above = {group.id: most[group.id] for group in new if most[group.id] > group.initial_count}
        store.settle_first_counts(session, project.id, above)


def settle_reference_loss(project: Project, active: Mapping[str, CountedGroup], fresh: Sequence[Draft]) -> None:
    """Where a bound is open, losses are divided by one number: the weighted mean loss of the first data
    version, then fixed (method.md 5). Each group enters with its run of most samples."""
    if project.reference_loss is not None or (project.metric_lower is not None and project.metric_upper is not None):
        return
    metric = metric_of(project)
    latest: dict[str, tuple[int, float]] = {}
    for draft in fresh:
        for key, reading in draft.metrics.items():
            point = (draft.counts[key], float(metric.to_loss(np.array(reading.value))))
            latest[key] = max(latest.get(key, point), point)
    weights = {key: active[key].weight for key in latest}
    total = sum(weights.values())
    mean = sum(weights[key] * latest[key][1] for key in latest) / total if total else 0.0
    project.reference_loss = mean if mean > 0 else None


def get_observation(session: Session, project: Project, observation_id: str) -> Observation:
    """The project's observation. Raises NotFound."""
    row = find(session, Observation, project_id=project.id, id=as_uuid(observation_id))
    if row is None:
        raise NotFound("There is no such observation in this project.")
    return row


def void(project: Project, observation: Observation, reason: str, now: datetime) -> None:
    """Take an observation out of every fit, keeping it with the reason. A second time changes nothing."""
    if observation.voided_at is None:
        observation.voided_at = now
        observation.void_reason = reason
        touch(project, now)
        observation.voided_version = project.data_version
