"""Simulations over HTTP and in their jobs: parts spread, repeat and end in one answer."""

from typing import Any

import pytest

from app.errors import Unavailable
from app.jobs import simulate as jobs
from app.services.simulations import simulations as service
from app.services.simulations.simulations import PART, SIMULATE
from app.settings import Settings
from app.store.db import Database
from tests.api.http.test_bad_input import problem
from tests.api_client import RUNS, Api
from tests.conftest import new_key
from tests.jobs.deck import Deck
from tests.jobs.worker import working
from tests.waiting import until

SMALL = {"policies": ["optimal", "proportional"], "replicates": 6, "rounds": 2, "draws": 20}


@pytest.fixture
def deck(settings: Settings, database: Database, api: Api) -> Deck:
    return Deck.of(api, settings, database)


def measured(api: Api, **changes: Any) -> str:
    project = api.project(**changes)
    assert api.post(f"{project}/observations", json={"observations": RUNS}).status_code == 201
    return project


def start(api: Api, project: str, **question: Any) -> str:
    """The simulation's path."""
    answer = api.post(f"{project}/simulations", json={**SMALL, **question})
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json()['job_id']}"
    return f"{project}/simulations/{answer.json()['id']}"


def forget_refits(deck: Deck) -> None:
    deck.cards = [card for card in deck.cards if card.name in (SIMULATE, PART)]


def finished(api: Api, deck: Deck, path: str) -> dict[str, Any]:
    forget_refits(deck)
    deck.run()
    found: dict[str, Any] = api.get(path).json()
    assert found["state"] == "succeeded", found
    return found


def test_a_simulation_tells_what_each_policy_reaches(api: Api, deck: Deck) -> None:
    project = measured(api)
    version = api.get(project).json()["data_version"]
    path = start(api, project)
    assert api.get(path).json()["state"] == "queued"
    found = finished(api, deck, path)
    result = found["result"]
    assert (found["progress"], found["data_version"]) == (1.0, version)
    assert (result["games"], result["rounds"], result["budget"]) == (6, 2, "1000.00")
    table = {one["policy"]: one for one in result["policies"]}
    assert list(table) == ["optimal", "proportional", "equal"]
    assert table["optimal"]["difference"] == {"mean": 0.0, "se": 0.0}
    assert result["oracle"]["regret"] == 0.0
    assert result["oracle"]["utility"]["mean"] >= max(one["utility"]["mean"] for one in table.values()) - 1e-3
    for one in table.values():
        assert len(one["path"]) == 3
        assert one["path"][-1] == one["utility"]
        gap = one["utility"]["mean"] - table["optimal"]["utility"]["mean"]
        assert one["difference"]["mean"] == pytest.approx(gap, abs=1e-12)
    assert 1.0 - table["equal"]["p_better"] == pytest.approx(result["p_better_than_equal"])
    # By hand, at 1 and 2 a sample: 166 of each for 498 of each round's 500, and two more of A for the rest.
    assert table["equal"]["added"] == {"A": 336.0, "B": 332.0}
    assert api.get(f"/v1/jobs/{found['job_id']}").json()["result"] == {"simulation_id": found["id"]}
    assert api.get(project).json()["data_version"] == version
    assert api.get(f"{project}/simulations").json()["items"] == [found]


