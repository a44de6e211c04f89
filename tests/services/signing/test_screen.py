"""The screen on which a plan is signed, from the API's answer: what it says of money, gain, orders and doubts."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from app.services.signing.members import Members
from app.services.signing.screen import screen_of
from tests.services.signing.test_verdict import project

GAIN = {"mean": 0.002, "p05": 0.001, "p95": 0.004, "p_better": 0.9}
CHANGE = {"now": 0.882, "after": 0.884, "gain": GAIN}
CHANGES = {"mean": CHANGE, "worst": {"now": 0.813, "after": 0.82, "gain": GAIN}, "worst_now": "a", "worst_after": "a"}


def group(key: str, now: float, after: float) -> dict[str, Any]:
    return {
        "group": key,
        "reason": "Needs it.",
        "add": 5,
        "cost": "10.00",
        "metric_now": {"mean": now},
        "metric_after": {"mean": after},
    }


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
    fields: dict[str, Any] = {
        "name": None,
        "connection_id": None,
        "price_tiers": [],
        "fixed_cost": Decimal(0),
        "lead_time_days": None,
    }
    return SimpleNamespace(key=key, **(fields | more))


SOURCES = [
    source("small"),
    source("panel", name="Panel", connection_id="c1", price_tiers=[{"from": 1000}, {"from": 5000}], lead_time_days=14),
    source("dear", name="Dear"),
    source("shut"),
]


FEEDS = {"panel": ["a", "b"], "small": ["a"]}


def screen(said: dict[str, Any], **more: Any) -> Any:
    fields: dict[str, Any] = {
        "names": {"a": "Group A", "b": "B"},
        "sources": {one.key: one for one in SOURCES},
        "targets": {"a": 0.9, "b": 0.9},
        "vendors": {"c1": "DermaLabel"},
        "feeds": FEEDS,
    }
    one = project()
    one.metric_goal = "maximize"
    one.budget_total = Decimal("123678.39")
    return screen_of(one, said, Members(**(fields | more)), left=Decimal("92758.39"))


def test_the_tiles_say_pay_get_worth_and_instead() -> None:
    pay, get, worth, instead = screen(answer()).tiles
    assert (pay.big, pay.small) == ("30,899 EUR", "of 92,758 EUR left")
    assert get.big == "88.2 % → 88.4 %"
    assert get.small == "accuracy on average, +0.2 points (+0.1 to +0.4)"
    assert get.more == ("worst group 81.3 % → 82.0 %", "targets met 0 → 1 of 2")
    assert (worth.big, worth.small) == ("154,497 EUR", "for one point on average")
    assert worth.more == ("nobody has stated what a gain is worth in money",)
    assert instead.big == "+0.1"
    assert instead.small == (
        "points against equal money, the best simple rule for this money; better in more than 99 of 100 cases"
    )
    assert instead.more == ("for the same, equal money would need 43,259 EUR",)


def test_a_simple_rule_that_does_as_well_is_said_to() -> None:
    said = answer()
    instead = {**said["verdict"]["instead"]["changes"], "mean": {**CHANGE, "gain": {**GAIN, "mean": 0.0}}}
    said["verdict"]["instead"]["changes"] = instead
    said["utility"]["best_simple_rule"]["budget_ratio"]["mean"] = 1.0
    shown = screen(said).tiles[3]
    assert (shown.big, shown.small, shown.more) == (
        "the same",
        "by equal money, the best simple rule for this money",
        (),
    )


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
    assert [(one.about, one.detail, one.action, one.who) for one in found.first] == [
        ("B", "about stale", "measure", ("B",)),
        (
            "Group A and B",
            "were measured at fewer than three sizes, so how fast they learn is little known.",
            "measure",
            ("Group A", "B"),
        ),
        ("", "about y", "", ()),
    ]
    assert [one.detail for one in found.rest] == ["about x"]


def test_a_part_is_offered_where_the_verdict_says_so_and_unmapped_samples_are_to_be_mapped() -> None:
    said = answer()
    said["verdict"] |= {"kind": "part", "budget": "1203.125", "groups": ["b"]}
    found = screen(said, unmapped=5)
    assert found.part == Decimal("1203.12")
    assert [(one.code, one.action, one.about) for one in found.checks] == [
        ("extrapolates", "part", "B"),
        ("unmapped", "map", ""),
    ]
    assert found.checks[1].detail == "5 delivered samples count for no group yet."


def test_each_order_says_why_and_groups_that_share_one_say_with_what_they_come() -> None:
    panel, small = screen(answer()).orders
    # By hand: .91 − .89 is more than .82 − .81.
    assert panel.why == "B gains the most, +2.0 points; samples of 1 other group come with it."
    assert small.why == "Group A: Needs it."
    assert screen(answer()).reasons == {"a": "Needs it.", "b": "Comes with Panel."}


def test_many_groups_are_summed_by_their_attributes() -> None:
    """Weights 2 and 1: (2 · .5 + .8)/3 = .6 and (2 · .6 + .9)/3 = .7."""
    many = [group(f"g{at}", 0.7, 0.7) | {"add": 0, "cost": "0.00"} for at in range(13)]
    said = answer(groups=[*many, group("x", 0.5, 0.6), group("y", 0.8, 0.9)], sources=[])
    attributes = {f"g{at}": {"kind": "other", "own": at} for at in range(13)}
    told = attributes | {"x": {"kind": "few", "own": 13}, "y": {"kind": "few", "own": 14, "rare": 1}}
    found = screen(said, attributes=told, weights={"x": 2.0})
    assert found.spread == "2 groups get something, 13 nothing"
    assert list(found.folds) == ["kind"], "more levels than are looked over, or groups without one, put none together"
    few, other = found.folds["kind"]
    assert (few.name, few.groups, few.bought, few.add, few.cost) == ("few", 2, 2, 10, Decimal("20.00"))
    assert (round(few.now or 0, 9), round(few.after or 0, 9)) == (0.6, 0.7)
    assert (other.groups, other.bought) == (13, 0)
    assert screen(answer()).folds == {}


def test_the_bar_has_what_was_used_before_and_what_this_plan_takes() -> None:
    (_, start, used), (_, then, taken) = screen(answer()).bar
    assert (start, round(used, 4)) == (0.0, 0.25)
    assert (round(then, 4), round(taken, 4)) == (0.25, 0.2498)


def test_a_round_from_before_there_were_verdicts_has_its_money_and_orders() -> None:
    old = answer(verdict=None, sources=[{"source": "gone", "order": 5, "cost": "10.00", "binding": ["lot_size"]}])
    found = screen(old)
    assert [tile.title for tile in found.tiles] == ["Pay"]
    assert (found.kind, found.sentence) == ("", "")
    assert [(one.name, one.accepted, one.price) for one in found.orders] == [("gone", None, None)]
