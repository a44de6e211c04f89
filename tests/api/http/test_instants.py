"""Every way in that reads an instant reads the same texts and refuses the same."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from app.settings import Settings
from app.store.db import Database, connect
from app.vendors.values import Unusable, instant
from tests.api_client import RUNS, Api

BEYOND = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999-00:01"]
UNREADABLE = ["1763632800", "46346.4166", "0000-01-01", "10000-01-01T00:00:00Z", "2026-11-20T10:00:60Z", "soon", ""]
READ = {
    "2026-11-20T10:00:00": "2026-11-20T10:00:00Z",
    "2026-11-20t12:00:00+02:00": "2026-11-20T10:00:00Z",
    "2026-11-20": "2026-11-20T00:00:00Z",
    "2016-12-31T23:59:60z": "2017-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z": "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z": "9999-12-31T23:59:59Z",
}


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def observe(api: Api, path: str, at: Any) -> Any:
    return api.post(f"{path}/observations", json={"observations": [{**RUNS[0], "observed_at": at}]})


def observe_in_a_table(api: Api, path: str, at: Any) -> Any:
    table = f"external_id,group,n,value,observed_at\nr,A,10,0.5,{at}\nr,B,10,0.5,\n"
    return api.post(f"{path}/observations", content=table, headers={"Content-Type": "text/csv"})


def make_key(api: Api, path: str, at: Any) -> Any:
    return api.post("/v1/api-keys", json={"name": "n", "scopes": ["read"], "expires_at": at})


def look_for_attempts(api: Api, path: str, at: Any) -> Any:
    made = api.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/hook"}).json()
    return api.get(f"/v1/webhook-endpoints/{made['id']}/attempts?since={quote(str(at))}")


def send_again(api: Api, path: str, at: Any) -> Any:
    made = api.post("/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/hook"}).json()
    return api.post(f"/v1/webhook-endpoints/{made['id']}/replay", json={"failed_since": at})


def replay_deliveries(api: Api, path: str, at: Any) -> Any:
    body = {"name": "c", "kind": "standard"}
    made = api.post("/v1/vendor-connections", json=body)
    return api.post(f"/v1/vendor-connections/{made.json()['id']}/replay", json={"since": at})


WAYS: list[Callable[[Api, str, Any], Any]] = [
    observe,
    observe_in_a_table,
    make_key,
    look_for_attempts,
    send_again,
    replay_deliveries,
]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_instant_is_refused_on_every_way(api: Api, way: Callable[[Api, str, Any], Any]) -> None:
    path = api.project()
    for given in BEYOND + [one for one in UNREADABLE if one or way is not observe_in_a_table]:
        answer = way(api, path, given)
        assert answer.status_code == 422, (given, answer.text)
        assert "instant" in answer.text or "number" in answer.text or "years 1 to 9999" in answer.text
    for number in (1763632800, 46346.4166, True, [], -1e300, 10**400):
        assert way(api, path, json.loads(json.dumps(number))).status_code == 422


@pytest.mark.parametrize("way", [observe, observe_in_a_table])
def test_instants_are_kept_in_utc_wherever_the_service_runs(
    api: Api, in_new_york: None, way: Callable[[Api, str, Any], Any]
) -> None:
    for given, kept in READ.items():
        path = api.project()
        assert way(api, path, given).status_code == 201
        assert api.get(f"{path}/observations").json()["items"][0]["observed_at"] == kept


def test_the_ends_of_the_calendar_go_through_files_and_pages(api: Api) -> None:
    for at in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        path = api.project()
        assert observe(api, path, at).status_code == 201
        written = api.get(f"{path}/tables/observations.csv").text
        assert at in written
        for file in ("tables/observations.xlsx", "report", "curves", "allocations/next"):
            assert api.get(f"{path}/{file}").status_code == 200, file


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_the_zone_of_the_database_moves_no_instant(settings: Settings, database: Database, zone: str) -> None:
    """A server in another zone could not write the calendar's first and last day as years that there are."""
    if settings.database_url.startswith("sqlite"):
        pytest.skip("SQLite has no zone")
    mark = "&" if "?" in settings.database_url else "?"
    moved = connect(
        settings.model_copy(update={"database_url": f"{settings.database_url}{mark}options=-ctimezone={zone}"})
    )
    with moved.reading() as session:
        ends = session.execute(text("SELECT '0001-01-01Z'::timestamptz, '9999-12-31 23:59:59Z'::timestamptz")).one()
    moved.close()
    assert [end.year for end in ends] == [1, 9999]


def test_vendors_instants_are_texts_or_numbers_of_a_known_unit() -> None:
    assert instant("2026-11-20T10:00:00", "at") == instant("2026-11-20T10:00:00Z", "at")
    assert instant(1_763_632_800, "at") == instant(1_763_632_800_000, "at")
    for given in (*BEYOND, *UNREADABLE[:-1], 46346.4166, 0, 10**400, -1, True, [], {}):
        with pytest.raises(Unusable, match="at"):
            instant(given, "at")
