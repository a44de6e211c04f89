"""The plan page says what the API answers, plans again for what its form sends, and proposes what was looked at."""

import re
from html import unescape
from typing import Any

import httpx
import pytest

from app.charts.words import percent
from tests.api_client import RUNS, Api, run
from tests.conftest import new_key, one_database
from tests.web.browser_client import Pages, text_of
from tests.web.twenty import twenty_groups


@pytest.fixture
def path(api: Api) -> str:
    """Of a measured project, in the API; pages leave the /v1 out."""
    made = api.project(groups=[
        {"key": "A", "name": "<script>alert(1)</script>", "initial_count": 200, "unit_cost": "1", "target": 0.8},
        {"key": "B", "initial_count": 100, "unit_cost": "2.00"},
    ])  # fmt: skip
    assert api.post(f"{made}/observations", json={"observations": RUNS}).status_code == 201
    return made


def page_of(path: str) -> str:
    return path.removeprefix("/v1")


def rows_of(answer: httpx.Response) -> dict[str, list[str]]:
    """The cells of the groups' table by the group's name."""
    body = re.search(r"<caption>The next allocation.*?<tbody>(.*?)</tbody>", answer.text, re.DOTALL)
    assert body, text_of(answer)
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", body.group(1), re.DOTALL):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        name, *rest = [" ".join(unescape(re.sub(r"<[^>]*>", " ", cell)).split()) for cell in cells]
        found[name] = rest
    return found


def assert_shows(answer: httpx.Response, plan: dict[str, Any]) -> None:
    rows = rows_of(answer)
    names = {"A": "<script>alert(1)</script>", "B": "B"}
    for one in plan["groups"]:
        now, add, cost, before, after, why = rows[names[one["group"]]]
        assert (now, add) == (f"{one['count']:,}", f"{one['add']:,}")
        assert cost == f"{float(one['cost']):,.2f}"
        assert before == f"{one['metric_now']['mean']:.3f}"
        band = one["metric_after"]
        assert after == f"{band['mean']:.3f} {band['p05']:.3f} to {band['p95']:.3f}"
        assert one["reason"].split(":")[0] in why


def test_the_page_shows_the_allocation_of_the_api(api: Api, pages: Pages, path: str) -> None:
    answer = pages.get(page_of(path))
    assert answer.status_code == 200
    plan = api.get(f"{path}/allocations/next").json()
    assert_shows(answer, plan)
    rule = plan["utility"]["best_simple_rule"]
    name = {"equal": "equal counts", "equal_spend": "equal money", "proportional": "by weight"}[rule["policy"]]
    chance = percent(rule["gain"]["p_better"])
    assert f"by the best simple rule, {name}</dt><dd>{chance}</dd>" in answer.text
    assert rule["finding"]
    assert f"<p>{rule['finding']}</p>" in answer.text


@pytest.mark.parametrize("query", [{"budget": "120"}, {"policy": "equal"}, {"budget": "77.5", "policy": "worst_first"}])
def test_the_form_plans_for_another_budget_and_policy(api: Api, pages: Pages, path: str, query: dict[str, str]) -> None:
    answer = pages.get(page_of(path), params=query)
    assert_shows(answer, api.get(f"{path}/allocations/next", params=query).json())


def test_another_objective_plans_as_a_scenario_does_and_is_not_proposed(api: Api, pages: Pages, path: str) -> None:
    answer = pages.get(page_of(path), params={"objective": "maximin"})
    scenario = {"objective": {"kind": "maximin"}, "name": "worst first"}
    asked = api.post(f"{path}/allocations/what-if", json={"scenarios": [scenario]}).json()["scenarios"][0]
    assert rows_of(answer)["B"][1] == f"{asked['groups']['B']['add']:,}"
    assert "Propose this round" not in answer.text
    version = api.get(path).json()["data_version"]
    refused = pages.post(f"{page_of(path)}/propose", {"data_version": version, "objective": "maximin"})
    assert refused.status_code == 409
    assert api.get(f"{path}/rounds").json()["items"] == []


def test_another_objective_can_be_made_the_projects(api: Api, pages: Pages, path: str) -> None:
    pages.get(page_of(path), params={"objective": "maximin"})
    assert pages.post(f"{page_of(path)}/objective", {"objective.kind": "maximin"}).status_code == 303
    assert api.get(path).json()["objective"]["kind"] == "maximin"
    refused = pages.post(f"{page_of(path)}/objective", {"objective.kind": "nonsense"})
    assert refused.status_code == 422


