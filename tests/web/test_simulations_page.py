"""Simulations on pages: asked by form, followed, and read as the API answers them."""

from datetime import timedelta
from typing import Any

import pytest

from app.settings import Settings
from app.store.db import Database
from tests.api_client import RUNS, Api
from tests.conftest import new_key
from tests.jobs.deck import Deck
from tests.web.browser_client import Pages, text_of

FORM = {"policy": ["optimal", "proportional"], "chosen": "optimal", "replicates": "6", "rounds": "2", "budget": ""}


@pytest.fixture
def deck(settings: Settings, database: Database, api: Api) -> Deck:
    return Deck.of(api, settings, database)


@pytest.fixture
def project(api: Api) -> str:
    path = api.project(name="<script>alert(1)</script>")
    assert api.post(f"{path}/observations", json={"observations": RUNS}).status_code == 201
    return path


def page_of(path: str) -> str:
    return path.removeprefix("/v1") + "/simulations"


def ask(pages: Pages, project: str, **changes: Any) -> str:
    """Sends the form; the simulation's page."""
    pages.get(page_of(project))
    answer = pages.post(page_of(project), {**FORM, **changes})
    assert answer.status_code == 303, text_of(answer)
    return str(answer.headers["location"])


def test_a_simulation_is_asked_by_form_and_its_answer_is_the_apis(
    api: Api, pages: Pages, deck: Deck, project: str
) -> None:
    path = ask(pages, project)
    waiting = pages.get(path)
    assert "Waiting for a worker" in text_of(waiting)
    assert "Load the page again" in text_of(waiting)
    deck.run()
    found = api.get(f"/v1{path}").json()
    assert found["state"] == "succeeded"
    assert found["question"]["policies"] == ["optimal", "proportional", "equal"]
    page = pages.get(path)
    text, result = text_of(page), found["result"]
    assert f"Optimal ends above an equal split in {100 * result['p_better_than_equal']:.0f} % of 6" in text
    for one in result["policies"]:
        assert f"{one['utility']['mean']:.4f} ± {1.645 * one['utility']['se']:.4f}" in text
    equal = next(one for one in result["policies"] if one["policy"] == "equal")
    difference = f"{equal['difference']['mean']:.5f}".replace("-", "−")
    assert f"{difference} ± {1.645 * equal['difference']['se']:.5f}" in text
    assert "<script>alert" not in page.text
    assert f"{100 * result['p_better_than_equal']:.0f} % of games" in text_of(pages.get(page_of(project)))
    for name in ("utility", "differences"):
        assert f"{path}/charts/{name}.svg" in page.text
        assert pages.get(f"{path}/charts/{name}.svg").text.startswith("<svg")
        assert pages.get(f"{path}/charts/{name}.json?narrow=true&theme=dark").json()["$schema"]


def test_first_results_are_shown_and_marked_with_the_time_that_is_left(
    api: Api, pages: Pages, deck: Deck, project: str
) -> None:
    path = ask(pages, project, replicates="20", rounds="1", policy="equal", chosen="equal")
    while "Of the first" not in text_of(pages.get(path)):
        deck.step()
        deck.clock.now += timedelta(minutes=1)
    text = text_of(pages.get(path))
    # Five parts of two games took a minute each, and one minute before them froze what they are played on.
    assert "50 % of 20 games played, about 6 min left." in text
    assert "Of the first 10 games alone" in text
    assert "/charts/" not in pages.get(path).text
    pages.post(f"{path}/cancel")
    deck.run()
    text = text_of(pages.get(path))
    assert "cancelled before all games were played" in text
    assert "Of the first 10 games alone" in text
    assert "% of the first" not in text_of(pages.get(page_of(project))), "equal counts are compared with nothing"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"replicates": "many"}, "replicates"),
        ({"replicates": "1"}, "replicates"),
        ({"rounds": "0"}, "rounds"),
        ({"budget": "-1"}, "budget"),
        ({"policy": []}, "policies"),
        ({"replicates": "2000", "rounds": "50", "policy": ["optimal", "greedy"]}, ""),
    ],
)
def test_a_question_that_makes_no_sense_is_shown_again_with_its_fault(
    api: Api, pages: Pages, project: str, changes: dict[str, Any], said: str
) -> None:
    pages.get(page_of(project))
    answer = pages.post(page_of(project), {**FORM, **changes})
    if not said:
        assert answer.status_code == 303
        return
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert 'class="fault"' in answer.text
    assert api.get(f"{project}/simulations").json()["items"] == []


def test_a_simulation_is_cancelled_and_says_so(api: Api, pages: Pages, project: str) -> None:
    path = ask(pages, project)
    pages.get(path)
    assert pages.post(f"{path}/cancel").status_code == 303
    assert api.get(f"/v1{path}").json()["state"] == "cancelled"
    assert "cancelled before all games were played" in text_of(pages.get(path))
    assert pages.get(f"{path}/charts/utility.svg").status_code == 409
    assert pages.post(f"{path}/cancel").status_code == 409


def test_a_failure_is_told_with_its_reason(pages: Pages, deck: Deck, api: Api) -> None:
    empty = api.project(metric={"name": "loss", "kind": "other", "goal": "minimize", "lower": 0.0, "upper": None})
    path = ask(pages, empty)
    deck.run()
    assert "It failed." in text_of(pages.get(path))
    assert "Nothing is known of the metric yet" in text_of(pages.get(path))


def test_who_may_only_read_starts_nothing(api: Api, pages: Pages, database: Database, project: str) -> None:
    path = ask(pages, project)
    reader = Pages(api)
    reader.sign_in(new_key(database, "read"))
    for place in (page_of(project), path):
        assert reader.get(place).text.count('method="post"') == 1, "signing out alone"
    assert reader.post(page_of(project), FORM).status_code == 403
    assert reader.post(f"{path}/cancel").status_code == 403
    assert reader.get(f"{page_of(project)}/{'0' * 8}-0000-7000-8000-{'0' * 12}").status_code == 404
    assert Pages(api).get(path).headers["location"].startswith("/sign-in")
