"""One call to a vendor's API: what is worth trying again is httpx's error, what is not is VendorRefused."""

from typing import Any

import httpx

from app.errors import Malformed
from app.vendors.base import VendorRefused
from app.vendors.values import read_json, whole

MAX_ANSWER = 50_000_000
TRY_AGAIN = (408, 425, 429)


def call(client: httpx.Client, method: str, path: str, **options: Any) -> Any:
    """The answer's JSON, None where it has no body. Raises httpx.HTTPError, VendorRefused."""
    return read_answer(send(client, method, path, **options))


def send(client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    """The answer of a success. Raises VendorRefused, and HTTPStatusError where a later try may succeed."""
    answer = client.request(method, path, **options)
    if answer.is_success:
        return answer
    if answer.status_code >= 500 or answer.status_code in TRY_AGAIN:
        answer.raise_for_status()
    raise VendorRefused(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")


def read_answer(answer: httpx.Response) -> Any:
    """The answer's JSON, None where it is empty. Raises VendorRefused."""
    if not answer.content:
        return None
    if len(answer.content) > MAX_ANSWER:
        raise VendorRefused(f"{answer.request.url.path} answered more than {MAX_ANSWER // 1_000_000} MB.")
    try:
        return read_json(answer.content)
    except Malformed as problem:
        raise VendorRefused(f"{answer.request.url.path} did not answer JSON: {problem.detail}") from None


def field(answer: Any, name: str, kind: type) -> Any:
    """A field of an answer. Raises VendorRefused where it is not there or of another type."""
    value = whole(answer.get(name)) if isinstance(answer, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise VendorRefused(f"The vendor's answer has no {name} of the type we need.")
    return value
