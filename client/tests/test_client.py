import json
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tranche import BudgetRatio, Client, Metric, Observation, SimulationFailed, TrancheError, subsets
from tranche.http import LONGEST_BACKOFF_S, RETRIES

PROJECT = {
    "id": "p",
    "name": "census",
    "currency": "USD",
    "data_version": 1,
    "metric": {"name": "accuracy"},
    "objective": {"kind": "utilitarian"},
    "budget": {"total": "2500.00", "rounds": 1},
}
ACCEPTED = {"accepted": 1, "duplicates": 0, "data_version": 2, "warnings": []}
ALLOCATION: dict[str, Any] = {
    "round": 1,
    "policy": "optimal",
    "data_version": 7,
    "data_at": "2026-11-20T10:00:00Z",
    "seed": 0,
    "budget": {"available": "2500.00", "spend": "2499.50", "unspent": "0.50", "remaining": "0.50"},
    "unspent_reason": "less than the cheapest sample",
    "utility": {
        "now": {"mean": 0.80, "p05": 0.79, "p95": 0.81},
        "after": {"mean": 0.82, "p05": 0.80, "p95": 0.83},
        "equal": None,
        "best_simple_rule": {
            "policy": "equal_spend",
            "utility": {"mean": 0.81, "p05": 0.80, "p95": 0.82},
            "gain": {"mean": 0.01, "p05": -0.01, "p95": 0.02, "p_better": 0.97},
            "budget_ratio": {"mean": 1.4, "p05": 1.0, "p95": None},
            "finding": "It is worth it.",
        },
        "equal_budget_ratio": None,
    },
    "shadow_price": 1.5e-5,
    "optimality": {"gap": 0.0, "method": "multiplier"},
    "groups": [
        {
            "group": "Black_Female",
            "count": 25,
            "add": 610,
            "cost": "1830.00",
            "metric_now": {"mean": 0.84, "p05": 0.82, "p50": 0.84, "p95": 0.86},
            "metric_after": None,
            "marginal_utility_per_cost": {"now": 1.0, "after": 0.5},
            "reason": "most gained per dollar",
        }
    ],
    "sources": [{"source": "web", "order": 3, "verdict": "undecided", "break_even": "0.62"}],
    "warnings": [{"code": "few_points", "group": "Black_Female", "source": None, "detail": "measure more"}],
}


