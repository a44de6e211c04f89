"""The verdict in words: the metric's own units, whole money, and never certainty."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.planner.plan import Gain
from app.planner.verdict import MetricChange, MetricChanges, PlanVerdict
from app.services.signing.verdict import improvement, verdict_sentence
from app.services.signing.words import level, percent, signed


def project(name: str = "accuracy", lower: float | None = 0.0, upper: float | None = 1.0) -> Any:
    return SimpleNamespace(metric_name=name, metric_lower=lower, metric_upper=upper, currency="EUR")


def change(now: float, after: float) -> MetricChange:
    return MetricChange(now, after, Gain(abs(after - now), 0.0, 1.0, 0.9))


BROUGHT = "+0.2 points of accuracy on average, +0.7 for the worst group"
CHANGES = MetricChanges(change(0.882, 0.884), change(0.813, 0.820), "a", "a")
PART = (
    "Buy a part of round 4: 12,300 of 30,899 EUR, then measure; beyond that Skin tone V–VI would be far from anything"
    " measured."
)
RETRAIN = (
    "Measure before you buy round 4: 65 % of the money is for Skin tone V–VI, of which no run was trained on what is"
    " held. Retrain, post the run, and plan anew."
)


def allocation(verdict: PlanVerdict, **more: Any) -> Any:
    groups = [SimpleNamespace(key="a", cost=20_000_000_000), SimpleNamespace(key="b", cost=10_899_464_576)]
    rule = SimpleNamespace(policy="equal_spend")
    plan = SimpleNamespace(
        spend=30_899_464_576,
        unspent_reason=more.pop("unspent_reason", None),
        groups=groups,
        utility=SimpleNamespace(best_simple_rule=rule),
    )
    names = {"a": "Skin tone V–VI", "b": "B"}
    return SimpleNamespace(plan=plan, verdict=verdict, round=4, names=names, stop=more.pop("stop", None))


@pytest.mark.parametrize(
    ("verdict", "stop", "said"),
    [
        (PlanVerdict("buy", CHANGES), None, f"Buy round 4: 30,899 EUR, {BROUGHT}."),
        (
            PlanVerdict("any", CHANGES),
            None,
            f"Buy round 4: 30,899 EUR, {BROUGHT}; it matters little how it is split, equal money would do as well.",
        ),
        (
            PlanVerdict("keep", CHANGES),
            SimpleNamespace(worth=1791.5, stop=True),
            f"Do not buy round 4: 30,899 EUR would bring {BROUGHT}, worth 1,792 EUR.",
        ),
        (
            PlanVerdict("keep", CHANGES),
            SimpleNamespace(worth=None, stop=True),
            f"Do not buy round 4: 30,899 EUR would bring {BROUGHT}, less than the least gain worth having.",
        ),
        (PlanVerdict("part", CHANGES, CHANGES, ("a",), 12_300_400_000), None, PART),
        (
            PlanVerdict("part", CHANGES, CHANGES, (), 12_300_400_000),
            None,
            "Buy a part of round 4: 12,300 of 30,899 EUR; beyond that the money buys less than it costs.",
        ),
        (PlanVerdict("measure", CHANGES, CHANGES, ("a",)), None, RETRAIN),
        (
            PlanVerdict("measure", CHANGES, CHANGES),
            None,
            "Measure before you buy round 4: what 30,899 EUR would bring is within the noise of what was measured.",
        ),
        (
            PlanVerdict("measure"),
            None,
            "Measure before you buy: nothing is known of accuracy yet, so post one evaluated run.",
        ),
    ],
)
def test_every_verdict_is_one_sentence(verdict: PlanVerdict, stop: Any, said: str) -> None:
    assert verdict_sentence(project(), allocation(verdict, stop=stop)) == said


def test_where_nothing_can_be_bought_it_says_why() -> None:
    one = allocation(PlanVerdict("keep", CHANGES), unspent_reason="No source sells samples of any group.")
    one.plan.spend = 0
    assert verdict_sentence(project(), one) == "Buy nothing in round 4: no source sells samples of any group."


@pytest.mark.parametrize(
    ("metric", "now", "after", "said"),
    [
        (("accuracy", 0.0, 1.0), 0.882, 0.884, "+0.2 points of accuracy"),
        (("accuracy", 0.0, 1.0), 0.882, 0.88204, "+0.004 points of accuracy"),
        (("word error rate", 0.0, 1.0), 0.31, 0.28, "−3.0 points of word error rate"),
        (("BLEU", 0.0, 100.0), 31.2, 33.0, "+1.8 points of BLEU"),
        (("perplexity", 0.0, None), 42.0, 30.5, "−11.5 of perplexity"),
        (("mse", 0.0, None), 4e-7, 3e-7, "−0.0000001 of mse"),
        (("mse", 0.0, None), 8e12, 3e12, "−5,000,000,000,000 of mse"),
        (("accuracy", 0.0, 1.0), 0.882, 0.882, "no change of accuracy"),
    ],
)
def test_an_improvement_is_in_the_metrics_own_units(
    metric: tuple[str, float, float | None], now: float, after: float, said: str
) -> None:
    assert improvement(project(*metric), change(now, after)) == said


def test_levels_and_shares() -> None:
    assert (level(project(), 0.8824), level(project("perplexity", 0.0, None), 42.123)) == ("88.2 %", "42.12")
    assert [percent(share) for share in (0.0, 0.004, 0.5, 0.9999, 1.0)] == [
        "0 %", "less than 1 %", "50 %", "more than 99 %", "100 %",
    ]  # fmt: skip
    assert signed(0.0) == "no change"
