"""Observations: written once, voided at most."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import Row, Table, bindparam, exists, func, insert, select, tuple_, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from app.store.models.observations import Forecast, Observation
from app.store.models.projects import Group
from app.store.reading import Listing, Query, in_parts, parts_of

RUN_COLUMNS = (
    Observation.id,
    Observation.external_id,
    Observation.content_hash,
    Observation.counts,
    Observation.metrics,
    Observation.origin,
    Observation.holdout,
    Observation.observed_at,
    Observation.data_version,
    Observation.voided_version,
)
MOST_ALIKE = 100
"""Of the stored runs on the same samples so many are read, however many there are."""


class CountedGroup(NamedTuple):
    """A group as runs are checked against it, read without the rest of its row; see the columns of `Group`."""

    id: int
    key: str
    initial_count: int
    first_run_count: int | None
    weight: float
    archived_at: datetime | None


class NewRun(NamedTuple):
    """A run as its row is written."""

    id: UUID
    project_id: UUID
    external_id: str | None
    content_hash: str
    trained_hash: str
    said_hash: str
    counts: dict[str, int]
    metrics: dict[str, dict[str, float]]
    origin: dict[str, dict[str, int]] | None
    holdout: str
    recipe: str
    chosen_from: int
    observed_at: datetime
    created_at: datetime
    data_version: int


class AlikeRun(NamedTuple):
    """What tells whether another run says the same; see the columns of `Observation`."""

    id: UUID
    external_id: str | None
    trained_hash: str
    counts: dict[str, int]
    metrics: dict[str, dict[str, float]]
    origin: dict[str, dict[str, int]] | None
    holdout: str


class HoldoutUse(NamedTuple):
    """What the runs on a holdout that are not voided say of its use. first_used: when the first was measured,
    first_posted: when it came in. candidates: Σ chosen_from."""

    name: str
    first_used: datetime
    first_posted: datetime
    runs: int
    recipes: int
    candidates: int

    @property
    def compared(self) -> int:
        """How many candidates were held against each other on it: 1 where nothing was chosen."""
        return self.candidates - self.runs + self.recipes


def use_of_row(row: Any) -> HoldoutUse:
    """Sums of integers come as decimals from some databases."""
    *named, candidates = row
    return HoldoutUse._make([*named, int(candidates)])


class HoldoutListing(Listing[HoldoutUse]):
    def after(self, last: Any, limit: int | None) -> list[HoldoutUse]:
        return [use_of_row(row) for row in super().after(last, limit)]

    def place(self, row: HoldoutUse) -> Any:
        return row.name


# What every post asks for: made once.
GROUPS = cast(Table, Group.__table__)
COLUMNS = tuple(GROUPS.c[name] for name in ("id", "key", "initial_count", "first_run_count", "weight", "archived_at"))
OF_PROJECT = select(*COLUMNS).where(GROUPS.c.project_id == bindparam("project")).order_by(GROUPS.c.id)
SETTLE = update(GROUPS).where(GROUPS.c.id == bindparam("group"))
SETTLE_REST = update(GROUPS).where(
    GROUPS.c.project_id == bindparam("project"), GROUPS.c.archived_at.is_(None), GROUPS.c.first_run_count.is_(None)
)
RUNS = Observation.__table__.c
INSERT = insert(cast(Table, Observation.__table__))
CONTENT = select(RUNS.external_id, RUNS.content_hash).where(RUNS.project_id == bindparam("project"))
CONTENT_OF_NAMES = CONTENT.where(RUNS.external_id.in_(bindparam("some", expanding=True)))
ALIKE = (
    select(RUNS.id, RUNS.external_id, RUNS.trained_hash, RUNS.counts, RUNS.metrics, RUNS.origin, RUNS.holdout)
    .where(RUNS.project_id == bindparam("project"), RUNS.recipe == bindparam("recipe"), RUNS.voided_at.is_(None))
    .order_by(RUNS.trained_hash, RUNS.said_hash, RUNS.id)
    .limit(MOST_ALIKE)
)
TRAINED_ALIKE = ALIKE.where(RUNS.trained_hash.in_(bindparam("some", expanding=True)))
SAYING_ALIKE = ALIKE.where(tuple_(RUNS.trained_hash, RUNS.said_hash).in_(bindparam("some", expanding=True)))


def insert_runs(session: Session, runs: Iterable[NewRun]) -> None:
    """In one statement, past the rows that the session keeps: nobody changes them in this transaction."""
    rows = [run._asdict() for run in runs]
    if rows:
        session.execute(INSERT, rows)


def counted_groups(session: Session, project_id: UUID) -> list[CountedGroup]:
    """All groups of the project, archived ones too, in order of creation."""
    return [CountedGroup(*row) for row in session.execute(OF_PROJECT, {"project": project_id})]


def settle_first_counts(session: Session, project_id: UUID, above: Mapping[int, int]) -> None:
    """Write down what is held at their first run of the active groups for which nothing is: by group id what is
    `above`, of the others their initial count."""
    if above:
        settled = [{"group": group, "first_run_count": count} for group, count in above.items()]
        session.execute(SETTLE, settled)
    session.execute(SETTLE_REST.values(first_run_count=GROUPS.c.initial_count), {"project": project_id})
    for row in session.identity_map.values():
        if isinstance(row, Group) and row.first_run_count is None and row.archived_at is None:
            set_committed_value(row, "first_run_count", above.get(row.id, row.initial_count))


def is_named_by_runs(session: Session, project_id: UUID, source: str) -> bool:
    """Whether any run, voided or not, says that samples came from the source."""
    query = select(Observation.origin).where(Observation.project_id == project_id, Observation.origin.is_not(None))
    return any(source in origin for origin in session.scalars(query))


def has_observations(session: Session, project_id: UUID) -> bool:
    return bool(session.scalar(select(exists().where(Observation.project_id == project_id))))


def fitted_observations(
    session: Session, project_id: UUID, recipe: str, after: datetime | None = None
) -> Sequence[Observation]:
    """What a fit uses: not voided, of the recipe, in a fixed order; with `after`, those that came later."""
    query = select(Observation).where(
        Observation.project_id == project_id, Observation.recipe == recipe, Observation.voided_at.is_(None)
    )
    if after is not None:
        query = query.where(Observation.created_at > after)
    return session.scalars(query.order_by(Observation.id)).all()


def run_rows(session: Session, project_id: UUID, recipe: str, since: int = -1) -> Sequence[Row[Any]]:
    """What fits are made from, of the recipe's runs that came after the data version `since`, voided ones too; in the
    order of their ids."""
    query = select(*RUN_COLUMNS).where(
        Observation.project_id == project_id, Observation.recipe == recipe, Observation.data_version > since
    )
    return session.execute(query.order_by(Observation.id)).all()


def voided_since(session: Session, project_id: UUID, since: int) -> dict[UUID, int]:
    """The runs voided after the data version `since`, with the versions that did."""
    query = select(Observation.id, Observation.voided_version).where(
        Observation.project_id == project_id, Observation.voided_version > since
    )
    return {one: version for one, version in session.execute(query) if version is not None}


def last_voided(session: Session, project_id: UUID) -> int:
    """The data version that last voided a run; 0 for none."""
    found: int | None = session.scalar(
        select(func.max(Observation.voided_version)).where(Observation.project_id == project_id)
    )
    return found or 0


def has_runs(session: Session, project_id: UUID, recipe: str) -> bool:
    """Whether a fit has any run to use."""
    query = select(
        exists().where(
            Observation.project_id == project_id, Observation.recipe == recipe, Observation.voided_at.is_(None)
        )
    )
    return bool(session.scalar(query))


def listed_observations(session: Session, project_id: UUID, voided: bool) -> Listing[Observation]:
    query = select(Observation).where(Observation.project_id == project_id)
    query = query.where(Observation.voided_at.is_not(None) if voided else Observation.voided_at.is_(None))
    return Listing(session, query, Observation.id)


def uses_of_holdouts(project_id: UUID) -> Query:
    """The columns of `HoldoutUse`, a row for each holdout."""
    runs = func.count()
    return (
        select(
            Observation.holdout,
            func.min(Observation.observed_at),
            func.min(Observation.created_at),
            runs,
            func.count(Observation.recipe.distinct()),
            func.sum(Observation.chosen_from),
        )
        .where(Observation.project_id == project_id, Observation.voided_at.is_(None))
        .group_by(Observation.holdout)
    )


def listed_holdouts(session: Session, project_id: UUID) -> HoldoutListing:
    return HoldoutListing(session, uses_of_holdouts(project_id), Observation.holdout)


def use_of(session: Session, project_id: UUID, holdout: str) -> HoldoutUse | None:
    """How the holdout was used; None where no run was scored on it."""
    row = session.execute(uses_of_holdouts(project_id).where(Observation.holdout == holdout)).first()
    return None if row is None else use_of_row(row)


def compared_on_holdouts(session: Session, project_id: UUID) -> dict[str, int]:
    """`HoldoutUse.compared` of the holdouts on which anything was chosen."""
    compared = func.sum(Observation.chosen_from) - func.count() + func.count(Observation.recipe.distinct())
    query = select(Observation.holdout, compared).where(
        Observation.project_id == project_id, Observation.voided_at.is_(None)
    )
    found = session.execute(query.group_by(Observation.holdout).having(compared > 1))
    return {holdout: int(count) for holdout, count in found}


def content_of_external_ids(session: Session, project_id: UUID, external_ids: Sequence[str]) -> dict[str, str]:
    """External id → content hash, for those of `external_ids` that are taken."""
    return dict(parts_of(session, CONTENT_OF_NAMES, external_ids, project=project_id))


def runs_of_external_ids(session: Session, project_id: UUID, external_ids: Sequence[str]) -> dict[str, Observation]:
    query = select(Observation.external_id, Observation).where(Observation.project_id == project_id)
    return dict(in_parts(session, query, Observation.external_id, external_ids))


def runs_without_external_id(session: Session, project_id: UUID, names: Sequence[str]) -> dict[str, Observation]:
    """By their own ids, which an export gives them for names: those of `names` that are one."""
    ids = [found for name in names if (found := as_canonical(name)) is not None]
    query = select(Observation.id, Observation).where(
        Observation.project_id == project_id, Observation.external_id.is_(None)
    )
    return {str(one): row for one, row in in_parts(session, query, Observation.id, ids)}


def alike_runs(session: Session, project_id: UUID, recipe: str, runs: Sequence[NewRun]) -> list[AlikeRun]:
    """What a fit uses of the stored runs that were trained on the same samples, on the same holdout, as any of `runs`,
    in the order of their ids. Where they are very many: some, and of those that measured the same too the first."""
    place = {"project": project_id, "recipe": recipe}
    trained = sorted({run.trained_hash for run in runs})
    found = {row[0]: row for row in parts_of(session, TRAINED_ALIKE, trained, **place)}
    if len(found) >= MOST_ALIKE:
        said = sorted({(run.trained_hash, run.said_hash) for run in runs})
        found |= {row[0]: row for row in parts_of(session, SAYING_ALIKE, said, **place)}
    return [AlikeRun(*found[one]) for one in sorted(found)]


def as_canonical(name: str) -> UUID | None:
    """The UUID that is written just so."""
    try:
        found = UUID(name)
    except ValueError:
        return None
    return found if str(found) == name else None


def newest_observations(session: Session, project_id: UUID, recipe: str, limit: int) -> list[Observation]:
    """What a fit would use, the newest first."""
    query = select(Observation).where(
        Observation.project_id == project_id, Observation.recipe == recipe, Observation.voided_at.is_(None)
    )
    newest = query.order_by(Observation.observed_at.desc(), Observation.id.desc())
    return list(session.scalars(newest.limit(limit)))


def listed_forecasts(session: Session, project_id: UUID, group_id: int | None = None) -> Listing[tuple[Forecast, str]]:
    """Each with the key of its group."""
    query = select(Forecast, Group.key).join(Group, Group.id == Forecast.group_id)
    query = query.where(Forecast.project_id == project_id)
    if group_id is not None:
        query = query.where(Forecast.group_id == group_id)
    return Listing(session, query, Forecast.id)


def record(session: Session, project_id: UUID, recipe: str, since: int = 0) -> Sequence[Row[Any]]:
    """The numbers of the scored forecasts of the recipe's runs that are not voided, of those that came after the
    forecast `since`, in the order they were made."""
    query = (
        select(Forecast.quantiles, Forecast.value, Forecast.promised, Forecast.crps, Forecast.wis)
        .join(Observation, Observation.id == Forecast.observation_id)
        .where(Forecast.project_id == project_id, Forecast.id > since)
        .where(Observation.recipe == recipe, Observation.voided_at.is_(None))
    )
    return session.execute(query.order_by(Forecast.id)).all()