class Service:
    """Answers as scripted, the last answer again and again, and keeps the requests and the waits."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, retries: int = 4) -> Client:
        transport = httpx.MockTransport(self)
        return Client("http://tranche.test", "key", retries=retries, transport=transport, sleep=self.waits.append)

    @property
    def idempotency_keys(self) -> set[str]:
        return {request.headers["Idempotency-Key"] for request in self.requests}


def ok(body: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json=body)


def problem(status: int, **headers: str) -> httpx.Response:
    body = {"type": "https://tranche.test/problems/x", "title": "Title", "status": status, "detail": "why"}
    return httpx.Response(status, json=body, headers={"Content-Type": "application/problem+json", **headers})


def post(client: Client) -> None:
    client.post_observations("p", [Observation({"a": 1}, {"a": Metric(0.5)})])


def test_requests_carry_the_key_and_reach_the_paths_of_the_contract() -> None:
    service = Service(ok(PROJECT))
    with service.client() as client:
        assert client.get_project("p").budget["total"] == "2500.00"
    assert service.requests[0].headers["Authorization"] == "Bearer key"
    assert str(service.requests[0].url) == "http://tranche.test/v1/projects/p"


def test_a_base_url_may_have_a_path() -> None:
    service = Service(ok(PROJECT))
    Client("http://host/tranche/", "key", transport=httpx.MockTransport(service)).get_project("p")
    assert service.requests[0].url.path == "/tranche/v1/projects/p"


def test_a_group_key_cannot_leave_its_path() -> None:
    service = Service(ok({"key": "x", "name": None, "weight": 1.0, "initial_count": 3}))
    service.client().update_group("p", "a/../../b?", initial_count=3)
    assert service.requests[0].url.raw_path == b"/v1/projects/p/groups/a%2F..%2F..%2Fb%3F"
    assert service.requests[0].method == "PATCH"
    assert json.loads(service.requests[0].content) == {"initial_count": 3}


@pytest.mark.parametrize("busy", [408, 429, 502, 503, 504])
def test_a_busy_service_is_asked_again(busy: int) -> None:
    service = Service(problem(busy), problem(busy), ok(PROJECT))
    assert service.client().get_project("p").name == "census"
    assert len(service.requests) == 3
    assert len(service.waits) == 2


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
def test_a_lost_connection_is_tried_again(error: type[httpx.TransportError]) -> None:
    service = Service(error("lost"), ok(PROJECT))
    assert service.client().get_project("p").id == "p"


def test_the_last_failure_is_raised_when_no_retry_is_left() -> None:
    unreachable, busy = Service(httpx.ConnectError("refused")), Service(problem(503))
    with pytest.raises(httpx.ConnectError, match="refused"):
        unreachable.client(retries=2).get_project("p")
    with pytest.raises(TrancheError, match="503"):
        busy.client(retries=2).get_project("p")
    assert len(unreachable.requests) == len(busy.requests) == 3


@pytest.mark.parametrize("final", [400, 401, 403, 404, 409, 412, 413, 415, 422, 500])
def test_a_final_answer_is_not_asked_for_again(final: int) -> None:
    service = Service(problem(final))
    with pytest.raises(TrancheError):
        post(service.client())
    assert len(service.requests) == 1


def test_the_address_and_the_key_come_from_the_environment_and_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANCHE_URL", "http://host.test:8000")
    monkeypatch.setenv("TRANCHE_API_KEY", "key-of-the-environment\n")
    service = Service(ok(PROJECT))
    Client(transport=httpx.MockTransport(service)).get_project("p")
    Client("http://other.test", "key", transport=httpx.MockTransport(service)).get_project("p")
    assert [str(request.url) for request in service.requests] == [
        "http://host.test:8000/v1/projects/p",
        "http://other.test/v1/projects/p",
    ]
    keys = [request.headers["Authorization"] for request in service.requests]
    assert keys == ["Bearer key-of-the-environment", "Bearer key"]


@pytest.mark.parametrize(("variable", "argument"), [("TRANCHE_URL", "base_url"), ("TRANCHE_API_KEY", "api_key")])
@pytest.mark.parametrize("value", [None, "", " "])
def test_a_setting_that_is_missing_is_named(
    variable: str, argument: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANCHE_URL", "http://host.test")
    monkeypatch.setenv("TRANCHE_API_KEY", "key")
    monkeypatch.delenv(variable) if value is None else monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=f"{variable} is not set: set it, or give {argument}"):
        Client()


@pytest.mark.parametrize("key", ["se cret", "secret\nsecret", "sécret"])
def test_a_key_that_cannot_be_one_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="copy it again") as refused:
        Client("http://host.test", key)
    assert "cret" not in str(refused.value)


def test_every_retry_is_one_line_without_the_key(caplog: pytest.LogCaptureFixture) -> None:
    service = Service(httpx.ConnectError("Connection refused"), problem(503, **{"Retry-After": "3"}), ok(PROJECT))
    transport = httpx.MockTransport(service)
    with Client("http://user:password@tranche.test", "secret", transport=transport, sleep=lambda _: None) as client:
        client.get_project("p")
    lines = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    first, second = (line for name, level, line in lines if (name, level) == ("tranche", "WARNING"))
    assert re.fullmatch(
        r"GET /v1/projects/p failed: ConnectError: Connection refused; sent again in 0\.\d s \(1 of 11\)", first
    )
    assert second == "GET /v1/projects/p failed: 503 Service Unavailable; sent again in 3.0 s (2 of 11)"
    assert "secret" not in caplog.text
    assert "password" not in first + second


def test_what_succeeds_at_once_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    Service(ok(PROJECT)).client().get_project("p")
    assert [record for record in caplog.records if record.name == "tranche"] == []


def test_the_waits_ride_out_a_restart_of_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where every wait is drawn at its shortest."""
    monkeypatch.setattr("tranche.http._random.uniform", lambda low, _: low)
    service = Service(httpx.ConnectError("refused"))
    with pytest.raises(httpx.ConnectError):
        service.client(retries=RETRIES).get_project("p")
    assert sum(service.waits) >= 30


