"""What the client raises when the service refuses."""

from collections.abc import Mapping
from typing import Any, NoReturn

import httpx


class TrancheError(Exception):
    """The service refused; the fields are those of its problem answer (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.type: str = problem.get("type", "about:blank")
        self.title: str = problem.get("title", "")
        self.detail: str = problem.get("detail", "")
        self.errors: list[Mapping[str, str]] = problem.get("errors", [])
        first = ": ".join(part for part in (f"{status} {self.title}".strip(), self.detail) if part)
        rest = [f"  {error.get('pointer', '')}: {error.get('detail', '')}" for error in self.errors]
        super().__init__("\n".join([first, *rest]))


class SimulationFailed(Exception):
    """A simulation that was waited for has failed or was cancelled; the message says why."""


def answer_of(response: httpx.Response) -> Mapping[str, Any]:
    """The JSON object of a success. Raises TrancheError for a problem, and for what is not Tranche's."""
    answer = _object(response)
    if answer is None or not response.is_success:
        refuse(response)
    return answer


def refuse(response: httpx.Response) -> NoReturn:
    """Raises TrancheError for an answer that is a problem, or not Tranche's."""
    answer = _object(response)
    if answer is not None and "title" in answer:
        raise TrancheError(response.status_code, answer)
    where = response.url.copy_with(username=None, password=None)
    detail = f"{where} did not answer as Tranche does; check the base URL. It said: {response.text[:200]!r}"
    raise TrancheError(response.status_code, {"title": response.reason_phrase, "detail": detail})


def _object(response: httpx.Response) -> Mapping[str, Any] | None:
    try:
        answer = response.json()
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