def test_the_same_question_has_the_same_answer_however_it_is_cut(
    api: Api, deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = measured(api)
    whole = finished(api, deck, start(api, project))
    monkeypatch.setattr(service, "PARTS", 2)
    halves = finished(api, deck, start(api, project))
    assert halves["result"] == whole["result"]
    assert finished(api, deck, start(api, project, seed=1))["result"] != whole["result"]


def test_changes_of_the_project_do_not_reach_into_a_simulation(api: Api, deck: Deck) -> None:
    project = measured(api)
    alone = finished(api, deck, start(api, project))
    path = start(api, project)
    forget_refits(deck)
    deck.step()
    deck.step()
    api.patch(f"{project}/sources/A", json={"unit_cost": "9"})
    assert finished(api, deck, path)["result"] == alone["result"]


def test_a_part_that_runs_twice_counts_once(api: Api, deck: Deck) -> None:
    project = measured(api)
    path = start(api, project)
    forget_refits(deck)
    first = deck.step()
    jobs.simulate(deck.context, first.args)
    parts = list(deck.cards)
    deck.step()
    jobs.simulate_part(deck.context, parts[0].args)
    assert 0 < api.get(path).json()["progress"] < 1
    found = finished(api, deck, path)
    jobs.simulate_part(deck.context, parts[-1].args)
    assert api.get(path).json() == found
    assert len(parts) == 6


def test_a_cancelled_simulation_plays_no_further(api: Api, deck: Deck) -> None:
    project = measured(api)
    path = start(api, project)
    forget_refits(deck)
    deck.step()
    deck.step()
    job = f"/v1/jobs/{api.get(path).json()['job_id']}"
    assert api.post(f"{job}/cancel").status_code == 200
    deck.run()
    found = api.get(path).json()
    assert (found["state"], found["result"]) == ("cancelled", None)
    assert 0 < found["progress"] < 1
    assert problem(api.get(f"{path}/charts/utility.svg"), 409)["detail"].startswith("The simulation is cancelled")


def test_a_part_that_keeps_failing_ends_the_simulation_and_one_that_recovers_does_not(
    api: Api, deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = measured(api)
    path = start(api, project)
    forget_refits(deck)
    deck.step()
    part = deck.cards[0].args

    def broken(*_: Any) -> bytes:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(service, "play", broken)
        for _ in range(service.MAX_ATTEMPTS - 1):
            with pytest.raises(Unavailable):
                jobs.simulate_part(deck.context, part)
    found = finished(api, deck, path)
    assert found["error"] is None

    path = start(api, project)
    deck.step()
    monkeypatch.setattr(service, "play", broken)
    for _ in range(service.MAX_ATTEMPTS - 1):
        with pytest.raises(Unavailable):
            jobs.simulate_part(deck.context, deck.cards[0].args)
    jobs.simulate_part(deck.context, deck.cards[0].args)
    found = api.get(path).json()
    assert (found["state"], found["error"]) == ("failed", "away")
    deck.run()
    assert api.get(path).json()["state"] == "failed"


def test_constraints_that_cannot_be_kept_are_told_in_the_projects_words(api: Api, deck: Deck) -> None:
    project = measured(api)
    api.patch(f"{project}/groups/A", json={"min_count": 5000})
    path = start(api, project)
    forget_refits(deck)
    deck.run()
    found = api.get(path).json()
    assert found["state"] == "failed"
    assert "Raise the budget from 500 to 4,800" in found["error"]


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ({"policies": []}, "/policies"),
        ({"policies": ["oracle"]}, "/policies/0"),
        ({"chosen": "best"}, "/chosen"),
        ({"replicates": 1}, "/replicates"),
        ({"replicates": 1e9}, "/replicates"),
        ({"rounds": 0}, "/rounds"),
        ({"draws": 5}, "/draws"),
        ({"budget": "-1"}, "/budget"),
        ({"objective": {"kind": "isoelastic", "aversion": -1}}, "/objective"),
        ({"until": 1}, "/until"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_where_it_does_not(
    api: Api, deck: Deck, question: dict[str, Any], pointer: str
) -> None:
    project = measured(api)
    refused = problem(api.post(f"{project}/simulations", json=question), 422)
    assert refused["errors"][0]["pointer"].startswith(pointer)
    assert api.get(f"{project}/simulations").json()["items"] == []


def test_too_much_work_is_refused_with_what_would_be_possible(api: Api, deck: Deck) -> None:
    groups = [{"key": f"g{n}", "initial_count": 10, "unit_cost": "1"} for n in range(300)]
    project = measured_large(api, groups)
    refused = problem(api.post(f"{project}/simulations", json={"replicates": 2000, "rounds": 50}), 422)
    assert refused["errors"][0]["pointer"] == "/replicates"
    assert "at most 29 games" in refused["errors"][0]["detail"]


def measured_large(api: Api, groups: list[dict[str, Any]]) -> str:
    return api.project(groups=groups)


def test_a_project_without_groups_or_knowledge_has_nothing_to_simulate(api: Api, deck: Deck) -> None:
    empty = api.project(groups=[])
    assert api.post(f"{empty}/simulations", json=SMALL).status_code == 422
    open_metric = {"name": "loss", "kind": "other", "goal": "minimize", "lower": 0.0, "upper": None}
    unknown = api.project(metric=open_metric)
    path = start(api, unknown)
    forget_refits(deck)
    deck.run()
    assert api.get(path).json()["state"] == "failed"
    assert "Post one evaluated run" in api.get(path).json()["error"]


def test_another_workspace_sees_no_simulation_and_a_reader_starts_none(
    api: Api, deck: Deck, database: Database
) -> None:
    project = measured(api)
    path = start(api, project)
    stranger = api.as_key(new_key(database, workspace_name="other"))
    assert stranger.get(path).status_code == 404
    assert stranger.get(f"{path}/charts/utility.json").status_code == 404
    reader = api.as_key(new_key(database, "read"))
    assert reader.get(path).status_code == 200
    assert reader.post(f"{project}/simulations", json=SMALL).status_code == 403
    assert api.get(f"{api.project()}/simulations/{path.rsplit('/', 1)[1]}").status_code == 404


def test_charts_say_what_was_found_in_every_format(api: Api, deck: Deck) -> None:
    path = start(api, measured(api, name="a <script> & co"))
    found = finished(api, deck, path)
    for name in ("utility", "differences"):
        spec = api.get(f"{path}/charts/{name}.json").json()
        assert any(character.isdigit() for character in " ".join(spec["title"]["text"]))
        drawn = api.get(f"{path}/charts/{name}.svg", params={"theme": "dark"})
        assert drawn.headers["Content-Type"].startswith("image/svg+xml")
        assert "<script>" not in drawn.text
        assert api.get(f"{path}/charts/{name}.png").content.startswith(b"\x89PNG")
    lines = api.get(f"{path}/charts/utility.json").json()["data"]["values"]
    oracle = [one["utility"] for one in lines if one["policy"] == "Oracle"]
    assert oracle == [after["mean"] for after in found["result"]["oracle"]["path"]]
    assert api.get(f"{path}/charts/other.svg").status_code == 422


def test_idempotency_starts_one_simulation(api: Api, deck: Deck) -> None:
    project = measured(api)
    answers = [api.post(f"{project}/simulations", json=SMALL, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(api.get(f"{project}/simulations").json()["items"]) == 1


def test_a_worker_plays_it_to_its_end(api: Api, settings: Settings) -> None:
    project = measured(api)
    path = start(api, project)
    with working(settings):
        until(lambda: api.get(path).json()["state"] == "succeeded")
    assert api.get(path).json()["result"]["games"] == 6


def test_after_ten_games_there_is_a_first_result_which_grows(api: Api, deck: Deck) -> None:
    path = start(api, measured(api), replicates=24, rounds=1, policies=["equal"], chosen="equal")
    forget_refits(deck)
    told = []
    while deck.cards:
        deck.step()
        found = api.get(path).json()
        told.append((found["state"], found["result"] and found["result"]["games"]))
    begun = [("running", None)] * 5
    assert told == [*begun, *(("running", games) for games in range(10, 24, 2)), ("succeeded", 24)]


@pytest.mark.parametrize("games", [2, 16, 17, 80, 81, 100, 2000])
def test_parts_are_few_and_the_first_ten_games_are_soon_played(games: int) -> None:
    sizes = service.sizes_of_parts(games)
    assert sum(sizes) == games
    assert min(sizes) > 0
    assert len(sizes) <= service.PARTS
    assert sum(sizes[:2]) <= service.FIRST_GAMES