@one_database
def test_a_bar_for_each_stakeholder_has_the_share_of_the_api(api: Api, pages: Pages, path: str) -> None:
    assert "stakeholders fare" not in pages.get(page_of(path)).text
    worst = {"name": "the <worst> off", "objective": {"kind": "maximin"}}
    first = {"name": "for A", "objective": {"kind": "utilitarian"}, "weights": {"A": 1}}
    api.patch(path, json={"stakeholders": [worst, first], "objective": {"kind": "compromise"}})
    page, plan = pages.get(page_of(path)).text, api.get(f"{path}/allocations/next").json()
    bars = re.findall(r'<progress max="1" value="([^"]+)" aria-label="([^"]+)">', page)
    assert {unescape(name): float(value) for value, name in bars} == pytest.approx(
        {one["name"]: one["share"] for one in plan["stakeholders"]}
    )
    assert "A compromise of the stakeholders" in page


def test_a_fragment_is_the_plan_alone(pages: Pages, path: str) -> None:
    answer = pages.get(page_of(path), params={"fragment": "true", "budget": "50"})
    assert "<html" not in answer.text
    assert "Measure before you buy round 1" in text_of(answer)


def test_proposing_makes_the_round_that_was_looked_at(api: Api, pages: Pages, path: str) -> None:
    pages.get(page_of(path), params={"budget": "120"})
    plan = api.get(f"{path}/allocations/next", params={"budget": "120"}).json()
    answer = pages.post(f"{page_of(path)}/propose", {"data_version": plan["data_version"], "budget": "120"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{page_of(path)}/rounds/1")
    [made] = api.get(f"{path}/rounds").json()["items"]
    assert (made["state"], made["cost"]) == ("proposed", plan["budget"]["spend"])
    assert api.get(f"{path}/rounds/1/allocation").json()["groups"] == plan["groups"]


def test_what_moved_since_is_shown_anew_and_not_proposed(api: Api, pages: Pages, path: str) -> None:
    pages.get(page_of(path))
    version = api.get(path).json()["data_version"]
    more = [run(4, {"A": 300, "B": 150}, A=0.79, B=0.74)]
    api.post(f"{path}/observations", json={"observations": more})
    answer = pages.post(f"{page_of(path)}/propose", {"data_version": version})
    assert answer.status_code == 409
    assert "The data changed since you looked" in text_of(answer)
    assert_shows(answer, api.get(f"{path}/allocations/next").json())
    assert api.get(f"{path}/rounds").json()["items"] == []


def test_a_second_proposal_waits_for_the_first(api: Api, pages: Pages, path: str) -> None:
    pages.get(page_of(path))
    version = api.get(path).json()["data_version"]
    assert pages.post(f"{page_of(path)}/propose", {"data_version": version}).status_code == 303
    answer = pages.post(f"{page_of(path)}/propose", {"data_version": version})
    assert answer.status_code == 409
    assert "accept, edit, decline or cancel it first" in text_of(answer)


def test_a_key_that_reads_sees_no_button_and_may_not_propose(api: Api, path: str) -> None:
    reader = Pages(api)
    reader.sign_in(new_key(api.app.state.runtime.database, "read"))
    answer = reader.get(page_of(path))
    assert answer.status_code == 200
    assert "Propose this round" not in answer.text
    version = api.get(path).json()["data_version"]
    assert reader.post(f"{page_of(path)}/propose", {"data_version": version}).status_code == 403
    assert reader.post(f"{page_of(path)}/objective", {"objective.kind": "maximin"}).status_code == 403
    assert api.get(f"{path}/rounds").json()["items"] == []


@pytest.mark.parametrize(("query", "said"), [
    ({"budget": "99999"}, "is more than the"),
    ({"budget": "much"}, "is no number"),
    ({"budget": "1.000"}, "may be 1 or 1000"),
    ({"policy": "none"}, "no such policy"),
    ({"objective": "none"}, "choose project or one of"),
])  # fmt: skip
def test_what_cannot_be_planned_is_told_with_the_form(
    pages: Pages, path: str, query: dict[str, str], said: str
) -> None:
    answer = pages.get(page_of(path), params=query)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert 'id="plan-form"' in answer.text


def test_warnings_stand_beside_the_group_that_they_concern(api: Api, pages: Pages) -> None:
    path = api.project()
    few = [run(1, {"A": 50, "B": 25}, A=0.70)]
    api.post(f"{path}/observations", json={"observations": few})
    warnings = api.get(f"{path}/allocations/next").json()["warnings"]
    assert any(one["group"] for one in warnings)
    rows = rows_of(pages.get(page_of(path)))
    for one in warnings:
        if one["group"]:
            assert one["detail"][:20] in rows[one["group"]][-1]


def test_many_groups_are_paged(api: Api, pages: Pages) -> None:
    groups = [{"key": f"g{at:03}", "initial_count": 20 + at, "unit_cost": "1"} for at in range(120)]
    path = api.project(groups=groups)
    found: set[str] = set()
    for number, count in ((1, 25), (2, 25), (3, 25), (4, 25), (5, 20)):
        rows = rows_of(pages.get(page_of(path), params={"page": number}))
        assert len(rows) == count
        found |= rows.keys()
    assert len(found) == 120


def test_many_groups_are_filtered_and_sorted_and_summed_by_what_they_have_in_common(api: Api, pages: Pages) -> None:
    groups: list[dict[str, Any]] = [
        {
            "key": f"g{at:02}",
            "name": f"{'zyx'[at % 3]}{at:02}",
            "initial_count": 60 + 40 * at,
            "unit_cost": f"{1 + at % 4}",
            "attributes": {"side": "left" if at < 8 else "right"},
        }
        for at in range(20)
    ]
    path = api.project(groups=groups)
    counts = {one["key"]: one["initial_count"] for one in groups}
    runs = [
        run(
            number,
            {key: int(share * count) for key, count in counts.items()},
            **{key: 0.9 - 2.0 / (share * count) ** 0.5 for key, count in counts.items()},
        )
        for number, share in ((1, 0.25), (2, 0.5), (3, 1.0))
    ]
    assert api.post(f"{path}/observations", json={"observations": runs}).status_code == 201
    plan = {one["group"]: one for one in api.get(f"{path}/allocations/next").json()["groups"]}
    names = {one["key"]: one["name"] for one in groups}
    bought = {names[key] for key, one in plan.items() if one["add"]}
    assert 0 < len(bought) < 20

    def names_shown(**query: str) -> list[str]:
        return list(rows_of(pages.get(page_of(path), params=query)))

    assert set(names_shown(show="bought")) == bought
    assert set(names_shown(show="nothing")) == set(names.values()) - bought
    assert names_shown(sort="name") == sorted(names.values())
    assert names_shown(sort="worst") == [
        names[key] for key in sorted(plan, key=lambda key: plan[key]["metric_after"]["mean"])
    ]
    assert set(names_shown(level="side: left")) == {one["name"] for one in groups[:8]}
    page = text_of(pages.get(page_of(path)))
    assert f"{len(bought)} groups get something, {20 - len(bought)} nothing" in page
    left = sum(plan[f"g{at:02}"]["add"] for at in range(8))
    assert re.search(rf"By side .*left 8 \d+ {left:,} ", page)
    refused = pages.get(page_of(path), params={"sort": "luck"})
    assert "choose one of cost, worst, gain, name" in text_of(refused)


def test_a_hostile_name_is_text(pages: Pages, path: str) -> None:
    assert "<script>alert(1)" not in pages.get(page_of(path)).text


def test_another_workspaces_project_is_not_there(api: Api, path: str) -> None:
    other = Pages(api)
    other.sign_in(new_key(api.app.state.runtime.database, "admin", workspace_name="other"))
    assert other.get(page_of(path)).status_code == 404


def test_charts_follow_the_objective_that_is_looked_at(api: Api, pages: Pages, path: str) -> None:
    charts = f"{page_of(path)}/charts/marginal-utility.json"
    own = pages.get(charts, params={"objective": "project"})
    other = pages.get(charts, params={"objective": "maximin"})
    assert own.status_code == other.status_code == 200
    assert own.json()["data"] == api.get(f"{path}/charts/marginal-utility.json").json()["data"]
    assert other.json()["data"] != own.json()["data"]
    assert other.headers["ETag"] != own.headers["ETag"]
    assert pages.get(charts, params={"objective": "nothing"}).status_code == 422
    assert "objective=maximin" in pages.get(page_of(path), params={"objective": "maximin"}).text


def test_all_of_a_plan_page_is_small_over_the_wire(pages: Pages, api: Api) -> None:
    """With every chart that may be scrolled to, of twelve groups: below 450 kB."""
    page = pages.get(page_of(twenty_groups(api, 12)))
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    scripts = [pages.get(one).text for one in files if one.endswith(".js")]
    names = re.findall(r'from "[.]/([^"]+)"', "".join(scripts))
    imported = [f"{files[0].rpartition('/')[0]}/{name}" for name in names]
    charts = [unescape(one).replace(".json", ".svg") for one in re.findall(r'data-spec="([^"]+)"', page.text)]
    assert len(charts) >= 15
    answers = [page, *(pages.get(one, headers={"Accept-Encoding": "gzip"}) for one in {*files, *imported, *charts})]
    assert [one.status_code for one in answers] == [200] * len(answers)
    sent = sum(int(one.headers["content-length"]) for one in answers)
    assert sent < 450_000, sent


def test_sources_that_are_not_clean_say_what_they_are_worth_and_link_a_pilot(api: Api, pages: Pages, path: str) -> None:
    offer = {"key": "web & co", "group": "A", "unit_cost": "0.50", "quality": None}
    assert "What sources are worth" not in text_of(pages.get(page_of(path)))
    assert api.post(f"{path}/sources", json=offer).status_code == 201
    answer = pages.get(page_of(path))
    assert "web & co : worth 0.69 of a clean sample" in text_of(answer)
    assert "USD a piece: undecided" in text_of(answer)
    [link] = re.findall(r'href="([^"]*pilot=[^"]*)"', answer.text)
    shown = text_of(pages.get(unescape(link)))
    assert "A pilot of 250 samples from web & co" in shown
    assert "the quality of 'web & co' is known to" in shown
    assert pages.get(f"{page_of(path)}/measurement-plan?pilot=nothing").status_code == 422
    api.patch(f"{path}/sources/web%20%26%20co", json={"quality": 0.8})
    answer = pages.get(page_of(path))
    assert "worth 0.80 of a clean sample, pays below 0.8 USD a piece: buy" in text_of(answer)
    assert "pilot=" not in answer.text


def test_the_page_names_what_the_licence_rule_leaves_out_and_what_that_costs(api: Api, pages: Pages) -> None:
    sources = [
        {"key": "nc", "group": "A", "unit_cost": "1", "license": "CC-BY-NC-4.0"},
        {"key": "by", "group": "A", "unit_cost": "2", "license": "CC-BY-4.0"},
    ]
    curve = {"asymptote": 0.0, "scale": 1.0, "exponent": 0.5}
    made = api.project(
        groups=[{"key": "A", "initial_count": 4, "assumed_curve": curve}],
        sources=sources,
        licence_rule={"require": ["commercial"]},
    )
    answer = pages.get(page_of(made))
    text = text_of(answer)
    assert "1 source is left out by the licence rule. What that costs" in text
    assert "nc CC-BY-NC-4.0 commercial is forbidden, not allowed" in text
    assert "Collected from by CC-BY-4.0" in text
    link = re.search(r'<a href="([^"]*)">What that costs', answer.text)
    assert link
    scenarios = text_of(pages.get(unescape(link[1])))
    assert re.search(r"with the licence rule 500\.00 .* without it 500\.00", scenarios)


@one_database
def test_a_budget_is_read_as_people_write_it(api: Api, pages: Pages, path: str) -> None:
    page = pages.get(page_of(path), params={"budget": "$120,5"})
    assert page.status_code == 200, text_of(page)
    assert "budget=120.5&amp;" in page.text
    plan = api.get(f"{path}/allocations/next", params={"budget": "120.5"}).json()
    answer = pages.post(f"{page_of(path)}/propose", {"data_version": plan["data_version"], "budget": "120,50"})
    assert answer.status_code == 303, text_of(answer)
    assert api.get(f"{path}/rounds/1").json()["cost"] == plan["budget"]["spend"]


@one_database
def test_a_project_without_groups_leads_to_where_they_are_added(api: Api, pages: Pages) -> None:
    path = page_of(api.project(groups=[]))
    for page in ("", "/curves", "/measurement-plan"):
        assert f'href="{path}/groups">To the groups' in pages.get(f"{path}{page}").text, page
