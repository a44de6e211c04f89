"""The screen on which a plan is signed, from the API's answer: what it says of money, gain, orders and doubts."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from app.services.signing.screen import screen_of
from tests.services.signing.test_verdict import project

GAIN = {"mean": 0.002, "p05": 0.001, "p95": 0.004, "p_better": 0.9}
CHANGE = {"now": 0.882, "after": 0.884, "gain": GAIN}
CHANGES = {"mean": CHANGE, "worst": {"now": 0.813, "after": 0.82, "gain": GAIN}, "worst_now": "a", "worst_after": "a"}


def group(key: str, now: float, after: float) -> dict[str, Any]:
    return {"group": key, "metric_now": {"mean": now}, "metric_after": {"mean": after}}


def ordered(key: str, order: int, cost: str, **more: Any) -> dict[str, Any]:
    fields = {"accepted": round(0.9 * order), "binding": [], "verdict": "buy", "break_even": None}
    return {"source": key, "order": order, "cost": cost, **fields, **more}


def answer(**more: Any) -> dict[str, Any]:
    rule = {
        "policy": "equal_spend",
        "gain": {"p_better": 0.9983},
        "budget_ratio": {"mean": 1.4, "p05": 1.0, "p95": None},
    }
    return {
        "budget": {"spend": "30899.46", "available": "31000"},
        "utility": {"best_simple_rule": rule},
        "verdict": {
            "kind": "buy",
            "sentence": "Buy it.",
            "changes": CHANGES,
            "instead": {
                "policy": "equal_spend",
                "changes": {**CHANGES, "mean": {**CHANGE, "gain": {**GAIN, "mean": 0.001}}},
            },
        },
        "groups": [group("a", 0.81, 0.82), group("b", 0.89, 0.91)],
        "sources": [
            ordered("small", 100, "250.00"),
            ordered("panel", 2000, "30649.46", binding=["budget", "max_order"]),
            ordered("dear", 0, "0.00", verdict="leave", break_even="1.95"),
            ordered("shut", 0, "0.00", binding=["licence_rule"]),
        ],
        "stop": None,
        "warnings": [],
    } | more


def source(key: str, **more: Any) -> Any:
    fields = {"name": None, "connection_id": None, "price_tiers": [], "fixed_cost": Decimal(0), "lead_time_days": None}
    return SimpleNamespace(key=key, **(fields | more))


SOURCES = [
    source("small"),
    source("panel", name="Panel", connection_id="c1", price_tiers=[{"from": 1000}, {"from": 5000}], lead_time_days=14),
    source("dear", name="Dear"),
    source("shut"),
]


def screen(said: dict[str, Any], **more: Any) -> Any:
    fields = {"names": {"a": "Group A", "b": "B"}, "targets": {"a": 0.9, "b": 0.9}, "vendors": {"c1": "DermaLabel"}}
    one = project()
    one.metric_goal = "maximize"
    return screen_of(one, said, SOURCES, **(fields | more), left=Decimal("92758.39"))


def test_the_tiles_say_pay_get_worth_and_instead() -> None:
    pay, get, worth, instead = screen(answer()).tiles
    assert (pay.big, pay.small) == ("30,899 EUR", "of 92,758 EUR left")
    assert get.big == "88.2 % → 88.4 %"
    assert get.small == "accuracy on average, better by +0.2 (+0.1 to +0.4 points)"
    assert get.more == ("worst group 81.3 % → 82.0 %", "targets met 0 → 1 of 2")
    assert (worth.big, worth.more) == ("not said", ("one point costs 154,497 EUR",))
    assert instead.big == "+0.1"
    assert instead.small == "points beside equal money, the best simple rule; better in more than 99 of 100 cases"
    assert instead.more == ("it would need 1.4 times the money for the same",)


def test_a_simple_rule_that_does_as_well_is_said_to() -> None:
    said = answer()
    instead = {**said["verdict"]["instead"]["changes"], "mean": {**CHANGE, "gain": {**GAIN, "mean": 0.0}}}
    said["verdict"]["instead"]["changes"] = instead
    said["utility"]["best_simple_rule"]["budget_ratio"]["mean"] = 1.0
    shown = screen(said).tiles[3]
    assert (shown.big, shown.small, shown.more) == ("the same", "by equal money, the best simple rule", ())


def test_what_the_gain_is_worth_stands_where_the_project_says_it() -> None:
    worth = screen(answer(stop={"worth": "1791.5"})).tiles[2]
    assert worth.big == "1,792 EUR"


def test_orders_come_with_vendor_tier_price_and_limits_the_dearest_first() -> None:
    panel, small = screen(answer()).orders
    assert (panel.name, panel.vendor, panel.order, panel.accepted) == ("Panel", "DermaLabel", 2000, 1800)
    assert (panel.tier, panel.days, panel.limits) == (1000, 14, ("the money", "its largest order"))
    assert panel.price == Decimal("30649.46") / 1800
    assert (small.name, small.vendor, small.tier, small.limits) == ("small", None, None, ())


def test_what_is_not_bought_says_why() -> None:
    assert [(one.name, one.why) for one in screen(answer()).left_out] == [
        ("Dear", "too dear: it pays below 1.95 EUR a sample"),
        ("shut", "the licence rule allows no order"),
    ]


def test_the_worst_doubts_come_first_and_are_said_once() -> None:
    def warning(code: str, group: str | None = None) -> dict[str, Any]:
        return {"code": code, "group": group, "source": None, "detail": f"about {code}"}

    said = [
        warning("few_points", "a"),
        warning("few_points", "b"),
        warning("transfer"),
        warning("y"),
        warning("x"),
        warning("stale", "b"),
    ]
    found = screen(answer(warnings=said))
    assert [(one.about, one.detail, one.measure) for one in found.checks] == [
        ("B", "about stale", True),
        ("Group A, B", "about few_points", True),
        ("", "about y", False),
    ]
    assert found.more_checks == 1


def test_a_round_from_before_there_were_verdicts_has_its_money_and_orders() -> None:
    old = answer(verdict=None, sources=[{"source": "gone", "order": 5, "cost": "10.00", "binding": ["lot_size"]}])
    found = screen(old)
    assert [tile.title for tile in found.tiles] == ["Pay"]
    assert (found.kind, found.sentence) == ("", "")
    assert [(one.name, one.accepted, one.price) for one in found.orders] == [("gone", None, None)]
