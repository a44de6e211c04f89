"""Entity tags: made from what is answered, matched before it is made."""

import hashlib

from app.api.http.runtime import SOFTWARE_VERSION
from app.services.forecasts.due import awaited
from app.store.models.projects import Project


class NotModified(Exception):
    """The client has this version already."""

    def __init__(self, etag: str) -> None:
        super().__init__(etag)
        self.etag = etag


def matches(header: str, etag: str) -> bool:
    """Whether an If-Match or If-None-Match header names `etag`."""
    return header.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in header.split(",")]


def etag_of(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def list_tag(project: Project) -> str:
    """The ETag of a project's lists: every change of their items raises the data version."""
    return f'"v{project.data_version}-{SOFTWARE_VERSION}"'


def forecasts_tag(project: Project) -> str:
    """The ETag of a project's forecasts, which come in while the data version stands."""
    return f'"v{project.data_version}.{project.forecasts_due}-{SOFTWARE_VERSION}"'


def question_tag(project: Project, *question: object) -> str:
    """The ETag of an answer that follows from the data version, the question and the software alone; and from the
    forecasts made, while many are due."""
    asked = (str(project.id), project.data_version, awaited(project), SOFTWARE_VERSION, question)
    return etag_of(repr(asked).encode())
