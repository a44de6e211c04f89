"""The training mix of what a project holds, group by group and source by source."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from sqlalchemy.orm import Session

from app.errors import Conflict, Fault, invalid
from app.planner.training import MOST_REPEATS, Mix, Phase, training_mix
from app.planner.wording import Warning
from app.services.ledger.holdings import holdings_of
from app.store.member_rows import group_rows, source_rows
from app.store.models.projects import Project, Source
from app.store.projects import members_by_id


@dataclass(frozen=True)
class MixQuestion:
    """temperature: 1 takes the samples as they are, more shows the small groups more often. samples: that the run sees,
    repeats counted; None: as many as are held. max_repeats: how often a sample is shown at most. late_share: the part
    of the run at its end that has the `late_temperature`."""

    temperature: float = 1.0
    samples: int | None = None
    max_repeats: float | None = None
    late_share: float | None = None
    late_temperature: float | None = None

    @property
    def phases(self) -> list[Phase]:
        if self.late_share is None:
            return [Phase(0.0, 1.0, self.temperature)]
        begins = 1.0 - self.late_share
        late = 1.0 if self.late_temperature is None else self.late_temperature
        return [Phase(0.0, begins, self.temperature), Phase(begins, 1.0, late)]


@dataclass(frozen=True)
class Part:
    """Of a group's samples those of one source (None: held at the start)."""

    source: str | None
    held: int


@dataclass(frozen=True)
class GroupHeld:
    key: str
    name: str
    parts: Sequence[Part]

    @property
    def held(self) -> int:
        return sum(one.held for one in self.parts)


@dataclass(frozen=True)
class Shown:
    """How a phase shows a group: its share of the phase's samples, how many times each of its samples is shown, and the
    weight of its loss that does the same (None where nothing is held)."""

    group: GroupHeld
    share: float
    repeats: float
    loss_weight: float | None


@dataclass(frozen=True)
class PhaseMix:
    """From `start` to `end` of the run, at one temperature."""

    start: float
    end: float
    temperature: float
    variance_factor: float
    effective_size: float
    items: Sequence[Shown]


@dataclass(frozen=True)
class TrainingMix:
    samples: int
    phases: Sequence[PhaseMix]
    warnings: Sequence[Warning]


def training_mix_of(session: Session, project: Project, question: MixQuestion) -> TrainingMix:
    """How to show what is held to a training run. Raises Conflict while nothing is held, Invalid without groups, where
    the held samples do not suffice or a late temperature has no late share."""
    if question.late_share is None and question.late_temperature is not None:
        raise invalid(Fault("?late_temperature", "say by late_share which part of the run is late, or leave it out"))
    groups = groups_held(session, project)
    if not groups:
        raise invalid(Fault("", "the project has no groups yet; add them with POST …/groups"))
    held = np.array([one.held for one in groups], dtype=np.float64)
    total = int(sum(one.held for one in groups))
    if total == 0:
        raise Conflict("No samples are held yet. Set the groups' initial_count, or record what was bought.")
    samples = question.samples or total
    most = question.max_repeats
    if most is not None and most * total < samples:
        allowed = f"the {total:,} held samples allow at most {int(most * total):,} at {most:g} repeats"
        raise invalid(Fault("?samples", f"{allowed}: ask for no more, or for a larger max_repeats"))
    mixes = training_mix(held, question.phases, samples, most)
    phases = [phase_of(one, groups) for one in mixes]
    return TrainingMix(samples, phases, repeated(groups, mixes) if most is None else ())


def phase_of(mix: Mix, groups: Sequence[GroupHeld]) -> PhaseMix:
    rows = zip(groups, mix.share.tolist(), mix.repeats.tolist(), mix.loss_weight.tolist(), strict=True)
    items = [Shown(group, share, times, None if isnan(weight) else weight) for group, share, times, weight in rows]
    said = mix.phase
    return PhaseMix(said.start, said.end, said.temperature, mix.variance_factor, mix.effective_size, items)


def groups_held(session: Session, project: Project) -> list[GroupHeld]:
    """The active groups with what is held of them, raw, by where it came from."""
    holdings = holdings_of(session, project, source_rows(session, project.id))
    keys = {at: one.key for at, one in members_by_id(session, Source, holdings.tallies).items()}
    found = []
    for group in group_rows(session, project.id):
        brought = [
            Part(keys[at], tally.accepted_of[group.id].count)
            for at, tally in sorted(holdings.tallies.items(), key=lambda one: keys[one[0]])
            if group.id in tally.accepted_of
        ]
        at_start = holdings.stock(group).raw_count - sum(one.held for one in brought)
        parts = [one for one in (Part(None, at_start), *brought) if one.held > 0]
        found.append(GroupHeld(group.key, group.name or group.key, parts))
    return found


def repeated(groups: Sequence[GroupHeld], mixes: Sequence[Mix]) -> tuple[Warning, ...]:
    """Groups whose samples are shown more often than taught anything new where that was measured."""
    times = np.sum([one.repeats for one in mixes], axis=0)
    return tuple(
        Warning(
            "many_repeats",
            f"Its samples are shown {count:.3g} times; beyond {MOST_REPEATS:g} times they teach little. Cap it with"
            " max_repeats, or collect more of them.",
            group.key,
        )
        for group, count in zip(groups, times.tolist(), strict=True)
        if count > MOST_REPEATS
    )
