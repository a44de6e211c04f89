"""Projects, groups and sources over HTTP."""

from itertools import pairwise
from typing import Any

import pytest

from app.api.projects.projects import Metric, ProjectIn
from app.store.db import Database
from tests.api.http.test_bad_input import problem
from tests.api_client import ACCURACY, RUNS, Api
from tests.conftest import new_key


def test_a_project_comes_back_as_it_was_sent(api: Api) -> None:
    sent = {
        "name": "census",
        "currency": "EUR",
        "metric": ACCURACY,
        "objective": {"kind": "isoelastic", "aversion": 2.0},
        "budget": {"total": "999999999999.999999", "rounds": 7},
        "recipe": "lr-2",
    }
    answer = api.post("/v1/projects", json=sent)
    assert answer.status_code == 201
    read = api.get(answer.headers["Location"])
    assert read.json() == answer.json()
    assert {name: read.json()[name] for name in sent} == sent
    assert read.headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [('"1999.2"', "1999.20"), ("0.1", "0.10"), ("123456789012.345678", "123456789012.345678"), ("7", "7.00"),
     ("1e3", "1000.00"), ('"0.000001"', "0.000001")],
)  # fmt: skip
def test_money_is_taken_from_its_text(api: Api, given: str, kept: str) -> None:
    body = '{"name": "x", "metric": {"upper": 1}, "budget": {"total": %s}}' % given
    answer = api.post("/v1/projects", content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["budget"]["total"] == kept


def test_groups_keep_their_order_and_unit_costs_make_sources(api: Api) -> None:
    path = api.project()
    assert [group["key"] for group in api.get(f"{path}/groups").json()["items"]] == ["A", "B"]
    sources = api.get(f"{path}/sources").json()["items"]
    assert [(one["key"], one["group"], one["unit_cost"]) for one in sources] == [("A", "A", "1.00"), ("B", "B", "2.00")]


def test_pages_walk_the_whole_list_once(api: Api) -> None:
    path = api.project(groups=[{"key": f"g{index}"} for index in range(7)])
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = api.get(f"{path}/groups", params=params).json()
        seen += [group["key"] for group in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert seen == [f"g{index}" for index in range(7)]


def test_a_cursor_of_another_list_is_refused(api: Api) -> None:
    first, second = api.project(), api.project()
    cursor = api.get(f"{first}/groups?limit=1").json()["next_cursor"]
    answer = api.get(f"{second}/groups", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "?cursor"


def test_every_change_of_what_a_plan_depends_on_raises_the_data_version(api: Api) -> None:
    path = api.project()
    versions = [api.get(path).json()["data_version"]]
    source = {"key": "C", "group": "C", "unit_cost": "1"}
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("PATCH", path, {"json": {"objective": {"kind": "maximin"}}}),
        ("PATCH", path, {"json": {"model": "separate"}}),
        ("POST", f"{path}/groups", {"json": {"key": "C", "unit_cost": "3"}}),
        ("PATCH", f"{path}/groups/C", {"json": {"initial_count": 10}}),
        ("PATCH", f"{path}/sources/C", {"json": {"unit_cost": "2.50"}}),
        ("POST", f"{path}/sources", {"json": {"key": "C2", "group": "C", "unit_cost": "1"}}),
        ("DELETE", f"{path}/sources/C2", {}),
        ("POST", f"{path}/sources/C2/restore", {}),
        ("PUT", f"{path}/sources", {"json": [source], "params": {"archive_missing": True}}),
        ("DELETE", f"{path}/groups/C", {}),
        ("POST", f"{path}/groups/C/restore", {}),
        ("PUT", f"{path}/groups", {"json": [{"key": "A"}, {"key": "B"}, {"key": "C"}]}),
        ("POST", f"{path}/observations", {"json": {"observations": RUNS}, "params": {"missing": "zero"}}),
    ]  # fmt: skip
    for method, place, options in changes:
        answer = api.request(method, place, **options)
        assert answer.status_code < 300, (method, place, answer.text)
        versions.append(api.get(path).json()["data_version"])
    assert all(after > before for before, after in pairwise(versions))


def test_the_metric_the_currency_and_keys_are_frozen_by_the_first_observation(api: Api) -> None:
    path = api.project()
    assert api.patch(f"{path}/groups/A", json={"key": "A1"}).json()["key"] == "A1"
    assert api.patch(path, json={"currency": "EUR"}).status_code == 200
    assert api.patch(f"{path}/groups/A1", json={"key": "A"}).status_code == 200
    api.post(f"{path}/observations", json={"observations": RUNS})
    for place, change in [
        (path, {"currency": "USD"}),
        (path, {"metric": {**ACCURACY, "kind": "other", "upper": 2.0}}),
        (f"{path}/groups/A", {"key": "A2"}),
    ]:
        answer = api.patch(place, json=change)
        assert answer.status_code == 409, change
        assert answer.json()["type"].endswith(":frozen")
    renamed = api.patch(path, json={"metric": {**ACCURACY, "name": "hit rate"}, "name": "other"})
    assert renamed.json()["metric"]["name"] == "hit rate"


def test_archived_things_are_hidden_readable_and_come_back(api: Api) -> None:
    path = api.project()
    assert api.delete(f"{path}/groups/A").status_code == 204
    assert api.get(f"{path}/groups/A").status_code == 404
    assert api.get(f"{path}/groups/A?archived=true").json()["archived_at"] is not None
    assert [group["key"] for group in api.get(f"{path}/groups").json()["items"]] == ["B"]
    assert [one["key"] for one in api.get(f"{path}/sources").json()["items"]] == ["B"]
    assert api.post(f"{path}/sources/A/restore").status_code == 409
    assert api.post(f"{path}/groups/A/restore").json()["archived_at"] is None
    assert api.post(f"{path}/sources/A/restore").json()["archived_at"] is None

    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    assert api.get(f"{path}/groups").status_code == 404
    assert path.endswith(api.get("/v1/projects?archived=true").json()["items"][0]["id"])
    assert api.get("/v1/projects").json()["items"] == []
    assert api.post(f"{path}/restore").json()["archived_at"] is None
    assert len(api.get("/v1/projects").json()["items"]) == 1


def test_a_key_in_use_or_archived_cannot_be_taken(api: Api) -> None:
    path = api.project()
    taken = api.post(f"{path}/groups", json={"key": "A"})
    assert (taken.status_code, taken.json()["errors"][0]["pointer"]) == (409, "/key")
    api.delete(f"{path}/groups/A")
    assert "restore" in api.post(f"{path}/groups", json={"key": "A"}).json()["detail"]


def test_a_whole_list_changes_adds_and_only_archives_when_asked(api: Api) -> None:
    path = api.project()
    lines = b'{"key": "B", "weight": 5}\n\n{"key": "C", "unit_cost": "4"}\n'
    ndjson = {"Content-Type": "application/x-ndjson"}
    refused = api.put(f"{path}/groups", content=lines, headers=ndjson)
    assert (refused.status_code, "A" in refused.json()["detail"]) == (409, True)
    done = api.put(f"{path}/groups?archive_missing=true", content=lines, headers=ndjson)
    assert done.json()["count"] == 2
    groups = api.get(f"{path}/groups").json()["items"]
    assert [(group["key"], group["weight"]) for group in groups] == [("B", 5.0), ("C", 1.0)]
    assert [one["key"] for one in api.get(f"{path}/sources").json()["items"]] == ["B", "C"]


def test_the_longest_list_of_groups_is_taken_and_one_more_refused(api: Api) -> None:
    path = api.project(groups=[])
    lines = "\n".join(f'{{"key": "g{index}"}}' for index in range(20_000))
    ndjson = {"Content-Type": "application/x-ndjson"}
    assert api.put(f"{path}/groups", content=lines, headers=ndjson).json()["count"] == 20_000
    more = api.put(f"{path}/groups", content=lines + '\n{"key": "one-more"}', headers=ndjson)
    assert more.status_code == 422
    assert api.post(f"{path}/groups", json={"key": "one-more"}).status_code == 422


def test_if_match_guards_every_change(api: Api) -> None:
    path = api.project()
    for place, method, body in [
        (path, "PATCH", {"name": "mine"}),
        (f"{path}/groups/A", "PATCH", {"weight": 3}),
        (f"{path}/sources/A", "PATCH", {"unit_cost": "5"}),
        (f"{path}/sources/A", "DELETE", None),
        (f"{path}/groups/A", "DELETE", None),
        (path, "DELETE", None),
    ]:
        tag = api.get(place).headers["ETag"]
        options = {"json": body} if body else {}
        stale = api.request(method, place, headers={"If-Match": '"other"'}, **options)
        assert (stale.status_code, stale.json()["type"].rsplit(":")[-1]) == (412, "precondition-failed")
        assert api.get(place).headers["ETag"] == tag
        fresh = api.request(method, place, headers={"If-Match": tag}, **options)
        assert fresh.status_code in (200, 204), fresh.text


def test_if_match_guards_whole_lists(api: Api) -> None:
    path = api.project()
    tag = api.get(f"{path}/groups").headers["ETag"]
    api.patch(f"{path}/groups/A", json={"weight": 2})
    items = [{"key": "A"}, {"key": "B"}]
    assert api.put(f"{path}/groups", json=items, headers={"If-Match": tag}).status_code == 412
    tag = api.get(f"{path}/groups").headers["ETag"]
    done = api.put(f"{path}/groups", json=items, headers={"If-Match": tag})
    assert done.status_code == 200
    assert done.headers["ETag"] == api.get(f"{path}/groups").headers["ETag"]


def test_a_known_version_is_not_sent_again(api: Api) -> None:
    path = api.project()
    api.post(f"{path}/observations", json={"observations": RUNS})
    for place in (path, f"{path}/groups", f"{path}/groups/A", f"{path}/curves", f"{path}/curves/A",
                  f"{path}/allocations/next", f"{path}/observations"):  # fmt: skip
        first = api.get(place)
        again = api.get(place, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"]), place
    tag = api.get(f"{path}/allocations/next").headers["ETag"]
    assert api.get(f"{path}/allocations/next?seed=1", headers={"If-None-Match": tag}).status_code == 200
    api.patch(f"{path}/groups/A", json={"weight": 2})
    assert api.get(f"{path}/allocations/next", headers={"If-None-Match": tag}).status_code == 200


def test_a_key_limited_to_projects_sees_no_others(api: Api, database: Database) -> None:
    mine, other = api.project(), api.project()
    limited = api.as_key(new_key(database, project_ids=[mine.rsplit("/")[-1]]))
    assert limited.get(mine).status_code == 200
    assert limited.get(other).status_code == 404
    assert len(limited.get("/v1/projects").json()["items"]) == 1
    new = {"name": "x", "metric": ACCURACY, "budget": {"total": "1"}}
    assert limited.post("/v1/projects", json=new).status_code == 403


def test_attributes_and_parents_tell_who_may_learn_from_whom(api: Api) -> None:
    groups = [{"key": "all", "attributes": {"sex": "any"}}, {"key": "young", "parent": "all"}]
    path = api.project(groups=groups)
    read = {group["key"]: group for group in api.get(f"{path}/groups").json()["items"]}
    assert read["all"]["attributes"] == {"sex": "any"}
    assert read["young"]["parent"] == "all"
    api.patch(f"{path}/groups/all", json={"key": "everyone"})
    assert api.get(f"{path}/groups/young").json()["parent"] == "everyone"
    api.patch(f"{path}/groups/everyone", json={"key": "all"})
    for parent in ("young", "nobody"):
        refused = api.patch(f"{path}/groups/young", json={"parent": parent})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/parent")
    assert api.patch(f"{path}/groups/young", json={"parent": None}).json()["parent"] is None
    bad = api.post(f"{path}/groups", json={"key": "old", "parent": "nobody"})
    assert bad.status_code == 422
    assert api.patch(f"{path}/groups/all", json={"attributes": {"sex": 3}}).status_code == 422


def test_a_changed_part_is_stored_with_its_defaults(api: Api) -> None:
    path = api.project()
    curve = {"asymptote": 0.0, "scale": 1.0, "exponent": 0.5}
    assert api.patch(f"{path}/groups/A", json={"assumed_curve": curve}).json()["assumed_curve"]["offset"] == 0.0
    assert api.get(f"{path}/allocations/next").status_code == 200
    assert api.patch(path, json={"metric": {"upper": 2.0}}).json()["metric"]["goal"] == "maximize"


NAMED: dict[str, Any] = {
    "external_id": "digits",
    "name": "digits",
    "metric": ACCURACY,
    "budget": {"total": "240", "rounds": 3},
    "groups": [{"key": "A", "unit_cost": "1"}],
}


def test_a_project_named_by_an_external_id_is_made_once(api: Api) -> None:
    first, again = (api.post("/v1/projects", json=NAMED) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["external_id"] == "digits"
    same = {**NAMED, "budget": {"total": 240.0, "rounds": 3}, "currency": "USD", "sources": [], "smallest_gain": None}
    assert api.post("/v1/projects", json=same).json()["id"] == first.json()["id"], "the same in other words"
    for change in ({"name": "other"}, {"budget": {"total": "241"}}, {"groups": []}, {"recipe": "lr"}):
        refused = api.post("/v1/projects", json=NAMED | change)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:tranche:problem:key-taken"), change
        assert first.json()["id"] in refused.json()["detail"]
    assert len(api.get("/v1/projects").json()["items"]) == 1


def test_a_repeat_answers_the_project_as_it_is_now(api: Api) -> None:
    path = f"/v1/projects/{api.post('/v1/projects', json=NAMED).json()['id']}"
    api.patch(path, json={"name": "renamed", "budget": {"total": "300"}})
    again = api.post("/v1/projects", json=NAMED)
    assert (again.status_code, again.json()["name"]) == (200, "renamed")
    assert api.patch(path, json={"external_id": "x"}).status_code == 422
    assert api.delete(path).status_code == 204
    refused = api.post("/v1/projects", json=NAMED)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:tranche:problem:archived")
    assert api.post(f"{path}/restore").status_code == 200
    assert api.post("/v1/projects", json=NAMED).status_code == 200


def test_an_external_id_is_of_one_workspace(api: Api, database: Database) -> None:
    other = api.as_key(new_key(database, workspace_name="other"))
    assert api.post("/v1/projects", json=NAMED).status_code == 201
    made = other.post("/v1/projects", json=NAMED | {"name": "theirs"})
    assert made.status_code == 201
    [found] = other.get("/v1/projects", params={"external_id": "digits"}).json()["items"]
    assert found == made.json()


def test_a_key_limited_to_a_project_finds_it_by_its_repeat(api: Api, database: Database) -> None:
    mine = api.post("/v1/projects", json=NAMED).json()["id"]
    limited = api.as_key(new_key(database, "write,read", project_ids=[mine]))
    assert limited.post("/v1/projects", json=NAMED).json()["id"] == mine
    other = NAMED | {"external_id": "other"}
    api.post("/v1/projects", json=other)
    assert limited.post("/v1/projects", json=other).json()["type"] == "urn:tranche:problem:forbidden"


def test_projects_without_an_external_id_are_made_anew_each_time(api: Api) -> None:
    unnamed = {name: value for name, value in NAMED.items() if name != "external_id"}
    ids = {api.post("/v1/projects", json=unnamed).json()["id"] for _ in range(2)}
    assert len(ids) == 2
    assert {one["external_id"] for one in api.get("/v1/projects").json()["items"]} == {None}


def test_projects_are_found_by_external_id_and_by_name(api: Api) -> None:
    for external_id, name in (("a", "x"), ("b", "x"), ("c", "y")):
        assert api.post("/v1/projects", json=NAMED | {"external_id": external_id, "name": name}).status_code == 201

    def found(**query: Any) -> list[str]:
        return [one["external_id"] for one in api.get("/v1/projects", params=query).json()["items"]]

    assert found(external_id="b") == ["b"]
    assert found(external_id="B") == []
    assert found(name="x") == ["a", "b"]
    assert found(name="x", external_id="c") == []
    assert found(name="%") == []
    page = api.get("/v1/projects", params={"name": "x", "limit": 1}).json()
    assert found(name="x", cursor=page["next_cursor"]) == ["b"]
    for bad in ({"external_id": ""}, {"external_id": "x" * 201}, {"name": "\0"}):
        assert api.get("/v1/projects", params=bad).status_code == 422, bad
    assert api.post("/v1/projects", json=NAMED | {"external_id": "\0"}).status_code == 422


def test_the_same_project_at_once_is_made_once(api: Api) -> None:
    answers = api.together([("POST", "/v1/projects", {"json": NAMED})] * 6)
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(api.get("/v1/projects").json()["items"]) == 1


def test_different_projects_at_once_under_one_external_id_are_one(api: Api) -> None:
    calls = [("POST", "/v1/projects", {"json": NAMED | {"external_id": "o", "name": f"n{n}"}}) for n in range(6)]
    answers = api.together(calls)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    assert len(api.get("/v1/projects").json()["items"]) == 1


def test_nulls_make_the_same_project_as_fields_left_out(api: Api) -> None:
    least = {"name": "p", "metric": {"upper": 1.0}, "budget": {"total": "10"}}
    nulls = {
        **dict.fromkeys(ProjectIn.model_fields),
        "name": "p",
        "metric": {**dict.fromkeys(Metric.model_fields), "upper": 1.0},
        "budget": {"total": "10", "rounds": None},
    }
    left_out, said = (api.post("/v1/projects", json=body) for body in (least, nulls))
    assert said.status_code == 201, said.text
    assert said.json() | {"id": 0} == left_out.json() | {"id": 0}


def test_null_in_a_patch_restores_the_defaults_of_a_project(api: Api) -> None:
    objective = {"kind": "isoelastic", "aversion": 2.0}
    path = api.project(objective=objective, recipe="r", value_per_utility="3")
    change = {"objective": None, "recipe": None, "value_per_utility": None}
    changed = api.patch(path, json=change).json()
    assert (changed["objective"], changed["recipe"]) == ({"kind": "utilitarian"}, "default")
    assert changed["value_per_utility"] is None
    assert api.patch(path, json={"name": None}).status_code == 422


def test_one_model_for_all_groups_is_usual_but_for_shares_of_variance(api: Api) -> None:
    path = api.project(model=None)
    assert api.get(path).json()["model"] == "joint"
    assert api.get(api.project(model=None, metric="r2")).json()["model"] == "separate"
    assert api.get(api.project(model="joint", metric="r2")).json()["model"] == "joint"
    assert api.patch(path, json={"model": "separate"}).json()["model"] == "separate"
    assert api.patch(path, json={"model": None}).json()["model"] == "joint"
    # What is there stays as it is, whatever else changes.
    assert api.patch(path, json={"metric": "r2", "name": "other"}).json()["model"] == "joint"
    assert api.patch(path, json={"model": None}).json()["model"] == "separate"
    body = problem(api.patch(path, json={"model": "both"}), 422)
    assert body["errors"][0]["pointer"] == "/model"
