"""The table of known metrics: what it says, and that the page says the same."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.projects.metrics import BY_NAME, KNOWN_METRICS, KnownMetric, known_metric, usual_model

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def bound(number: float | None) -> str:
    return "open" if number is None else f"{number:g}".replace("-", "−")


def row(metric: KnownMetric) -> str:
    first, *others = metric.names
    bounds = f"{bound(metric.lower)} to {bound(metric.upper)}"
    return f"| `{first}` | {', '.join(others)} | {metric.kind} | {metric.goal} | {bounds} | {metric.note} |"


def test_the_page_shows_the_table() -> None:
    shown = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert shown == [row(metric) for metric in KNOWN_METRICS]


@pytest.mark.parametrize("metric", KNOWN_METRICS, ids=lambda metric: metric.names[0])
def test_each_metric_can_be_used_as_it_stands(metric: KnownMetric) -> None:
    assert (metric.upper if metric.goal == "maximize" else metric.lower) is not None
    if metric.lower is not None and metric.upper is not None:
        assert metric.lower < metric.upper
    assert metric.kind == "other" or (metric.lower, metric.upper) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("name", "goal", "lower", "model"),
    [
        ("accuracy", "maximize", 0.0, "joint"),
        ("log_loss", "minimize", 0.0, "joint"),
        ("our own", "maximize", -5.0, "joint"),
        ("R² of ours", "maximize", None, "separate"),
        ("R2 score", "maximize", 0.0, "separate"),
        ("Explained-Variance", "maximize", 0.0, "separate"),
        ("wer", "minimize", 0.0, "joint"),
    ],
)
def test_one_model_is_usual_but_for_shares_of_variance(name: str, goal: str, lower: float | None, model: str) -> None:
    assert usual_model(name, goal, lower) == model


def test_no_name_stands_for_two_metrics() -> None:
    assert len(BY_NAME) == sum(len(metric.names) for metric in KNOWN_METRICS)


@given(st.sampled_from(sorted(BY_NAME)), st.lists(st.sampled_from(["_", "-", " ", "  ", "_ "]), min_size=9), st.data())
def test_a_name_is_read_in_any_case_and_with_any_sign_between_its_words(
    name: str, signs: list[str], data: st.DataObject
) -> None:
    words = name.split("_")
    written = "".join(word + sign for word, sign in zip(words, [*signs[: len(words) - 1], ""], strict=True))
    written = "".join(data.draw(st.sampled_from([sign.lower(), sign.upper()])) for sign in written)
    assert known_metric(f" {written} ") is BY_NAME[name]


@pytest.mark.parametrize("name", ["", " ", "loss", "my accuracy", "accuracy2", "ac curacy"])
def test_other_names_are_not_guessed(name: str) -> None:
    assert known_metric(name) is None


@pytest.mark.parametrize("name", ["f1", "roc_auc", "bleu", "iou", "balanced_accuracy", "average_precision"])
def test_what_is_bounded_is_not_therefore_a_share_of_counted_examples(name: str) -> None:
    assert BY_NAME[name].kind == "other"
