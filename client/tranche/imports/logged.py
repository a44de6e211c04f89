"""What a tool logged of training runs, and the observations that patterns of names find in it."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from tranche.metrics import Metric
from tranche.runs import Observation
from tranche.sheets.numbers import Kind, number_of
from tranche.terminal.service import Refused

FINISHED = frozenset({"finished", "completed", "success"})
PLACEHOLDER = "{group}"
PREFIX = r"(?:(?:metrics|params|summary|config)\.)?"
"""What MLflow's and W&B's tables put before a name; a pattern may leave it out."""
NAMES_SHOWN = 40


class ImportRefused(Refused):
    """Nothing can be imported as asked; the message says what to change."""


@dataclass(frozen=True)
class Pattern:
    """A name with `{group}` in it, such as accuracy/{group}. Raises ImportRefused without it."""

    text: str

    def __post_init__(self) -> None:
        if self.text.count(PLACEHOLDER) != 1:
            raise ImportRefused(f"'{self.text}' must name {PLACEHOLDER} once, such as 'accuracy/{PLACEHOLDER}'")

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        before, after = map(re.escape, self.text.split(PLACEHOLDER))
        return re.compile(f"{PREFIX}{before}(.+){after}")

    def group_of(self, name: str) -> str | None:
        found = self._regex.fullmatch(name)
        return found[1] if found else None


@dataclass(frozen=True)
class LoggedRun:
    """`values` by the tool's names: numbers, or texts that are some. `state` is None where the tool tells none."""

    name: str
    values: Mapping[str, object]
    state: str | None = None
    observed_at: datetime | None = None

    @property
    def finished(self) -> bool:
        return self.state is None or self.state.casefold() in FINISHED


@dataclass(frozen=True)
class Wanted:
    """What to take from a run. `groups` are the project's."""

    value: Pattern
    count: Pattern
    groups: Sequence[str]
    eval_size: Pattern | int | None = None
    stderr: Pattern | None = None
    holdout: str | None = None
    missing_is_zero: bool = False


@dataclass
class Found:
    """The observations, how many runs were left out for what reason, and the names that matched for no group of the
    project."""

    observations: list[Observation] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    no_groups: set[str] = field(default_factory=set)


class LeftOut(Exception):
    """Why a run is left out."""


def observations_of(runs: Iterable[LoggedRun], wanted: Wanted) -> Found:
    """Raises ImportRefused where no run has a name that fits, and for one run named twice."""
    found, known = Found(), set[str]()
    names: set[str] = set()
    for run in runs:
        if run.name in known:
            raise ImportRefused(f"two runs are named '{run.name}'; name a column that tells them apart with --id")
        known.add(run.name)
        names.update(run.values)
        try:
            found.observations.append(observation_of(run, wanted, found.no_groups))
        except LeftOut as reason:
            found.left_out[str(reason)] += 1
    refuse_unmatched(names, wanted)
    return found


def refuse_unmatched(names: set[str], wanted: Wanted) -> None:
    """Raises ImportRefused naming what there is where a pattern fits nothing."""
    sizes = wanted.eval_size if isinstance(wanted.eval_size, Pattern) else None
    for pattern in (wanted.value, wanted.count, wanted.stderr, sizes):
        if pattern is None or any(pattern.group_of(name) in wanted.groups for name in names):
            continue
        shown = sorted(names)
        more = f" and {len(shown) - NAMES_SHOWN} more" if len(shown) > NAMES_SHOWN else ""
        raise ImportRefused(
            f"nothing fits '{pattern.text}' for a group of the project ({', '.join(wanted.groups[:NAMES_SHOWN])});"
            f" there are: {', '.join(shown[:NAMES_SHOWN]) or 'no names at all'}{more}"
        )


def observation_of(run: LoggedRun, wanted: Wanted, no_groups: set[str]) -> Observation:
    """Raises LeftOut, and ImportRefused where two names say the same."""
    if not run.finished:
        raise LeftOut(f"state {run.state}")
    values = readings(run, wanted.value, "real", wanted, no_groups)
    counts = readings(run, wanted.count, "count", wanted, no_groups)
    errors = readings(run, wanted.stderr, "real", wanted, set()) if wanted.stderr else {}
    if not values:
        raise LeftOut(f"no value named {wanted.value.text}")
    lacking = [group for group in wanted.groups if group not in counts]
    if lacking and not wanted.missing_is_zero:
        raise LeftOut(f"no count of {', '.join(lacking[:5])} ({wanted.count.text}); --missing zero takes it as 0")
    sizes = eval_sizes(run, wanted)
    return Observation(
        counts={group: int(counts.get(group, 0)) for group in wanted.groups},
        metrics={group: Metric(value, errors.get(group), sizes.get(group)) for group, value in values.items()},
        external_id=run.name,
        holdout=wanted.holdout,
        observed_at=run.observed_at,
    )


def eval_sizes(run: LoggedRun, wanted: Wanted) -> dict[str, int]:
    if wanted.eval_size is None:
        return {}
    if isinstance(wanted.eval_size, int):
        return dict.fromkeys(wanted.groups, wanted.eval_size)
    return {group: int(size) for group, size in readings(run, wanted.eval_size, "count", wanted, set()).items()}


def readings(run: LoggedRun, pattern: Pattern, kind: Kind, wanted: Wanted, no_groups: set[str]) -> dict[str, float]:
    """The numbers that fit, by group. Raises LeftOut, ImportRefused."""
    found: dict[str, float] = {}
    names: dict[str, str] = {}
    for name, given in run.values.items():
        group = pattern.group_of(name)
        if group is None or given is None:
            continue
        if group not in wanted.groups:
            no_groups.add(name)
            continue
        if group in names:
            raise ImportRefused(
                f"'{names[group]}' and '{name}' both fit '{pattern.text}'; write the one to take in full"
            )
        names[group] = name
        found[group] = as_number(name, given, kind)
    return found


def as_number(name: str, given: object, kind: Kind) -> float:
    """Raises LeftOut for what is no finite number, or no whole one where it must be."""
    number: float
    if isinstance(given, str):
        try:
            number = float(number_of(kind, given).value("."))
        except ValueError:
            raise LeftOut(f"{name} is '{given[:50]}', no number") from None
    elif isinstance(given, int | float) and not isinstance(given, bool):
        number = given
    else:
        raise LeftOut(f"{name} is no number")
    if not math.isfinite(number):
        raise LeftOut(f"{name} is {number}")
    if kind == "count" and number != int(number):
        raise LeftOut(f"{name} is {number}, no whole number")
    return number
