"""The page of learning curves says what the API says, without a script."""

import re

import pytest

from app.planner.curves.posterior import Diagnostics
from app.planner.curves.transfer import Received
from app.services.forecasts.curves import Curve, Summary
from app.services.ledger.holdings import NOTHING_AWAITED, Held, Stock
from app.web.curves_page import line_of
from tests.api_client import RUNS, Api, run
from tests.web.browser_client import Pages, text_of

NAME = "<script>alert(1)</script>"


@pytest.fixture
def project(api: Api) -> str:
    path = api.project(groups=[
        {"key": "A", "name": NAME, "initial_count": 200, "unit_cost": "1", "target": 0.8},
        {"key": "B", "initial_count": 100, "unit_cost": "2.00", "target": 0.999},
    ])  # fmt: skip
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    return path


def page_of(path: str) -> str:
    return f"{path.removeprefix('/v1')}/curves"


def test_the_table_says_what_the_api_says(api: Api, pages: Pages, project: str) -> None:
    answer = pages.get(page_of(project))
    assert answer.status_code == 200
    text = text_of(answer)
    assert NAME in text
    assert "<script>alert" not in answer.text
    for key in "AB":
        curve = api.get(f"{project}/curves/{key}").json()
        now = curve["now"]
        assert f"{now['mean']:.3f} {now['p05']:.3f} to {now['p95']:.3f}" in text
        for name, decimals in (("exponent", 2), ("asymptote", 3)):
            one = curve["parameters"][name]
            assert f"{one['mean']:.{decimals}f} {one['p05']:.{decimals}f} to {one['p95']:.{decimals}f}" in text
        assert f"{curve['diagnostics']['points']} points at 3 sizes" in text
        for warning in curve["warnings"]:
            assert warning["detail"] in text
    assert "out of reach" in text
    assert [re.search(rf'<noscript>.*charts/curve\.svg\?group={key}"', answer.text) for key in "AB"].count(None) == 0


def test_the_groups_that_teach_the_most_are_named() -> None:
    received = tuple(
        Received(key, weight, 0.0, 1.0) for key, weight in [("B", 0.2), ("C", 0.4), ("D", 0.1), ("E", 0.3)]
    )
    band = Summary(0.8, {"p05": 0.7, "p95": 0.9})
    stock = Stock(Held(100, 100.0), NOTHING_AWAITED)
    curve = Curve(
        "A", stock, band, {}, None, [(50, band), (100, band)], [], received, None, Diagnostics(3, 3, 100, 1), ()
    )
    line = line_of(curve, {"A": "one", "B": "B", "C": "sea", "D": "D"}, None)
    assert line.taught == [("sea", 0.4), ("E", 0.3), ("B", 0.2)]
    assert (line.name, line.curve.now, line.doubts) == ("one", band, ())


def test_what_samples_are_worth_to_each_other_is_a_table_of_one_model(api: Api, pages: Pages) -> None:
    path = api.project(model="joint")
    smaller = [run(9, {"A": 50, "B": 100}, A=0.71, B=0.69)]
    assert api.post(f"{path}/observations", json={"observations": RUNS + smaller}).status_code == 201
    page = pages.get(page_of(path)).text
    table = page[page.index("What a sample of the group above") :].split("</table>")[0]
    assert table.count('<th scope="col"') >= 3
    assert table.count('<th scope="row"') == 2
    for key in "AB":
        curve = api.get(f"{path}/curves/{key}").json()
        (one,) = curve["transfer"]
        weight = one["weight"]
        assert f"{weight['mean']:.2f}<br><small>{weight['p05']:.2f} to {weight['p95']:.2f}</small>" in table
        misfit = curve["misfit"]
        assert (misfit is None) == ("misfit takes" not in table)
        assert misfit is None or f"{misfit['mean']:.3f}<br>" in table
    assert api.patch(path, json={"model": "separate"}).status_code == 200
    assert "What a sample is worth" not in pages.get(page_of(path)).text


def test_groups_are_paged_by_twelve(api: Api, pages: Pages) -> None:
    groups = [{"key": f"g{at:02}", "initial_count": 100, "unit_cost": "1"} for at in range(20)]
    path = api.project(groups=groups)
    first, second = (text_of(pages.get(f"{page_of(path)}?page={at}")) for at in (1, 2))
    assert "Groups 1 to 12 of 20" in first
    assert "Groups 13 to 20 of 20" in second
    assert "g11" in first
    assert "g12" not in first
    assert "g12" in second
    assert "no groups on this page" in text_of(pages.get(f"{page_of(path)}?page=3"))


def test_a_project_without_groups_or_runs_has_a_page(api: Api, pages: Pages) -> None:
    assert "no groups yet" in text_of(pages.get(page_of(api.project(groups=[]))))
    answer = pages.get(page_of(api.project()))
    assert answer.status_code == 200
    assert "not yet" in text_of(answer)


def test_the_model_is_changed_beside_the_curves(api: Api, pages: Pages, project: str) -> None:
    page, place = page_of(project), f"{project.removeprefix('/v1')}/model"
    assert '<option value="separate" selected>' in pages.get(page).text
    answer = pages.post(place, {"model": "joint"})
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    assert api.get(project).json()["model"] == "joint"
    assert '<option value="joint" selected>' in pages.get(page).text
    assert "choose one of joint, separate" in text_of(pages.post(place, {"model": "both"}))
    assert api.get(project).json()["model"] == "joint"


def test_each_holdout_has_a_line_above_the_curves(api: Api, pages: Pages, project: str) -> None:
    chosen = run(7, {"A": 200, "B": 100}, A=0.78, B=0.72) | {"holdout": "<b>", "chosen_from": 20, "stderr": 0.01}
    assert api.post(f"{project}/observations", json={"observations": [chosen]}).status_code == 201
    answer = pages.get(page_of(project))
    text = text_of(answer)
    assert "Holdout default fresh 3 runs of 3 candidates, 0 rounds decided since" in text
    assert "Holdout <b>" in text
    assert "1 run of 20 candidates" in text
    assert "95 % interval ± 0.020, for all candidates together ± 0.030" in text
    assert text.index("Holdout default") < text.index("Exponent")
