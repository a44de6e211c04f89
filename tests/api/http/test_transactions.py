"""What is acknowledged is stored; what fails leaves nothing."""

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.api_client import ACCURACY, RUNS, Api, run


def test_a_failing_commit_is_a_500_and_never_a_201(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Session) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("sqlalchemy.orm.session.SessionTransaction.commit", fail)
        answer = api.post("/v1/projects", json={"name": "x", "metric": ACCURACY, "budget": {"total": "1"}})
    assert answer.status_code == 500
    assert answer.json()["type"].endswith("internal-error")
    assert "disk" not in answer.text
    assert api.get("/v1/projects").json()["items"] == []


def test_a_busy_database_is_a_503_with_retry_after(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError("BEGIN", {}, Exception("database is locked"))

    with monkeypatch.context() as patched:
        patched.setattr("sqlalchemy.orm.session.SessionTransaction.commit", fail)
        answer = api.post("/v1/projects", json={"name": "x", "metric": ACCURACY, "budget": {"total": "1"}})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_writers_at_once_lose_nothing(api: Api) -> None:
    """More writers than worker threads: none starves, every one is stored, every one counts."""
    path = api.project()
    items = [run(index, {"A": index, "B": index}, A=0.7) for index in range(60)]
    answers = api.together([("POST", f"{path}/observations", {"json": {"observations": [item]}}) for item in items])
    assert [answer.status_code for answer in answers] == [201] * 60
    assert {answer.json()["data_version"] for answer in answers} == set(range(2, 62))
    stored = api.get(f"{path}/observations?limit=500").json()["items"]
    assert {one["external_id"] for one in stored} == {item["external_id"] for item in items}


def test_two_writers_of_one_external_id_store_it_once(api: Api) -> None:
    path = api.project()
    body = {"json": {"observations": RUNS}}
    answers = api.together([("POST", f"{path}/observations", body)] * 8)
    assert sorted(answer.json()["accepted"] for answer in answers) == [0] * 7 + [3]
    assert sorted(answer.json()["duplicates"] for answer in answers) == [0] + [3] * 7


def test_two_patches_with_the_same_etag_let_one_through(api: Api) -> None:
    path = api.project()
    tag = {"If-Match": api.get(path).headers["ETag"]}
    answers = api.together([("PATCH", path, {"json": {"name": f"n{index}"}, "headers": tag}) for index in range(6)])
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