def test_what_never_answers_is_given_up_after_four_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("tranche.http.time.monotonic", lambda: clock[0])

    def slow(_: httpx.Request) -> httpx.Response:
        clock[0] += 60
        raise httpx.ReadTimeout("slow")

    client = Client("http://tranche.test", "key", transport=httpx.MockTransport(slow), sleep=lambda _: None)
    with pytest.raises(httpx.ReadTimeout):
        client.get_project("p")
    assert clock[0] == 300


def stopped() -> httpx.Response:
    """What a server says of a request that it drops while it stops."""
    return httpx.Response(500, text="Internal Server Error")


def test_a_call_that_a_stopping_server_dropped_is_sent_again_where_that_is_safe() -> None:
    reads, posts, changes = Service(stopped(), ok(PROJECT)), Service(stopped(), ok(ACCEPTED)), Service(stopped())
    assert reads.client().get_project("p").id == "p"
    post(posts.client())
    assert len(posts.idempotency_keys) == 1
    with pytest.raises(TrancheError, match="500"):
        changes.client().update_group("p", "a", weight=2)
    assert len(changes.requests) == 1


def test_a_wrong_base_url_is_not_retried() -> None:
    waits: list[float] = []
    with pytest.raises(httpx.UnsupportedProtocol):
        Client("localhost:8000", "key", sleep=waits.append).get_project("p")
    assert waits == []


def test_waits_double_up_to_the_longest_and_are_jittered() -> None:
    service = Service(httpx.ConnectError("refused"))
    with pytest.raises(httpx.ConnectError):
        service.client(retries=8).get_project("p")
    longest = [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]
    assert LONGEST_BACKOFF_S == 8.0
    assert all(most / 2 <= wait <= most for wait, most in zip(service.waits, longest, strict=True))
    assert len(set(service.waits)) == len(service.waits)


def test_a_call_that_still_runs_is_asked_again_after_its_retry_after() -> None:
    service = Service(problem(409, **{"Retry-After": "3"}), ok(ACCEPTED))
    post(service.client())
    assert service.waits == [3.0]
    assert len(service.idempotency_keys) == 1


def test_the_wait_is_never_below_a_retry_after_that_is_a_date() -> None:
    soon = datetime.now(timezone.utc) + timedelta(seconds=30)
    service = Service(problem(503, **{"Retry-After": format_datetime(soon, usegmt=True)}), ok(PROJECT))
    service.client().get_project("p")
    assert 25 < service.waits[0] <= 30


@pytest.mark.parametrize("header", ["soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", ""])
def test_a_retry_after_without_a_future_falls_back_to_the_backoff(header: str) -> None:
    service = Service(problem(503, **{"Retry-After": header}), ok(PROJECT))
    service.client().get_project("p")
    assert 0.25 <= service.waits[0] <= 0.5


def test_a_service_that_asks_for_more_than_a_minute_is_not_waited_for() -> None:
    service = Service(problem(429, **{"Retry-After": "3600"}))
    with pytest.raises(TrancheError, match="429"):
        service.client().get_project("p")
    assert service.waits == []


def test_a_repeated_post_keeps_its_idempotency_key_and_a_new_one_gets_another() -> None:
    service = Service(httpx.ReadTimeout("slow"), problem(502), ok(ACCEPTED))
    post(service.client())
    assert len(service.requests) == 3
    assert len(service.idempotency_keys) == 1
    assert len({request.content for request in service.requests}) == 1
    post(service.client())
    assert len(service.idempotency_keys) == 2


