"""Adapters against what the real libraries give. Recorded outputs name the versions and the code that made them."""

from math import sqrt
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    classification_report,
    f1_score,
    mean_absolute_error,
    mean_squared_error,
    precision_score,
    recall_score,
    root_mean_squared_error,
)

from tranche import Metric, Observation
from tranche.adapters import from_classification_report, from_lm_eval, from_metric_frame, from_predictions

TRUE = [1, 1, 0, 0, 1, 0, 1, 0]
PRED = [1, 0, 0, 1, 1, 0, 1, 0]
GROUPS = ["a", "a", "a", "a", "b", "b", "b", "b"]
COUNTS = {"a": 40, "b": 60}


def test_predictions_become_a_run() -> None:
    run = Observation.from_predictions(COUNTS, TRUE, PRED, GROUPS, external_id="r", holdout="h")
    metrics = {"a": Metric(0.5, eval_size=4), "b": Metric(1.0, eval_size=4)}
    assert run == Observation(COUNTS, metrics, external_id="r", holdout="h")


def test_a_proportion_is_one_of_the_samples_that_it_is_of() -> None:
    assert from_predictions(TRUE, PRED, GROUPS, "recall")["a"] == Metric(0.5, eval_size=2)
    assert from_predictions([1, 1, 1, 0], [1, 0, 0, 0], ["a"] * 4, "recall")["a"] == Metric(1 / 3, eval_size=3)
    assert from_predictions([1, 1, 1, 0], [1, 0, 0, 0], ["a"] * 4, "precision")["a"] == Metric(1.0, eval_size=1)
    assert from_predictions(["y", "n"], ["y", "y"], [1, 1], "precision", positive="y") == {
        "1": Metric(0.5, eval_size=2)
    }


SCORERS: dict[str, Any] = {
    "accuracy": accuracy_score,
    "recall": recall_score,
    "precision": precision_score,
    "f1": f1_score,
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
    "rmse": root_mean_squared_error,
}


@pytest.mark.parametrize("metric", SCORERS)
@given(pairs=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from("abc")), max_size=60))
def test_values_are_scikit_learns(metric: str, pairs: list[tuple[int, int, str]]) -> None:
    # Of each group a hit, so that every metric is defined.
    rows = [*pairs, *((1, 1, group) for group in "abc")]
    true, pred, groups = (np.array(column) for column in zip(*rows, strict=True))
    found = from_predictions(true, pred, groups, metric)
    for group in "abc":
        mine = groups == group
        assert found[group].value == pytest.approx(SCORERS[metric](true[mine], pred[mine]))


def scatter(metric: str, draw: Any, repeats: int = 4000) -> tuple[float, float]:
    """The standard deviation of a metric over new test sets, and the mean error stated for it."""
    found = [from_predictions(*draw(), ["a"] * 200, metric)["a"] for _ in range(repeats)]
    stated = [metric.stderr or sqrt(metric.value * (1 - metric.value) / (metric.eval_size or 1)) for metric in found]
    return float(np.std([one.value for one in found])), float(np.mean(stated))


@pytest.mark.parametrize("metric", ["accuracy", "recall", "precision", "f1", "mae", "mse", "rmse"])
def test_the_errors_stated_are_those_that_new_test_sets_show(metric: str) -> None:
    random = np.random.default_rng(5)

    def draw() -> tuple[list[float], list[float]]:
        if metric in ("mae", "mse", "rmse"):
            return random.normal(size=200).tolist(), [0.0] * 200
        true = random.random(200) < 0.3
        return true.astype(int).tolist(), np.where(random.random(200) < 0.85, true, ~true).astype(int).tolist()

    shown, stated = scatter(metric, draw, 600)
    assert stated == pytest.approx(shown, rel=0.12)


def test_a_perfect_f1_is_not_certain_and_what_has_no_scatter_states_no_error() -> None:
    perfect = from_predictions([1] * 20, [1] * 20, ["a"] * 20, "f1")["a"]
    assert perfect.value == 1.0
    assert perfect.stderr is not None
    assert 0.01 < perfect.stderr < 0.05
    assert from_predictions([1.0], [2.0], ["a"], "mae") == {"a": Metric(1.0)}
    assert from_predictions([1.0, 2.0], [1.0, 2.0], ["a", "a"], "rmse") == {"a": Metric(0.0)}


