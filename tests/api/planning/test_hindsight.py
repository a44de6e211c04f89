"""Looking back on closed rounds over HTTP: a case worked out by hand; what is kept of a round's time, and what not."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api_client import Api
from tests.conftest import one_database

LOSS = {"name": "loss", "kind": "other", "goal": "minimize", "lower": 0.0}
CURVES = {"A": 1.0, "B": 4.0}
"""Scales of f = a n^-.5."""


def made(api: Api, **more: Any) -> str:
    return api.project(
        metric=LOSS,
        budget={"total": "3000", "rounds": 3},
        groups=[
            {
                "key": key,
                "initial_count": 0,
                "reference_loss": 1.0,
                "assumed_curve": {"asymptote": 0.0, "scale": scale, "exponent": 0.5},
            }
            for key, scale in CURVES.items()
        ],
        sources=[{"key": key, "group": key, "unit_cost": "1"} for key in CURVES],
        **more,
    )


def bought(api: Api, path: str, orders: dict[str, int], name: str = "p1") -> None:
    answer = api.post(f"{path}/purchases", json={"external_id": name, "orders": orders})
    assert answer.status_code == 201, answer.text


def asked(api: Api, path: str, **query: Any) -> dict[str, Any]:
    answer = api.get(f"{path}/rounds/hindsight", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_equal_purchase_is_held_against_the_best(api: Api) -> None:
    path = made(api)
    bought(api, path, {"A": 500, "B": 500})
    found = asked(api, path)
    [one] = found["rounds"]
    assert one["actual"]["utility"]["mean"] == pytest.approx(-0.111803, abs=1e-6)
    assert one["actual"]["added"] == {"A": 500, "B": 500}
    best = one["best"]
    assert (best["policy"], best["hindsight"], best["added"]) == ("optimal", True, {"A": 284, "B": 716})
    assert best["utility"]["mean"] == pytest.approx(-0.104413, abs=1e-6)
    assert best["difference"]["mean"] == pytest.approx(0.007390, abs=1e-6)
    assert [(row["policy"], row["hindsight"]) for row in one["policies"]] == [
        ("equal", False),
        ("equal_spend", False),
        ("proportional", False),
    ]
    assert one["policies"][0]["difference"]["mean"] == 0.0
    assert (one["number"], one["spent"], one["as_today"]) == (1, "1000.00", [])
    # It was forecast by the same curves.
    assert one["forecast"]["mean"] == pytest.approx(-0.111803, abs=1e-6)
    assert found["all"]["best"] == best
    assert (found["left_out"], found["forecasts"], found["coverage"]) == (0, 0, None)


def test_the_same_question_is_answered_once(api: Api) -> None:
    path = made(api)
    bought(api, path, {"A": 500, "B": 500})
    answer = api.get(f"{path}/rounds/hindsight")
    tag = answer.headers["etag"]
    assert api.get(f"{path}/rounds/hindsight", headers={"If-None-Match": tag}).status_code == 304
    assert api.get(f"{path}/rounds/hindsight").content == answer.content
    bought(api, path, {"A": 10}, "p2")
    assert api.get(f"{path}/rounds/hindsight", headers={"If-None-Match": tag}).status_code == 200


@one_database
def test_rounds_one_by_one_and_together(api: Api) -> None:
    path = made(api)
    bought(api, path, {"A": 1000})
    bought(api, path, {"B": 1000}, "p2")
    found = asked(api, path, policies="equal")
    first, second = found["rounds"]
    assert first["policies"][0]["added"] == {"A": 500, "B": 500}
    # By itself the second round begins where the first one ended, at 1,000 of A and none of B.
    assert second["policies"][0]["added"] == {"A": 500, "B": 500}
    worse = (1500**-0.5 + 4 * 500**-0.5) / 2 - (1000**-0.5 + 4 * 1000**-0.5) / 2
    assert second["policies"][0]["difference"]["mean"] == pytest.approx(-worse)
    # Together an equal split of either round ends where both of them did.
    assert found["all"]["policies"][0]["added"] == {"A": 1000, "B": 1000}
    assert found["all"]["policies"][0]["difference"]["mean"] == pytest.approx(0.0)
    # The best of the whole money: n ∝ a^(2/3).
    of_b = 2000 * 4 ** (2 / 3) / (1 + 4 ** (2 / 3))
    assert found["all"]["best"]["added"]["B"] == pytest.approx(of_b, abs=1.0)
    assert found["all"]["spent"] == "2000.00"


@one_database
def test_prices_of_then_are_kept_and_the_rest_is_said_to_be_of_today(api: Api) -> None:
    path = made(api)
    bought(api, path, {"A": 500, "B": 500})
    api.clock.now += timedelta(hours=1)
    assert api.patch(f"{path}/sources/A", json={"unit_cost": "9", "max_order": 600}).status_code == 200
    assert api.patch(f"{path}/groups/B", json={"weight": 3.0}).status_code == 200
    [one] = asked(api, path, policies="equal")["rounds"]
    assert one["policies"][0]["added"] == {"A": 500, "B": 500}
    assert one["as_today"] == ["/sources/A/max_order", "/groups/B/weight"]
    # Of a source that it did not order from a round keeps no price.
    bought(api, path, {"B": 100}, "p2")
    api.clock.now += timedelta(hours=1)
    assert api.patch(f"{path}/sources/A", json={"unit_cost": "10"}).status_code == 200
    [_, two] = asked(api, path, policies="equal")["rounds"]
    assert two["as_today"] == ["/sources/A/unit_cost"]


@one_database
def test_sources_of_later_are_not_on_offer_then_and_archived_ones_are(api: Api) -> None:
    path = made(api)
    bought(api, path, {"A": 500, "B": 500})
    assert api.post(f"{path}/sources", json={"key": "C", "yields": {"B": 1.0}, "unit_cost": ".01"}).status_code == 201
    assert api.delete(f"{path}/sources/A").status_code == 204
    [one] = asked(api, path)["rounds"]
    assert one["best"]["added"] == {"A": 284, "B": 716}


@one_database
def test_a_source_delivers_to_other_policies_as_it_did(api: Api) -> None:
    """Half of what A sent was rejected: an order of A for another policy loses half as well."""
    path = made(api)
    body = {"external_id": "p", "orders": {"A": {"groups": {"A": {"accepted": 200, "rejected": 200}}}, "B": 600}}
    answer = api.post(f"{path}/purchases", json=body)
    assert answer.status_code == 201, answer.text
    [one] = asked(api, path, policies="equal_spend")["rounds"]
    assert one["actual"]["added"] == {"A": 200, "B": 600}
    [spent_alike] = one["policies"]
    assert spent_alike["added"] == {"A": 250, "B": 500}


@one_database
def test_another_objective_may_be_asked(api: Api) -> None:
    path = made(api)
    bought(api, path, {"A": 500, "B": 500})
    found = asked(api, path, objective="maximin")
    assert found["objective"]["kind"] == "maximin"
    [one] = found["rounds"]
    # n ∝ a²: both losses are the same.
    assert one["best"]["added"] == {"A": pytest.approx(59, abs=1), "B": pytest.approx(941, abs=1)}
    assert one["forecast"] is None


@one_database
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"policies": "equal,people"}, "?policies"),
        ({"policies": ""}, "?policies"),
        ({"objective": "people"}, "?objective"),
        ({"objective": "compromise"}, "?objective"),
        ({"draws": 1}, "?draws"),
        ({"nothing": 1}, "?nothing"),
    ],
)
def test_a_question_that_cannot_be_is_refused(api: Api, query: dict[str, Any], pointer: str) -> None:
    refused = api.get(f"{made(api)}/rounds/hindsight", params=query)
    assert refused.status_code == 422
    assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]


@one_database
def test_before_a_round_is_closed_there_is_nothing_to_look_back_on(api: Api) -> None:
    refused = api.get(f"{api.project()}/rounds/hindsight")
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:tranche:problem:no-closed-round"