def test_a_problem_answer_becomes_a_readable_error() -> None:
    body = {
        "type": "https://tranche.test/problems/invalid",
        "title": "Invalid input",
        "status": 422,
        "detail": "1 field is wrong",
        "errors": [{"pointer": "/groups/0/weight", "detail": "a weight is 0 or more; got -1"}],
    }
    with pytest.raises(TrancheError) as caught:
        Service(httpx.Response(422, json=body)).client().get_project("p")
    error = caught.value
    assert (error.status, error.type, error.title) == (422, body["type"], "Invalid input")
    assert error.errors == body["errors"]
    assert str(error) == ("422 Invalid input: 1 field is wrong\n  /groups/0/weight: a weight is 0 or more; got -1")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>welcome</html>"),
        httpx.Response(200, json=["a list"]),
        httpx.Response(500, text="<html>welcome</html>"),
        httpx.Response(307, headers={"Location": "https://elsewhere.test"}),
    ],
)
def test_what_is_not_tranche_is_named_so(answer: httpx.Response) -> None:
    with pytest.raises(TrancheError, match="check the base URL"):
        Service(answer).client().get_project("p")


def test_groups_are_read_page_by_page() -> None:
    def page(keys: str, cursor: str | None) -> httpx.Response:
        items = [{"key": key, "name": None, "weight": 1.0, "initial_count": 0, "later": 1} for key in keys]
        return ok({"items": items, "next_cursor": cursor})

    service = Service(page("ab", "next one"), page("c", None))
    assert [group.key for group in service.client().groups("p")] == ["a", "b", "c"]
    assert [request.url.params.get("cursor") for request in service.requests] == [None, "next one"]