def test_groups_of_several_attributes_are_joined_by_a_slash() -> None:
    assert from_predictions([1, 1], [1, 0], [("female", "<25"), (np.str_("male"), 30)]) == {
        "female/<25": Metric(1.0, eval_size=1),
        "male/30": Metric(0.0, eval_size=1),
    }


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (([1], [1, 2], ["a"]), "one length and not empty; they have 1, 2 and 1 items"),
        (([], [], []), "not empty"),
        (([1], [1], ["a"], "auc"), "'auc' is not scored here; it is one of accuracy, recall"),
        (([0], [1], ["a"], "recall"), "group 'a' has no samples labelled 1, so its recall is not defined"),
        (([1], [0], ["a"], "precision"), "group 'a' has no samples predicted 1"),
        (([0], [0], ["a"], "f1"), "group 'a' has no samples labelled or predicted 1"),
        (([1.0], [float("nan")], ["a"], "mae"), "group 'a': a prediction is nan"),
        ((["x"], [1.0], ["a"], "mse"), "group 'a': a label is 'x', which is no number"),
    ],
)
def test_predictions_that_have_no_score_are_refused(arguments: tuple[Any, ...], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        from_predictions(*arguments)


LABELS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=80)


@pytest.mark.parametrize("metric", ["recall", "precision", "f1"])
@given(LABELS)
def test_a_report_says_what_its_predictions_say(metric: str, pairs: list[tuple[int, int]]) -> None:
    """The error that follows from the report is the one that follows from the predictions."""
    rows = [*pairs, (0, 0), (1, 1), (2, 2)]
    true, pred = zip(*rows, strict=True)
    report = classification_report(true, pred, output_dict=True)
    found = from_classification_report(report, metric)
    assert found.keys() == {"0", "1", "2"}
    for label in range(3):
        wanted = from_predictions(true, pred, ["all"] * len(rows), metric, positive=label)["all"]
        assert found[str(label)].value == pytest.approx(wanted.value)
        assert found[str(label)].eval_size == wanted.eval_size
        assert found[str(label)].stderr == pytest.approx(wanted.stderr)


def test_a_report_becomes_a_run() -> None:
    report = classification_report(TRUE, PRED, output_dict=True, target_names=["no", "yes"])
    run = Observation.from_classification_report(report, {"no": 5, "yes": 9}, holdout="h", groups=["yes"])
    assert run == Observation({"no": 5, "yes": 9}, {"yes": Metric(0.75, eval_size=4)}, holdout="h")


def test_averages_of_reports_are_left_out() -> None:
    several = classification_report(
        np.eye(3, dtype=int), np.eye(3, dtype=int), output_dict=True, target_names=["x", "y", "z"]
    )
    assert {"micro avg", "samples avg"} < several.keys()
    assert from_classification_report(several).keys() == {"x", "y", "z"}


def test_what_does_not_follow_from_a_report_is_not_stated() -> None:
    row = {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 5.0}
    assert from_classification_report({"a": row}, "precision") == {"a": Metric(0.0)}
    assert from_classification_report({"a": row}, "f1") == {"a": Metric(0.0)}
    assert from_classification_report({"a": row}) == {"a": Metric(0.0, eval_size=5)}
    rounded = {"precision": 0.67, "recall": 0.71, "f1-score": 0.69, "support": 7}
    assert from_classification_report({"a": rounded}, "f1") == {"a": Metric(0.69)}
    weighted = classification_report([1, 1, 0], [1, 0, 0], sample_weight=[0.5, 0.3, 1], output_dict=True)
    assert from_classification_report(weighted)["1"].eval_size is None


@pytest.mark.parametrize("error", [(True, TypeError, "output_dict=True"), (False, ValueError, "class '1' is nan")])
def test_reports_that_cannot_be_read_are_refused(error: tuple[bool, type[Exception], str]) -> None:
    text, kind, what = error
    report: Any = classification_report([0, 0], [0, 1], output_dict=not text, zero_division=np.nan)
    with pytest.raises(kind, match=what):
        from_classification_report(report)
    if not text:
        assert from_classification_report(report, groups=["0"]) == {"0": Metric(0.5, eval_size=2)}
        with pytest.raises(ValueError, match="no values of the groups 7; there are 0, 1"):
            from_classification_report(report, groups=["7"])


class Series:
    """What of a pandas.Series is read."""

    def __init__(self, values: dict[Any, Any], name: str) -> None:
        self.values, self.name = values, name

    def to_dict(self) -> dict[Any, Any]:
        return self.values


class Table:
    """What of a pandas.DataFrame is read."""

    def __init__(self, columns: dict[str, dict[Any, Any]]) -> None:
        self.columns = columns

    def to_dict(self) -> dict[str, dict[Any, Any]]:
        return self.columns


