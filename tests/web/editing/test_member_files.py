"""Groups and sources by file, and the tables to start from."""

from typing import Any

import pytest

from tests.api_client import Api
from tests.conftest import one_database
from tests.web.browser_client import Pages, text_of

pytestmark = one_database
SOURCES = (
    "Key;Name;Yields;Unit cost;Price tiers;Quality;Max Total\r\n"
    "panel;Tafel für Ärzte;A: 60 % | B: 40 %;2,40 $;1000: 2,10 | 5000: 1,80;60 % to 95 %;30.000\r\n"
    "A;;;1,25;;;\r\n"
)


@pytest.fixture
def path(api: Api) -> str:
    return api.project().removeprefix("/v1")


def send(pages: Pages, path: str, name: str, step: str, content: bytes) -> Any:
    pages.get(f"{path}/{name}-file")
    return pages.post(f"{path}/{name}-file", {"step": step}, files={name: (f"{name}.csv", content)})


def test_sources_come_by_a_file_of_a_spreadsheet(api: Api, pages: Pages, path: str) -> None:
    looked = send(pages, path, "sources", "look", SOURCES.encode("cp1252"))
    assert looked.status_code == 200, text_of(looked)
    assert "1 will be new and 1 changed" in text_of(looked)
    assert len(api.get(f"/v1{path}/sources").json()["items"]) == 2
    kept = send(pages, path, "sources", "keep", SOURCES.encode("utf-16"))
    assert kept.status_code == 303, text_of(kept)
    panel = api.get(f"/v1{path}/sources/panel").json()
    assert (panel["name"], panel["unit_cost"], panel["max_total"]) == ("Tafel für Ärzte", "2.40", 30000)
    assert panel["yields"] == {"A": 0.6, "B": 0.4}
    assert panel["price_tiers"] == [{"from": 1000, "unit_cost": "2.10"}, {"from": 5000, "unit_cost": "1.80"}]
    assert api.get(f"/v1{path}/sources/A").json()["unit_cost"] == "1.25"


def test_groups_come_by_a_file(api: Api, pages: Pages, path: str) -> None:
    before = api.get(f"/v1{path}/groups/A").json()
    sent = 'GROUP,target,unit cost\nA,80%,"$1.50"\nC,,"1,000.50"\n'
    assert send(pages, path, "groups", "keep", sent.encode()).status_code == 303
    after = api.get(f"/v1{path}/groups/A").json()
    assert after == {**before, "target": 0.8, "updated_at": after["updated_at"]}
    assert api.get(f"/v1{path}/sources/C").json()["unit_cost"] == "1000.50"


@pytest.mark.parametrize(("name", "sent", "words"), [
    ("sources", "key,unit_cost\nD,free\n", "line 2 unit_cost:"),
    ("sources", "key,unit_cost\nA,1\nD,2\n", "line 3 group:"),
    ("sources", "key,unit_cost,yields\nD,2,A: lots\n", "line 2 yields:"),
    ("sources", "key,unit_cost\nA,€2.50\n", "prices are in €"),
    ("groups", "key,weight\nA,2\nB,-2\n", "line 3 weight:"),
    ("groups", "key,parent\nA,nobody\n", "line 2 parent:"),
    ("groups", "key,weight\n,2\n", "line 2 key:"),
    ("groups", "", "Choose a file"),
])  # fmt: skip
def test_bad_lines_are_named_and_nothing_is_kept(
    api: Api, pages: Pages, path: str, name: str, sent: str, words: str
) -> None:
    before = api.get(f"/v1{path}").json()
    answer = send(pages, path, name, "keep", sent.encode())
    assert answer.status_code == 422, text_of(answer)
    assert words in text_of(answer)
    assert api.get(f"/v1{path}").json() == before


@pytest.mark.parametrize("name", ["groups", "sources"])
def test_the_table_to_start_from_sent_as_it_is_changes_nothing(api: Api, pages: Pages, path: str, name: str) -> None:
    api.patch(f"/v1{path}/groups/A", json={"name": "=1+1", "target": 0.85, "min_count": 7})
    mixed = {"key": "M", "unit_cost": "2.125", "yields": {"A": 0.25, "B": 0.5}, "quality": {"p05": 0.1, "p95": 1.0},
             "price_tiers": [{"from": 1000, "unit_cost": "1.5"}], "lead_time_days": 3,
             "license": "CC0-1.0"}  # fmt: skip
    assert api.post(f"/v1{path}/sources", json=mixed).status_code == 201
    before = [{**one, "updated_at": None} for one in api.get(f"/v1{path}/{name}").json()["items"]]
    file = pages.get(f"{path}/templates/{name}.csv")
    assert file.status_code == 200
    answer = send(pages, path, name, "keep", file.content)
    assert answer.status_code == 303, text_of(answer)
    assert [{**one, "updated_at": None} for one in api.get(f"/v1{path}/{name}").json()["items"]] == before


def test_the_table_of_runs_has_a_line_for_each_group(pages: Pages, path: str) -> None:
    header, *lines = pages.get(f"{path}/templates/runs.csv").content.decode("utf-8-sig").splitlines()
    assert header.startswith("external_id,group,")
    assert lines == [f",{key}" + "," * (header.count(",") - 1) for key in "AB"]
