"""Each operation answers what the contract says it can, and says all of that: tried on every one of them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api import jobs
from app.api.rights import Operation
from tests.api.test_rights import APP, OPERATIONS
from tests.everything import Everything, ask_of, everything_in

CONTRACT = APP.openapi()["paths"]
KEYED = [pytest.param(one, id=f"{one.method} {one.path}") for one in OPERATIONS if one.right and not one.is_page]
TRIED = {304, 400, 401, 403, 404, 412, 413, 415, 422}
"""What is provoked here on every operation, whatever it does."""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Everything]:
    with everything_in(tmp_path_factory.mktemp("everything"), sqlite_template) as made:
        yield made


@pytest.fixture(autouse=True)
def short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LONGEST_S", 0.0)


@pytest.mark.parametrize("operation", KEYED)
def test_every_declared_status_is_answered_and_no_other(operation: Operation, everything: Everything) -> None:
    declared = {int(status) for status in CONTRACT[operation.path][operation.method.lower()]["responses"]}
    kind = {"Content-Type": ask_of(operation).kind or "application/json"}
    provoked = {
        everything.send(operation, who, **changes).status_code
        for who, changes in (
            ("owner", {}),
            ("none", {}),
            ("observe" if "observe" not in operation.right.scopes else "read", {}),  # type: ignore[union-attr]
            ("stranger", {}),
            ("owner", {"params": {"nonsense": "1"}}),
            ("owner", {"content": b"\xff{", "json": None, "headers": kind}),
            ("owner", {"content": b"", "json": None, "headers": kind | {"Content-Length": "60000000"}}),
            ("owner", {"content": b"x", "json": None, "headers": kind | {"Content-Encoding": "gzip"}}),
            ("owner", {"headers": {"If-Match": '"of another version"'}}),
            ("owner", {"headers": {"If-None-Match": "*"}}),
        )
    }
    assert provoked <= declared
    assert declared & TRIED == provoked & TRIED


@pytest.mark.parametrize("path", sorted({one.path for one in OPERATIONS}))
def test_a_method_that_the_path_does_not_know_is_told_those_that_it_does(path: str, everything: Everything) -> None:
    known = {one.method for one in OPERATIONS if one.path == path}
    answer = everything.api.request(
        "PROPFIND", everything.filled(path, {part: part for part in re.findall("{(.*?)}", path)})
    )
    assert answer.status_code == 405
    assert known <= set(answer.headers["Allow"].split(", ")) - {"PROPFIND"}