# Recorded of Fairlearn 0.15.0 (pandas 3.1.1, scikit-learn 1.9.1), rng = numpy.random.default_rng(0), n = 400:
# y = rng.integers(0, 2, n); p = where(rng.random(n) < .8, y, 1 - y); sex = rng.choice(["female", "male"], n);
# age = rng.choice(["<25", "25+"], n, p=[.2, .8]); MetricFrame(metrics={"accuracy": accuracy_score,
# "recall": recall_score, "count": count}, …, n_boot=100, ci_quantiles=[.05, .5, .95], random_state=1):
# by_group.to_dict() and by_group_ci.
KEYS = (("female", "25+"), ("female", "<25"), ("male", "25+"), ("male", "<25"))


def column(*values: float) -> dict[Any, float]:
    return dict(zip(KEYS, values, strict=True))


FRAME = SimpleNamespace(
    by_group=Table({
        "accuracy": column(0.8181818181818182, 0.723404255319149, 0.8, 0.8235294117647058),
        "recall": column(0.8131868131868132, 0.8846153846153846, 0.8333333333333334, 0.7857142857142857),
        "count": column(154.0, 47.0, 165.0, 34.0),
    }),
    ci_quantiles=[0.05, 0.5, 0.95],
    by_group_ci=[
        Table({"recall": column(0.7342687074829932, 0.7691025641025642, 0.7657548125633232, 0.6105555555555556)}),
        Table({"recall": column(0.8124757595345831, 0.8956442831215972, 0.8395402298850574, 0.7857142857142857)}),
        Table({"recall": column(0.8710363761153054, 1.0, 0.8890681003584229, 0.9376838235294117)}),
    ],
)  # fmt: skip
# Of the same data: MetricFrame(metrics=accuracy_score, y_true=y, y_pred=p, sensitive_features=sex).by_group
PLAIN = SimpleNamespace(
    by_group=Series({"female": 0.7960199004975125, "male": 0.8040201005025126}, "accuracy_score"), ci_quantiles=None
)
HELD = {"female/25+": 10, "female/<25": 10, "male/25+": 10, "male/<25": 10}


def test_a_frame_with_a_count_becomes_a_run() -> None:
    run = Observation.from_metric_frame(FRAME, HELD, "accuracy", external_id="r")
    assert run.external_id == "r"
    assert run.metrics["female/<25"] == Metric(0.723404255319149, eval_size=47)
    assert run.metrics["male/25+"] == Metric(0.8, eval_size=165)
    assert run.metrics.keys() == HELD.keys()


def test_a_recall_gets_its_error_from_the_bootstrap_and_not_from_all_samples() -> None:
    """The quantiles of a normal at .05 and .95 lie 3.29 standard deviations apart."""
    found = from_metric_frame(FRAME, "recall")
    assert found["female/25+"].eval_size is None
    assert found["female/25+"].stderr == pytest.approx((0.8710363761153054 - 0.7342687074829932) / 3.2897072539)


def test_a_frame_of_one_metric_needs_no_name_and_may_be_told_its_sizes() -> None:
    assert from_metric_frame(PLAIN) == {"female": Metric(0.7960199004975125), "male": Metric(0.8040201005025126)}
    sizes = {"female": 201, "male": 199.0}
    assert from_metric_frame(PLAIN, eval_size=sizes)["male"] == Metric(0.8040201005025126, eval_size=199)  # type: ignore[arg-type]
    assert from_metric_frame(PLAIN, eval_size=200)["female"].eval_size == 200
    assert from_metric_frame(FRAME, "recall", eval_size="count")["male/<25"].eval_size == 34


def test_a_quantile_of_no_width_states_no_error() -> None:
    flat = SimpleNamespace(by_group=Series({"a": 1.0}, "f1"), ci_quantiles=[0.1, 0.9],
                           by_group_ci=[Series({"a": 1.0}, "f1")] * 2)  # fmt: skip
    assert from_metric_frame(flat) == {"a": Metric(1.0)}


def test_frames_that_do_not_say_what_is_wanted_are_refused() -> None:
    with pytest.raises(ValueError, match="say which metric; it has accuracy, recall, count"):
        from_metric_frame(FRAME)
    with pytest.raises(ValueError, match="the frame has no metric 'f1'; it has accuracy"):
        from_metric_frame(FRAME, "f1")
    with pytest.raises(ValueError, match="no metric 'n' to take eval_size from"):
        from_metric_frame(FRAME, "recall", eval_size="n")
    # A combination of features that no sample has is nan in by_group.
    holes = SimpleNamespace(by_group=Series({("f", "a"): 1.0, ("m", "b"): float("nan")}, "acc"), ci_quantiles=None)
    with pytest.raises(ValueError, match="the acc of group 'm/b' is nan"):
        from_metric_frame(holes)
    assert from_metric_frame(holes, groups=["f/a"]) == {"f/a": Metric(1.0)}
    twice = SimpleNamespace(by_group=Series({1: 1.0, "1": 1.0}, "acc"), ci_quantiles=None)
    with pytest.raises(ValueError, match="two of the labels are called '1'"):
        from_metric_frame(twice)