def test_observations_leave_out_what_is_not_given_and_take_numpys_numbers() -> None:
    service = Service(ok(ACCEPTED))
    metrics = {"a": Metric(np.float32(0.5), stderr=np.float64(0.25)), "b": Metric(0.7, eval_size=20)}
    run = Observation(
        {"a": np.int64(3), "b": 0},
        metrics,
        holdout="h",
        observed_at=datetime(2026, 1, 2, tzinfo=timezone.utc),
        origin={"web": {"a": np.int64(2)}},
        chosen_from=np.int64(20),
    )
    assert service.client().post_observations("p", [run]).accepted == 1
    assert json.loads(service.requests[0].content) == {
        "observations": [
            {
                "counts": {"a": 3, "b": 0},
                "from": {"web": {"a": 2}},
                "metrics": {"a": {"value": 0.5, "stderr": 0.25}, "b": {"value": 0.7, "eval_size": 20}},
                "holdout": "h",
                "chosen_from": 20,
                "observed_at": "2026-01-02T00:00:00+00:00",
            }
        ]
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_refused_before_it_is_sent(value: float) -> None:
    service = Service(ok(ACCEPTED))
    with pytest.raises(ValueError, match=f"the value of group 'a' is {value}, which JSON cannot say"):
        service.client().post_observations("p", [Observation({"a": 1}, {"a": Metric(value)})])
    assert service.requests == []


def test_what_has_no_json_is_named() -> None:
    with pytest.raises(TypeError, match="complex"):
        Service(ok(PROJECT)).client().create_project("x", metric={"upper": 1j}, budget={})


def test_money_is_exact_both_ways() -> None:
    source = {"key": "s", "group": "a", "unit_cost": "0.10", "kind": "vendor", "lot_size": None}
    service = Service(ok(source))
    added = service.client().add_source("p", "s", group="a", unit_cost=Decimal("0.10"))
    assert added.unit_cost == Decimal("0.10")
    assert json.loads(service.requests[0].content)["unit_cost"] == "0.10"


def test_a_source_of_learned_quality_says_what_is_known_and_a_pilot_of_it_is_read() -> None:
    known = {"mean": 0.62, "p05": 0.56, "p95": 0.68, "runs": 3}
    source = {"key": "web", "group": "a", "unit_cost": "0.10", "quality": None, "record": {"quality": known}}
    run = {"counts": {"a": 375}, "from": {"web": {"a": 250}}, "sd": 0.09}
    pilot = {"source": "web", "group": "a", "count": 250, "runs": [run], "sd_now": 0.38, "sd_after": 0.09,
             "break_even": 0.5, "chance_decided": 0.7, "verdict": "decides", "advice": "…"}  # fmt: skip
    service = Service(ok(source), ok({"runs": [], "pilot": pilot}))
    made = service.client().add_source("p", "web", group="a", unit_cost="0.10", quality=None)
    assert made.quality is None
    assert made.learned is not None
    assert (made.learned.mean, made.learned.p05) == (0.62, 0.56)
    assert json.loads(service.requests[0].content)["quality"] is None
    plan = service.client().measurement_plan("p", pilot=("web", 250))
    assert dict(service.requests[1].url.params) == {"pilot": "web:250"}
    assert plan.pilot is not None
    assert plan.pilot.runs[0].origin == {"web": {"a": 250}}


def test_an_allocation_is_read_by_group_key() -> None:
    service = Service(ok(ALLOCATION))
    plan = service.client().next_allocation("p", budget=Decimal("2500.10"), seed=0)
    assert dict(service.requests[0].url.params) == {"budget": "2500.10", "seed": "0"}
    assert plan.add["Black_Female"] == 610
    assert plan.add["White_Male"] == 0
    assert plan.budget.unspent == Decimal("0.50")
    assert (plan.orders, plan.verdicts, plan.break_even) == ({"web": 3}, {"web": "undecided"}, {"web": Decimal("0.62")})
    assert plan.groups["Black_Female"].cost == 1830
    assert plan.groups["Black_Female"].metric_after is None
    assert plan.utility.keys() == {"now", "after"}
    rule = plan.best_simple_rule
    assert rule is not None
    assert (rule.policy, rule.utility.mean, rule.gain.p_better, rule.finding) == (
        "equal_spend", 0.81, 0.97, "It is worth it.",
    )  # fmt: skip
    assert rule.budget_ratio == BudgetRatio(1.4, 1.0, None)
    assert plan.equal_budget_ratio is None
    assert plan.warnings[0].code == "few_points"


def test_curves_are_read_by_count() -> None:
    band = {"count": 100, "mean": 0.8} | dict.fromkeys(["p05", "p10", "p25", "p50", "p75", "p90", "p95"], 0.8)
    curve = {
        "group": "a",
        "count": 40,
        "pending": 15,
        "now": {key: value for key, value in band.items() if key != "count"},
        "parameters": {
            "exponent": {"mean": 0.5, "p05": 0.1, "p50": 0.5, "p95": 0.9},
            "samples_to_target": {"mean": None, "p05": 300.0, "p50": None, "p95": None},
        },
        "bands": [band],
        "points": [{"observation": "o", "count": 40, "value": 0.8, "stderr": 0.01, "residual": 0.0}],
        "warnings": [],
    }
    service = Service(ok({"items": [curve], "next_cursor": None}))
    (read,) = service.client().curves("p", at=[100, 200])
    assert service.requests[0].url.params["at"] == "100,200"
    assert read.bands[100].p90 == 0.8
    assert read.parameters["exponent"].p50 == 0.5
    assert read.parameters["samples_to_target"].mean is None


POOLS = st.dictionaries(st.text(max_size=5), st.integers(0, 60), max_size=5)
FRACTIONS = st.lists(st.floats(0, 1, exclude_min=True), min_size=1, max_size=4)


@given(POOLS, FRACTIONS, st.integers(0, 2**32))
def test_each_smaller_subset_lies_in_each_larger_one(pools: dict[str, int], sizes: list[float], seed: int) -> None:
    drawn = subsets(sorted(sizes), pools, seed)
    for smaller, larger in pairwise(drawn):
        assert all(set(smaller[group]) <= set(larger[group]) for group in pools)


@given(POOLS, FRACTIONS, st.integers(0, 2**32))
def test_a_subset_has_its_size_of_positions_in_the_pool(pools: dict[str, int], sizes: list[float], seed: int) -> None:
    for fraction, subset in zip(sizes, subsets(sizes, pools, seed), strict=True):
        for group, held in pools.items():
            positions = subset[group]
            assert positions == sorted(set(positions))
            assert set(positions) <= set(range(held))
            assert abs(len(positions) - fraction * held) <= 0.5 or len(positions) == 1
            assert (len(positions) > 0) == (held > 0)


@given(POOLS, FRACTIONS, st.integers(0, 2**32), st.randoms())
def test_the_order_of_groups_and_the_other_groups_do_not_matter(
    pools: dict[str, int], sizes: list[float], seed: int, shuffler: Any
) -> None:
    keys = list(pools)
    shuffler.shuffle(keys)
    whole = subsets(sizes, pools, seed)
    assert subsets(sizes, {key: pools[key] for key in keys}, seed) == whole
    for key in keys:
        assert subsets(sizes, {key: pools[key]}, seed) == [{key: subset[key]} for subset in whole]


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 2**32))
def test_appending_to_a_pool_brings_no_old_sample_into_a_subset(n: int, more: int, size: int, seed: int) -> None:
    held = max(n, size)
    (before,) = subsets([{"a": size}], {"a": held}, seed)
    (after,) = subsets([{"a": size}], {"a": held + more}, seed)
    assert {position for position in after["a"] if position < held} <= set(before["a"])


