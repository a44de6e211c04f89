"""The list of projects."""

from tests.api_client import RUNS, Api
from tests.conftest import new_key
from tests.web.browser_client import Pages, text_of


def test_the_list_says_what_waits_and_who_is_worst_off(api: Api, pages: Pages) -> None:
    assert "no project yet" in text_of(pages.get("/"))
    path = api.project(groups=[])
    assert "Add groups" in text_of(pages.get("/"))
    api.delete(path)
    path = api.project()
    assert "Post the first training runs" in text_of(pages.get("/"))
    api.post(f"{path}/observations", json={"observations": RUNS})
    shown = text_of(pages.get("/"))
    assert "Plan round 1" in shown
    assert "B accuracy 0.710" in shown
    assert "1,000.00 USD" in shown


def test_names_are_text(api: Api, pages: Pages) -> None:
    api.project(name="<script>alert(1)</script>")
    page = pages.get("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_other_workspaces_stay_unseen(api: Api, pages: Pages) -> None:
    path = api.project(name="ours alone")
    other = Pages(api)
    runtime = api.app.state.runtime
    other.sign_in(new_key(runtime.database, workspace_name="others"))
    assert "ours alone" not in other.get("/").text
    other.get("/")
    assert other.post(f"{path.removeprefix('/v1')}/restore").status_code == 404


def test_archived_projects_are_listed_apart_and_come_back(api: Api, pages: Pages) -> None:
    path = api.project(name="put away")
    api.delete(path)
    assert "put away" not in pages.get("/").text
    assert "put away" in pages.get("/?archived=true").text
    assert pages.post(f"{path.removeprefix('/v1')}/restore").headers["location"] == "/"
    assert "put away" in pages.get("/").text


def test_long_lists_have_pages(api: Api, pages: Pages) -> None:
    for number in range(26):
        api.project(name=f"project {number:02d}", groups=[])
    first = pages.get("/")
    assert "project 24" in first.text
    assert "project 25" not in first.text
    more = first.text.partition('<nav class="pager"')[2].partition('href="')[2].partition('"')[0]
    assert "project 25" in pages.get(more).text
    assert pages.get("/?after=nonsense").status_code == 422


def test_an_archived_project_is_erased_by_its_name(api: Api, pages: Pages) -> None:
    path = api.project(name="put away")
    api.delete(path)
    page = path.removeprefix("/v1")
    assert "Erase" in pages.get("/?archived=true").text
    wrong = pages.post(f"{page}/erase", {"name": "put aside"})
    assert wrong.status_code == 422
    assert "not the project&#39;s name" in wrong.text
    assert "put away" in pages.get("/?archived=true").text
    assert pages.post(f"{page}/erase", {"name": "put away"}).headers["location"] == "/?archived=true"
    [receipt] = api.get("/v1/erasures").json()["items"]
    assert receipt["id"] in pages.get("/?archived=true").text
    assert "put away" not in pages.get("/?archived=true").text


def test_only_admins_see_and_send_what_erases(api: Api, pages: Pages) -> None:
    path = api.project(name="put away")
    api.delete(path)
    pages.sign_in(new_key(api.app.state.runtime.database, "read,write"))
    assert "Erase" not in pages.get("/?archived=true").text
    assert pages.post(f"{path.removeprefix('/v1')}/erase", {"name": "put away"}).status_code == 403


def test_one_click_leads_to_an_example_of_whoever_may_make_projects(api: Api, pages: Pages) -> None:
    assert "Look at an example project" in pages.get("/").text
    answer = pages.post("/example")
    assert answer.status_code == 303
    assert pages.post("/example").headers["location"] == answer.headers["location"]
    shown = text_of(pages.get("/"))
    assert "Example: skin lesion triage" in shown
    assert "29,2" in shown
    reader = Pages(api)
    reader.sign_in(new_key(api.app.state.runtime.database, "read"))
    assert "Look at an example project" not in reader.get("/").text
    assert reader.post("/example").status_code == 403
