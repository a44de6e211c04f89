"""Training runs by page."""

from typing import Any

import pytest

from tests.api_client import Api
from tests.conftest import new_key, one_database
from tests.web.browser_client import Pages, text_of
from tests.web.editing.forms import faults

pytestmark = one_database
GERMAN = "External ID;Gruppe;N;Value;Stderr\r\n".replace("Gruppe", "Group") + "".join(
    f"Läufe-1;{key};1.200;{value} %;1,5 %\r\n" for key, value in (("A", "71,5"), ("B", "60"))
)
BY_HAND = {
    "external_id": "r1",
    "n:A": "1,200",
    "n:B": "300",
    "value:A": "71.5 %",
    "value:B": "0.6",
    "eval_size": "2,000",
}


@pytest.fixture
def path(api: Api) -> str:
    return api.project().removeprefix("/v1")


def stored(api: Api, path: str) -> list[Any]:
    listed: list[Any] = api.get(f"/v1{path}/observations").json()["items"]
    return listed


def test_a_file_is_looked_at_then_kept(api: Api, pages: Pages, path: str) -> None:
    """Semicolons, decimal commas, points between thousands, percent signs, any headings, in Excel's encoding."""
    pages.get(f"{path}/new-runs")
    files = {"runs": ("runs.csv", GERMAN.encode("cp1252"))}
    seen = pages.post(f"{path}/new-runs", {"step": "look"}, files=files)
    assert seen.status_code == 200, text_of(seen)
    assert "A 0.7150 at 1,200; B 0.6000 at 1,200" in text_of(seen)
    assert "Read as cp1252, separated by semicolons; decimal comma" in text_of(seen)
    assert stored(api, path) == []
    kept = pages.post(f"{path}/new-runs", {"step": "keep", "runs_text": GERMAN})
    assert kept.status_code == 303, text_of(kept)
    (run,) = stored(api, path)
    assert run["counts"] == {"A": 1200, "B": 1200}
    assert run["metrics"]["A"] == {"value": 0.715, "stderr": 0.015, "eval_size": None}
    again = pages.post(f"{path}/new-runs", {"step": "look", "runs_text": GERMAN})
    assert "1 of them are here already" in text_of(again)


def test_a_run_is_typed(api: Api, pages: Pages, path: str) -> None:
    pages.get(f"{path}/new-runs")
    seen = pages.post(f"{path}/new-runs", {"step": "look", **BY_HAND})
    assert "A 0.7150 at 1,200; B 0.6000 at 300" in text_of(seen)
    assert stored(api, path) == []
    assert pages.post(f"{path}/new-runs", {"step": "keep", **BY_HAND}).status_code == 303
    (run,) = stored(api, path)
    assert (run["external_id"], run["counts"]) == ("r1", {"A": 1200, "B": 300})
    assert run["metrics"]["B"] == {"value": 0.6, "stderr": None, "eval_size": 2000}
    assert "r1" in text_of(pages.get(f"{path}/runs"))


@pytest.mark.parametrize(("typed", "field", "words"), [
    ({"n:A": "many"}, "n:A", "no number"),
    ({"n:A": "1.000"}, "n:A", "may be 1 or 1000"),
    ({"value:A": "71.5"}, "value:A", "bounds"),
    ({"value:A": "", "stderr:A": "0.1"}, "value:A", ""),
    ({"observed_at": "yesterday"}, "observed_at", "no instant"),
    ({"eval_size": "0"}, "eval_size", ""),
])  # fmt: skip
@pytest.mark.parametrize("step", ["look", "keep"])
def test_faults_stand_beside_their_fields(
    api: Api, pages: Pages, path: str, typed: dict[str, str], field: str, words: str, step: str
) -> None:
    pages.get(f"{path}/new-runs")
    answer = pages.post(f"{path}/new-runs", {"step": step, **BY_HAND, **typed})
    assert answer.status_code == 422, text_of(answer)
    assert list(faults(answer)) == [field]
    assert words in faults(answer)[field]
    assert 'value="keep"' not in answer.text
    assert 'value="r1"' in answer.text
    assert stored(api, path) == []


@pytest.mark.parametrize(("sent", "words"), [
    ("external_id,group,n,value\nr,A,ten,0.5\n", "line 2 n:"),
    ("external_id;group;n;value\nr;A;5;0,5\nr;B;1.500;0,5\nr;C;1;0,5\n", "line 4 'C' is no group"),
    ('external_id,group,n,value\nr,A,"1,000",1\nr,B,"2,000",1\n', "may be 1 or 1000"),
    ("", "Choose a file"),
])  # fmt: skip
def test_what_is_wrong_with_a_file_is_named_by_line(api: Api, pages: Pages, path: str, sent: str, words: str) -> None:
    pages.get(f"{path}/new-runs")
    answer = pages.post(f"{path}/new-runs", {"step": "keep", "runs_text": sent})
    assert answer.status_code == 422, text_of(answer)
    assert words in text_of(answer)
    assert stored(api, path) == []


def test_a_run_is_taken_out_with_a_reason(api: Api, pages: Pages, path: str) -> None:
    pages.get(f"{path}/new-runs")
    pages.post(f"{path}/new-runs", {"step": "keep", **BY_HAND})
    (run,) = stored(api, path)
    form = f"{path}/runs/{run['id']}/void"
    assert pages.post(form, {"reason": ""}).status_code == 422
    assert pages.post(form, {"reason": "a typing error"}).status_code == 303
    assert stored(api, path) == []
    assert "a typing error" in text_of(pages.get(f"{path}/runs?voided=true"))


def test_who_may_not_observe_keeps_nothing(api: Api, database: Any, path: str) -> None:
    writer = Pages(api)
    writer.sign_in(new_key(database, "read,write"))
    assert writer.get(f"{path}/runs").status_code == 200
    assert writer.get(f"{path}/new-runs").status_code == 403
    assert writer.post(f"{path}/new-runs", {"step": "keep", **BY_HAND}).status_code == 403
    assert stored(api, path) == []