@given(st.lists(st.integers(0, 60), min_size=1, max_size=4), st.integers(0, 60), st.data(), st.integers(0, 2**32))
def test_what_came_later_stands_behind_what_was_there(
    parts: list[int], more: int, data: st.DataObject, seed: int
) -> None:
    size = data.draw(st.integers(0, sum(parts)))
    (before,) = subsets([{"a": size}], {"a": parts}, seed)
    (after,) = subsets([{"a": size}], {"a": [*parts, more]}, seed)
    assert after == before
    (whole,) = subsets([1.0], {"a": parts}, seed)
    assert whole["a"] == list(range(sum(parts)))
    (one,) = subsets([{"a": min(size, parts[0])}], {"a": parts[0]}, seed)
    assert one == subsets([{"a": min(size, parts[0])}], {"a": parts}, seed)[0]


def test_seeds_and_groups_draw_different_subsets() -> None:
    sizes = [{"a": 50, "b": 50}]
    (one,), (two,) = (subsets(sizes, {"a": 1000, "b": 1000}, seed) for seed in (1, 2))
    assert one["a"] != one["b"]
    assert one["a"] != two["a"]


def test_every_sample_is_as_likely_as_any_other() -> None:
    drawn = np.zeros(10)
    for seed in range(2000):
        (subset,) = subsets([{"a": 3}], {"a": 10}, seed)
        drawn[subset["a"]] += 1
    expected, sd = 600, (2000 * 0.3 * 0.7) ** 0.5
    assert np.abs(drawn - expected).max() < 4.5 * sd


