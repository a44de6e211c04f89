"""The same Idempotency-Key has one effect."""

from datetime import timedelta
from typing import Any

from app.store.db import Database
from tests.api_client import ACCURACY, RUNS, Api
from tests.conftest import new_key

BODY: dict[str, Any] = {"name": "x", "metric": ACCURACY, "budget": {"total": "1"}}
KEY = {"Idempotency-Key": "k-1"}


def count(api: Api) -> int:
    return len(api.get("/v1/projects").json()["items"])


def test_the_first_answer_is_given_again(api: Api) -> None:
    first = api.post("/v1/projects", json=BODY, headers=KEY)
    again = api.post("/v1/projects", json=BODY, headers=KEY)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert count(api) == 1


def test_another_body_with_the_same_key_is_refused(api: Api) -> None:
    api.post("/v1/projects", json=BODY, headers=KEY)
    other = api.post("/v1/projects", json={**BODY, "name": "y"}, headers=KEY)
    assert other.status_code == 422
    assert other.json()["type"].endswith("idempotency-key-reused")
    assert count(api) == 1


def test_ten_at_once_have_one_effect(api: Api) -> None:
    answers = api.together([("POST", "/v1/projects", {"json": BODY, "headers": KEY})] * 10)
    assert count(api) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = {answer.content for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["type"].endswith("call-running")
            assert answer.headers["Retry-After"] == "1"


def test_a_key_is_of_one_caller_one_path_and_one_day(api: Api, database: Database) -> None:
    api.post("/v1/projects", json=BODY, headers=KEY)
    api.as_key(new_key(database)).post("/v1/projects", json=BODY, headers=KEY)
    assert count(api) == 2
    path = api.project()
    assert api.post(f"{path}/observations", json={"observations": RUNS}, headers=KEY).json()["accepted"] == 3
    api.clock.now += timedelta(hours=23, minutes=59)
    api.post("/v1/projects", json=BODY, headers=KEY)
    assert count(api) == 3
    api.clock.now += timedelta(minutes=2)
    api.post("/v1/projects", json=BODY, headers=KEY)
    assert count(api) == 4


def test_a_refused_call_is_not_kept(api: Api) -> None:
    path = api.project()
    assert api.post(f"{path}/groups", json={"key": "A"}, headers=KEY).status_code == 409
    api.patch(f"{path}/groups/A", json={"key": "old"})
    assert api.post(f"{path}/groups", json={"key": "A"}, headers=KEY).status_code == 201


def test_bad_keys_are_refused(api: Api) -> None:
    for key in ("", "k" * 256):
        assert api.post("/v1/projects", json=BODY, headers={"Idempotency-Key": key}).status_code == 422
    assert count(api) == 0
