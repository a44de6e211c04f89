"""The ledger of holdouts: what each was used for, and how far what it says can still be trusted."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Conflict, Infeasible, Invalid
from app.planner.holdouts import Reuse, listed, reuse_of
from app.planner.wording import number
from app.services.curves.fit import present_runs
from app.services.curves.fits import Fits
from app.services.curves.kept import kept
from app.services.curves.readings import standard_errors
from app.services.curves.runs import Runs
from app.services.planning.allocations import Allocation, AllocationQuestion, allocating
from app.services.planning.situations import answer_key
from app.store.member_rows import group_rows
from app.store.models.projects import Project
from app.store.observations import HoldoutUse
from app.store.rounds import accepted_at

State: TypeAlias = Literal["fresh", "used", "worn", "retired"]


@dataclass(frozen=True)
class GroupReuse:
    """What a holdout says of a group: the evaluation's size and standard error of the newest run that came in with a
    value on it, None where not stated; `reuse` is None where nothing is known of the error."""

    eval_size: int | None
    reuse: Reuse | None


@dataclass(frozen=True)
class Holdout:
    """A holdout as it was used. first_used: when its first run was measured. recipes: how many the runs are of.
    candidates: Σ chosen_from of its runs. rounds_decided: rounds accepted since its first run came in. groups: those
    that the present recipe's runs measured on it. advice: one sentence, None for a fresh one."""

    name: str
    first_used: datetime
    runs: int
    recipes: int
    candidates: int
    rounds_decided: int
    groups: Mapping[str, GroupReuse]
    state: State
    advice: str | None
    note: str | None = None

    @property
    def widest(self) -> tuple[str, Reuse] | None:
        """The group whose values are least sure, by its key; None where no error is known."""
        known = [(key, one.reuse) for key, one in self.groups.items() if one.reuse]
        return max(known, key=lambda one: one[1].half_width, default=None)


def holdouts_of(session: Session, fits: Fits, project: Project, uses: Sequence[HoldoutUse]) -> list[Holdout]:
    """The ledger's entries of `uses`, in their order. Where nothing can be planned, none is told to be worn."""
    if not uses:
        return []
    keys = [group.key for group in group_rows(session, project.id)]
    runs = present_runs(session, fits, project)
    decided = accepted_at(session, project.id)
    said = dict(project.retired_holdouts or {})
    chosen = any(use.compared > 1 and not said.get(use.name, {}).get("retired") for use in uses)
    plan = kept_plan(session, fits, project) if chosen else None
    return [
        entry(use, figures(project.metric_kind, runs, keys, use), decided, plan, said.get(use.name, {})) for use in uses
    ]


def kept_plan(session: Session, fits: Fits, project: Project) -> Allocation | None:
    """The next allocation with advice on evaluation, computed once per data version; None where there is none."""
    question = AllocationQuestion()
    try:
        found: Allocation = kept(
            session,
            fits.answers,
            answer_key("holdouts", project, vars(question)),
            lambda: allocating(session, fits, project, question, evaluating=True),
        )
    except (Conflict, Infeasible, Invalid):
        return None
    return found


def figures(kind: str, runs: Runs, keys: Sequence[str], use: HoldoutUse) -> dict[str, GroupReuse]:
    """By group of `keys` what the holdout says of it."""
    if use.name not in runs.holdouts:
        return {}
    rows = np.flatnonzero(runs.holdout == runs.holdouts.index(use.name))
    found = {}
    for key in keys:
        values, stderrs, sizes = (runs.column(name, key)[rows] for name in ("values", "stderrs", "eval_sizes"))
        measured = np.flatnonzero(~np.isnan(values))
        if not len(measured):
            continue
        last = measured[-1:]
        error = float(standard_errors(kind, values[last], stderrs[last], sizes[last])[0])
        size = None if np.isnan(sizes[last[0]]) else int(sizes[last[0]])
        counted = size if kind == "proportion" else None
        reuse = None if np.isnan(error) else reuse_of(error, counted, use.candidates, use.compared)
        found[key] = GroupReuse(size, reuse)
    return found


def entry(
    use: HoldoutUse,
    groups: Mapping[str, GroupReuse],
    decided: Sequence[datetime],
    plan: Allocation | None,
    said: Mapping[str, str | bool | None],
) -> Holdout:
    """decided: when rounds were accepted, in order. said: what the project says of the holdout."""
    rounds = len(decided) - bisect_right(decided, use.first_posted)
    worn_for = [] if plan is None else [key for key in plan.worn.get(use.name, ()) if key in groups]
    state: State = "fresh"
    if said.get("retired"):
        state = "retired"
    elif worn_for:
        state = "worn"
    elif rounds or use.compared > 1:
        state = "used"
    note = said.get("note")
    return Holdout(
        name=use.name,
        first_used=use.first_used,
        runs=use.runs,
        recipes=use.recipes,
        candidates=use.candidates,
        rounds_decided=rounds,
        groups=groups,
        state=state,
        advice=advice(state, use, groups, plan, worn_for),
        note=note if isinstance(note, str) else None,
    )


def advice(
    state: State,
    use: HoldoutUse,
    groups: Mapping[str, GroupReuse],
    plan: Allocation | None,
    worn_for: Sequence[str],
) -> str | None:
    if state == "retired":
        return "It takes no more runs: score the next ones on a fresh holdout."
    if state == "worn" and plan is not None:
        sizes = [words for key in worn_for if (words := fresh_size(key, groups[key], plan))]
        large = f" of {listed(sizes)}" if sizes else " that is at least as large"
        return (
            f"What was chosen on it among {use.compared:,} may look better by more than is to be decided: score the"
            f" next runs on a fresh holdout{large}, and retire this one."
        )
    optimism = max((one.reuse.optimism_up_to for one in groups.values() if one.reuse), default=0.0)
    if use.compared > 1 and optimism:
        return (
            f"It chose among {use.compared:,}: what was chosen may look better than it is by up to {number(optimism)}."
        )
    if state == "used":
        return "Rounds were decided on it, and nothing was chosen: its values stand as they are."
    return None


def fresh_size(key: str, group: GroupReuse, plan: Allocation) -> str | None:
    """How many fresh evaluation samples of the group to have: as many as now, or as make the holdout as certain as the
    curve; None where it is not known how many there are."""
    if group.eval_size is None:
        return None
    told = plan.evaluation.get(key)
    factor = max(1.0, (told.enlarge or 1.0) if told else 1.0)
    return f"{math.ceil(group.eval_size * factor):,} samples of {key}"