@pytest.mark.parametrize(
    ("size", "what"),
    [
        (0.0, "got 0"),
        (1.5, "got 1.5"),
        (float("nan"), "got nan"),
        ({"a": 11}, "asks for 11 samples of a; its pool holds 10"),
        ({"a": -1}, "asks for -1"),
        ({"c": 1}, "without a pool: c"),
    ],
)
def test_a_size_that_the_pools_cannot_give_is_refused(size: float | dict[str, int], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        subsets([size], {"a": 10}, seed=0)


def test_the_draw_is_the_same_on_every_machine() -> None:
    assert subsets([0.5], {"a": 12, "b": 6}, seed=7) == [{"a": [1, 2, 8, 9, 10, 11], "b": [2, 3, 5]}]


ROW: dict[str, Any] = {
    "name": "half",
    "policy": "optimal",
    "budget": {"available": "250.00", "spend": "249.50", "unspent": "0.50"},
    "unspent_reason": "less than the cheapest sample",
    "utility": {**ALLOCATION["utility"], "equal": {"mean": 0.8, "p05": 0.7, "p95": 0.9}},
    "shadow_price": 1e-5,
    "optimality": {"gap": 0.0, "method": "multiplier", "proof": "…"},
    "groups": {
        "women": {
            "count": 25,
            "add": 10,
            "metric_after": {"mean": 0.84, "p05": 0.82, "p50": 0.84, "p95": 0.86},
            "add_difference": -5,
            "metric_difference": -0.01,
        }
    },
    "sources": {"women": {"order": 10, "cost": "249.50"}},
    "difference": {"spend": "-250.00", "utility": {"mean": -0.1, "p05": -0.2, "p95": 0.0, "p_better": 0.1}},
    "infeasible": [],
    "warnings": [],
}
INFEASIBLE: dict[str, Any] = {
    **dict.fromkeys(("policy", "budget", "unspent_reason", "utility", "shadow_price", "optimality", "difference")),
    "name": "too much",
    "groups": {},
    "sources": {},
    "infeasible": [{"pointer": "/budget", "detail": "raise it"}],
    "warnings": [],
}


def test_scenarios_are_sent_as_they_are_and_come_back_as_rows() -> None:
    service = Service(ok({"scenarios": [ROW, INFEASIBLE]}))
    scenarios = [{"budget": Decimal(250)}, {"groups": {"women": {"min_count": 10**6}}}]
    half, too_much = service.client().what_if("p", scenarios, draws=100)
    assert service.requests[0].url.path == "/v1/projects/p/allocations/what-if"
    sent = json.loads(service.requests[0].content)
    assert sent == {"scenarios": [{"budget": "250"}, scenarios[1]], "draws": 100}
    assert (half.spend, half.spend_difference, half.add["women"]) == (Decimal("249.50"), Decimal("-250.00"), 10)
    assert half.gain is not None
    assert half.gain.p_better == 0.1
    assert half.metric_after["women"].p50 == 0.84
    assert (too_much.spend, too_much.gain, too_much.infeasible[0]["pointer"]) == (None, None, "/budget")


def test_what_targets_cost_comes_back_with_money_as_decimals() -> None:
    group = {"group": "women", "target": 0.9, "count_now": 40.0, "count_needed": None, "count": 40.0,
             "chance_now": 0.1, "chance": 0.1, "chance_reachable": 0.2, "reason": "flat"}  # fmt: skip
    point = {"budget": "10.00", "spend": "9.50", "level": 0.5, "joint_chance": 0.4, "chances": {"women": 0.5}}
    answer = {"chance": 0.9, "joint": True, "spend": "12.50", "joint_chance": 0.9, "method": "exact", "groups": [group],
              "sources": [{"source": "s", "order": 5, "cost": "12.50"}], "curve": [point],
              "short": [{"group": "women", "cause": "unsure", "chance": 0.2, "reason": "flat",
                         "offer": {"chance": 0.15, "count": 900.0, "spend": "12.50"}}]}  # fmt: skip
    service = Service(ok(answer))
    found = service.client().requirements("p", joint=True, targets={"women": 0.9}, budgets=[Decimal(10)])
    sent = json.loads(service.requests[0].content)
    assert sent == {"joint": True, "targets": {"women": 0.9}, "budgets": ["10"]}
    assert (found.spend, found.orders, found.curve[0].spend) == (Decimal("12.50"), {"s": 5}, Decimal("9.50"))
    assert found.groups["women"].count_needed is None
    short = found.short["women"]
    assert (short.chance, short.reason) == (0.2, "flat")
    assert short.offer is not None
    assert short.offer.spend == Decimal("12.50")


def test_the_subsets_of_a_measurement_plan_are_its_compositions_in_one_order() -> None:
    counts = [{"men": 100, "women": 40}, {"men": 30, "women": 40}, {"men": 100, "women": 10}]
    runs = [{"counts": one, "variance_before": 2.0, "variance_after": 1.0, "reason": "…"} for one in counts]
    service = Service(ok({"runs": runs, "variance_now": 2.0, "variance_after": 1.0, "gain_over_halving": 0.02,
                          "advice": "Halving is as good.", "order": "…", "note": None}))  # fmt: skip
    plan = service.client().measurement_plan("p", 3)
    assert str(service.requests[0].url).endswith("/v1/projects/p/measurement-plan?runs=3")
    assert (plan.gain_over_halving, plan.advice) == (0.02, "Halving is as good.")
    drawn = subsets(plan, {"men": 100, "women": 40}, seed=1)
    assert [{group: len(positions) for group, positions in one.items()} for one in drawn] == counts
    assert drawn[0]["women"] == drawn[1]["women"]
    assert drawn[0]["men"] == drawn[2]["men"]
    assert set(drawn[2]["women"]) < set(drawn[0]["women"])


def test_the_usual_runs_of_a_measurement_plan_have_no_numbers() -> None:
    run = {"counts": {"a": 3}, "variance_before": None, "variance_after": None, "reason": "…"}
    service = Service(ok({"runs": [run], "variance_now": None, "variance_after": None, "gain_over_halving": None,
                          "advice": "…", "order": "…", "note": None}))  # fmt: skip
    plan = service.client().measurement_plan("p")
    assert (plan.variance_now, plan.runs[0].variance_after) == (None, None)
    assert plan.to_dicts() == [{"run": 1, "group": "a", "count": 3}]


def test_orders_can_be_held_and_what_binds_is_told() -> None:
    stop = {"stop": False, "worth_spending": "10.00", "gain": 0.1, "worth": None, "reason": "…"}
    binding = [{"bound": "/budget", "shadow_price": 0.5}]
    service = Service(ok({**ALLOCATION, "stop": stop, "binding": binding}))
    plan = service.client().next_allocation("p", exploration=0.1, hold={"a": 5, "b:c": 0})
    assert service.requests[0].url.params.get_list("hold") == ["a:5", "b:c:0"]
    assert service.requests[0].url.params["exploration"] == "0.1"
    assert plan.stop is not None
    assert (plan.stop.worth_spending, plan.stop.worth, plan.binding) == (Decimal("10.00"), None, {"/budget": 0.5})


def test_a_source_of_several_groups_is_sent_with_its_yields() -> None:
    answer = {"key": "s", "group": None, "yields": {"a": 0.5, "b": 0.4}, "unit_cost": "2.50", "fixed_cost": "10.00"}
    service = Service(ok(answer))
    source = service.client().add_source("p", "s", yields={"a": 0.5, "b": 0.4}, unit_cost="2.5", fixed_cost=10)
    assert json.loads(service.requests[0].content) == {
        "key": "s", "unit_cost": "2.5", "yields": {"a": 0.5, "b": 0.4}, "fixed_cost": 10,
    }  # fmt: skip
    assert (source.group, source.unit_cost, source.fixed_cost) == (None, Decimal("2.50"), Decimal("10.00"))


STANDING = {
    "policy": "optimal", "utility": {"mean": 0.8, "se": 0.01}, "worst": {"mean": 0.7, "se": 0.02}, "regret": 0.1,
    "money_per_benefit": None, "path": [{"mean": 0.7, "se": 0.0}, {"mean": 0.8, "se": 0.01}], "added": {"women": 12.0},
    "difference": {"mean": 0.0, "se": 0.0}, "p_better": 0.5,
}  # fmt: skip


def test_a_simulation_is_waited_for_and_comes_back_as_a_table() -> None:
    begun = {"id": "s", "state": "queued", "error": None, "data_version": None, "result": None}
    result = {"games": 2, "rounds": 1, "chosen": "optimal", "p_better_than_equal": 0.9, "policies": [STANDING],
              "oracle": {**STANDING, "policy": "oracle"}}  # fmt: skip
    done = {**begun, "state": "succeeded", "data_version": 7, "result": result}
    service = Service(ok(begun), ok({**begun, "state": "running"}), ok(done))
    found = service.client().simulate("p", ["optimal"], budget=Decimal(9), replicates=2)
    assert json.loads(service.requests[0].content) == {"policies": ["optimal"], "budget": "9", "replicates": 2}
    assert [one.url.path for one in service.requests[1:]] == ["/v1/projects/p/simulations/s"] * 2
    assert (found.data_version, found.policies[0].utility, found.oracle.policy) == (7, (0.8, 0.01), "oracle")
    assert found.policies[0].path == (0.7, 0.8)


def test_a_simulation_that_fails_or_takes_too_long_says_so() -> None:
    begun = {"id": "s", "state": "running", "error": None, "data_version": None, "result": None}
    failed = {**begun, "state": "failed", "error": "raise the budget"}
    with pytest.raises(SimulationFailed, match="raise the budget"):
        Service(ok(begun), ok(failed)).client().simulate("p")
    with pytest.raises(TimeoutError, match="running"):
        Service(ok(begun), ok(begun)).client().simulate("p", timeout_s=1.0)