# The form of lm-evaluation-harness 0.4.13 (evaluator_utils.EvalAcc and _compute_task_aggregations; group aggregates
# stand among the results and in group_subtasks). Written after its source; the numbers are made up.
LM_EVAL: dict[str, Any] = {
    "results": {
        "belebele": {"name": "belebele", "alias": "belebele", "sample_len": 1800, "acc,none": 0.6,
                     "acc_stderr,none": 0.01},
        "belebele_deu": {"name": "belebele_deu", "alias": " - deu", "sample_len": 900, "acc,none": 0.75,
                         "acc_stderr,none": 0.0144, "acc_norm,none": 0.7, "acc_norm_stderr,none": 0.0153},
        "belebele_swh": {"name": "belebele_swh", "alias": " - swh", "sample_len": 900, "acc,none": 0.45,
                         "acc_stderr,none": "N/A"},
        "arc_de": {"name": "arc_de", "alias": "arc_de", "sample_len": 10, "acc,none": 1.0, "acc_stderr,none": 0.0},
        "gsm8k": {"name": "gsm8k", "alias": "gsm8k", "sample_len": 1319, "exact_match,strict-match": 0.4,
                  "exact_match_stderr,strict-match": 0.0135, "exact_match,flexible-extract": 0.5,
                  "exact_match_stderr,flexible-extract": 0.0138},
        "wikitext": {"name": "wikitext", "alias": "wikitext", "sample_len": 62, "word_perplexity,none": 12.5,
                     "word_perplexity_stderr,none": "N/A"},
    },
    "groups": {"belebele": {"alias": "belebele", "acc,none": 0.6, "acc_stderr,none": 0.01}},
    "group_subtasks": {"belebele": ["belebele_deu", "belebele_swh"], "gsm8k": []},
    "n-samples": {
        "belebele_deu": {"original": 900, "effective": 900},
        "belebele_swh": {"original": 900, "effective": 900},
        "arc_de": {"original": 1000, "effective": 10},
        "gsm8k": {"original": 1319, "effective": 1319},
        "wikitext": {"original": 62, "effective": 62},
    },
}  # fmt: skip


def test_tasks_become_groups_with_the_errors_of_the_harness() -> None:
    assert from_lm_eval(LM_EVAL) == {
        "belebele_deu": Metric(0.75, stderr=0.0144),
        "belebele_swh": Metric(0.45, eval_size=900),
        "arc_de": Metric(1.0, eval_size=10),
    }
    run = Observation.from_lm_eval(LM_EVAL, {"German": 5}, {"belebele_deu": "German"}, "acc_norm", recipe="7b")
    assert run == Observation({"German": 5}, {"German": Metric(0.7, stderr=0.0153)}, recipe="7b")
    gsm8k = from_lm_eval(LM_EVAL, {"gsm8k": "sums"}, "exact_match", filter="strict-match")
    assert gsm8k == {"sums": Metric(0.4, stderr=0.0135)}
    assert from_lm_eval(LM_EVAL, {"wikitext": "text"}, "word_perplexity") == {"text": Metric(12.5)}


@pytest.mark.parametrize(
    ("tasks", "metric", "what"),
    [
        ({"nope": "a"}, "acc", "no task 'nope'; there are belebele, "),
        (
            {"gsm8k": "a"},
            "acc",
            "has no metric 'acc,none'; it has exact_match,strict-match, exact_match,flexible-extract",
        ),
        ({"belebele_deu": "a", "belebele_swh": "a"}, "acc", "two tasks measure group 'a'"),
        (None, "bleu", "no task has the metric 'bleu,none'"),
    ],
)
def test_results_without_what_is_wanted_are_refused(tasks: dict[str, str] | None, metric: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        from_lm_eval(LM_EVAL, tasks, metric)


def test_what_is_no_results_file_and_no_number_is_refused() -> None:
    with pytest.raises(TypeError, match="no 'results' here"):
        from_lm_eval({})
    with pytest.raises(ValueError, match="the acc of task 'a' is nan"):
        from_lm_eval({"results": {"a": {"acc,none": float("nan")}}})
