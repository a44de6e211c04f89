"""Observations: written once, voided at most."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.store.models.observations import Forecast, Observation
from app.store.models.projects import Group
from app.store.reading import Listing, in_parts


def has_observations(session: Session, project_id: UUID) -> bool:
    return bool(session.scalar(select(exists().where(Observation.project_id == project_id))))


def fitted_observations(session: Session, project_id: UUID, recipe: str) -> Sequence[Observation]:
    """What a fit uses: not voided, of the recipe, in a fixed order."""
    query = select(Observation).where(
        Observation.project_id == project_id, Observation.recipe == recipe, Observation.voided_at.is_(None)
    )
    return session.scalars(query.order_by(Observation.id)).all()


def listed_observations(session: Session, project_id: UUID, voided: bool) -> Listing[Observation]:
    query = select(Observation).where(Observation.project_id == project_id)
    query = query.where(Observation.voided_at.is_not(None) if voided else Observation.voided_at.is_(None))
    return Listing(session, query, Observation.id)


def content_of_external_ids(session: Session, project_id: UUID, external_ids: Sequence[str]) -> dict[str, str]:
    """External id → content hash, for those of `external_ids` that are taken."""
    query = select(Observation.external_id, Observation.content_hash).where(Observation.project_id == project_id)
    return dict(in_parts(session, query, Observation.external_id, external_ids))


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


def record(session: Session, project_id: UUID, recipe: str) -> Sequence[Forecast]:
    """The scored forecasts of the recipe's runs that are not voided, in the order they were made."""
    query = (
        select(Forecast)
        .join(Observation, Observation.id == Forecast.observation_id)
        .where(Forecast.project_id == project_id, Observation.recipe == recipe, Observation.voided_at.is_(None))
    )
    return session.scalars(query.order_by(Forecast.id)).all()
