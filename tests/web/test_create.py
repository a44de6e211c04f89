"""A project by form and tables: bad lines are named before anything is stored."""

from typing import Any

import pytest

from tests.api_client import Api
from tests.conftest import new_key
from tests.web.browser_client import Pages, text_of

FORM = {"name": "made by form", "currency": "USD", "metric_name": "accuracy", "kind": "proportion", "goal": "maximize",
        "lower": "0", "upper": "1", "total": "1000", "rounds": "2"}  # fmt: skip
GROUPS = "key,name,initial_count,unit_cost\nA,<script>alert(1)</script>,200,1\nB,,100,2.00\n"
RUNS = "external_id,group,n,value,stderr\n" + "".join(
    f"run-{n},{group},{count},{value},0.01\n"
    for n, size, a, b in ((1, 50, 0.70, 0.60), (2, 100, 0.74, 0.66), (3, 200, 0.77, 0.71))
    for group, count, value in (("A", size, a), ("B", size // 2, b))
)


def send(pages: Pages, step: str, groups: str = GROUPS, runs: str = RUNS, **changes: str) -> Any:
    pages.get("/projects/new")
    files = {"groups": ("groups.csv", groups.encode()), "observations": ("runs.csv", runs.encode())}
    return pages.post("/projects/new", {**FORM, "step": step, **changes}, files=files)


def stored(api: Api) -> list[Any]:
    listed: list[Any] = api.get("/v1/projects").json()["items"]
    return listed


def test_checking_shows_what_was_read_and_stores_nothing(api: Api, pages: Pages) -> None:
    answer = send(pages, "look")
    assert answer.status_code == 200, text_of(answer)
    assert "2 groups and 3 training runs" in text_of(answer)
    assert "Create the project" in answer.text
    assert stored(api) == []


def test_what_was_checked_is_stored_whole(api: Api, pages: Pages) -> None:
    """The second step carries the tables as text; no file is chosen again."""
    send(pages, "look")
    both = {"groups_text": GROUPS, "observations_text": RUNS, "step": "create"}
    answer = pages.post("/projects/new", {**FORM, **both}, files={"groups": ("", b"")})
    assert answer.status_code == 303, text_of(answer)
    (project,) = stored(api)
    assert answer.headers["location"] == f"/projects/{project['id']}"
    path = f"/v1/projects/{project['id']}"
    assert [group["key"] for group in api.get(f"{path}/groups").json()["items"]] == ["A", "B"]
    assert len(api.get(f"{path}/observations").json()["items"]) == 3
    assert len(api.get(f"{path}/sources").json()["items"]) == 2


def test_one_model_for_all_groups_is_chosen_where_it_is_made(api: Api, pages: Pages) -> None:
    assert send(pages, "create").status_code == 303
    assert send(pages, "create", name="together", model="joint").status_code == 303
    assert {one["name"]: one["model"] for one in stored(api)} == {"made by form": "joint", "together": "joint"}


@pytest.mark.parametrize(("groups", "runs", "named"), [
    ("key,weight\nA,heavy\nB,1\n", "", "line 2 weight:"),
    ("key,initial_count\nA,1\nB,2,3\n", "", "Line 3 has 3 cells"),
    ("key\nA\nA\n", "", "line 3"),
    ("name\nx\n", "", "Groups: Line 1 must be the header key"),
    ("key,initial_count\nA,-4\n", "", "line 2 initial_count:"),
    ('key\n"A\n', "", "is not CSV"),
    (GROUPS, "external_id,group,n,value\nr,A,ten,0.5\n", "line 2 n:"),
    (GROUPS, "external_id,group,n,value\nr,A,1,0.5\nr,C,1,0.5\n", "line 3 'C' is no group"),
    (GROUPS, "external_id,group,n,value\nr,A,1,0.5\nr,B,1,7\n", "line 3"),
    (GROUPS, "run,group\n", "Line 1 must be the header"),
])  # fmt: skip
@pytest.mark.parametrize("step", ["look", "create"])
def test_bad_lines_are_named_and_nothing_is_stored(
    api: Api, pages: Pages, groups: str, runs: str, named: str, step: str
) -> None:
    answer = send(pages, step, groups, runs)
    assert answer.status_code == 422
    assert named in text_of(answer)
    assert 'value="create"' not in answer.text
    assert stored(api) == []


def test_faults_stand_beside_their_fields(api: Api, pages: Pages) -> None:
    answer = send(pages, "create", total="much", name="", upper="0")
    assert 'id="fault-total"' in answer.text
    assert 'id="fault-name"' in answer.text
    assert answer.text.count('aria-invalid="true"') == 2
    assert 'value="much"' in answer.text, "what was typed stays"
    assert stored(api) == []


def test_a_name_of_a_group_is_text(pages: Pages) -> None:
    answer = send(pages, "look")
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text


def test_reading_keys_see_no_form_and_may_send_none(api: Api, database: Any) -> None:
    pages = Pages(api)
    pages.sign_in(new_key(database, "read"))
    assert "New project" not in pages.get("/").text
    assert pages.get("/projects/new").status_code == 403
    assert pages.post("/projects/new", FORM).status_code == 403
    assert stored(api) == []


def test_a_file_that_is_no_text_is_named(api: Api, pages: Pages) -> None:
    pages.get("/projects/new")
    answer = pages.post("/projects/new", FORM, files={"groups": ("büro.csv", b"key\nA\n\xff\n")})
    assert answer.status_code == 400
    assert "not UTF-8 in line 3" in text_of(answer)
    assert stored(api) == []


def test_a_spreadsheet_s_own_tables_are_read_and_it_is_said_how(api: Api, pages: Pages) -> None:
    groups = "sep=;\r\nKey;Name;Initial count;Unit cost;Target\r\nA;Zürich;1.200;2,50;93 %\r\nB;;100;1,00;94,5 %\r\n"
    runs = "external_id\tgroup\tn\tvalue\nr\tA\t10\t0,5\nr\tB\t10\t0,6\n"
    pages.get("/projects/new")
    files = {"groups": ("g.csv", groups.encode("cp1252")), "observations": ("r.txt", runs.encode("utf-16"))}
    answer = pages.post("/projects/new", {**FORM, "step": "create"}, files=files)
    assert answer.status_code == 303, text_of(answer)
    path = f"/v1/projects/{stored(api)[0]['id']}"
    first, _ = api.get(f"{path}/groups").json()["items"]
    assert (first["name"], first["initial_count"], first["target"]) == ("Zürich", 1200, 0.93)
    assert api.get(f"{path}/sources").json()["items"][0]["unit_cost"] == "2.50"
    pages.get("/projects/new")
    looked = text_of(pages.post("/projects/new", {**FORM, "step": "look"}, files=files))
    assert (
        "Read as cp1252, separated by semicolons; decimal comma; thousands parted by .; percentages in target."
        in looked
    )
    assert "Read as UTF-16, separated by tabs; decimal comma." in looked


def test_prices_of_another_currency_than_the_project_s_are_refused(api: Api, pages: Pages) -> None:
    answer = send(pages, "create", "key;unit_cost\nA;2,50 €\nB;1,00 €\n", "")
    assert "prices are in €, the project is in USD" in text_of(answer)
    assert stored(api) == []
    assert send(pages, "create", "key;unit_cost\nA;2,50 €\nB;1,00 €\n", "", currency="EUR").status_code == 303


def test_the_exported_groups_make_the_same_groups(api: Api, pages: Pages) -> None:
    fields = ("key", "name", "weight", "target", "parent", "initial_count", "min_count", "max_count")
    groups = [
        {"key": "A", "name": "=1+1", "weight": 2.5, "target": 0.9, "initial_count": 1200, "unit_cost": "1234.50"},
        {"key": "B", "parent": "A", "initial_count": 0, "min_count": 5, "max_count": 70_000},
    ]
    path = api.project(groups=groups)
    pages.get("/projects/new")
    table = api.get(f"{path}/tables/groups.csv").content
    answer = pages.post("/projects/new", {**FORM, "step": "create"}, files={"groups": ("groups.csv", table)})
    assert answer.status_code == 303, text_of(answer)
    made = f"/v1/projects/{next(one['id'] for one in stored(api) if one['name'] == FORM['name'])}"
    before, after = (api.get(f"{one}/groups").json()["items"] for one in (path, made))
    assert [[one[name] for name in fields] for one in before] == [[one[name] for name in fields] for one in after]
    assert [one["unit_cost"] for one in api.get(f"{made}/sources").json()["items"]] == ["1234.50"]


@pytest.mark.parametrize(("name", "first"), [("groups", "key,name,"), ("runs", "external_id,group,source,n,value,")])
def test_there_are_tables_to_start_from(pages: Pages, name: str, first: str) -> None:
    answer = pages.get(f"/projects/new/{name}.csv")
    assert answer.text.startswith(first)
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.csv"'
    assert f'href="/projects/new/{name}.csv"' in pages.get("/projects/new").text
