import pytest
from hypothesis import given
from hypothesis import strategies as st

from tranche import Metric, Observation


def test_a_metric_may_be_a_plain_number_with_an_error_for_the_run() -> None:
    assert Observation({"a": 40}, {"a": 0.7}, eval_size=500).metrics == {"a": Metric(0.7, eval_size=500)}
    assert Observation({"a": 40}, {"a": 7}, stderr=0.5).metrics == {"a": Metric(7.0, stderr=0.5)}
    assert Observation({"a": 40}, {"a": 0.7}).metrics == {"a": Metric(0.7)}


def test_errors_by_group_go_to_their_groups_and_not_over_one_that_is_stated() -> None:
    run = Observation(
        {"a": 4, "b": 5, "c": 6},
        {"a": 0.7, "b": Metric(0.8, stderr=0.1), "c": Metric(0.9)},
        eval_size={"a": 500, "b": 300, "c": 200},
    )
    assert run.metrics == {
        "a": Metric(0.7, eval_size=500),
        "b": Metric(0.8, stderr=0.1),
        "c": Metric(0.9, eval_size=200),
    }
    assert Observation({"a": 1, "b": 1}, {"a": 0.7, "b": 0.8}, eval_size={"a": 5}).metrics["b"] == Metric(0.8)


def test_an_error_of_a_group_without_a_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="for groups without a metric: b, c"):
        Observation({"a": 4}, {"a": 0.7}, stderr={"a": 0.1, "c": 0.1, "b": 0.1})


@pytest.mark.parametrize("value", ["0.7", None, True, [0.7], 1j])
def test_what_is_no_metric_is_named(value: object) -> None:
    with pytest.raises(TypeError, match="the metric of group 'a' must be a number or a Metric; got"):
        Observation({"a": 4}, {"a": value})  # type: ignore[dict-item]


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_whole_numbers_may_come_as_floats(count: int, size: int) -> None:
    sent = Observation({"a": float(count)}, {"a": Metric(0.5, eval_size=float(size))}).to_json()  # type: ignore[dict-item, arg-type]
    assert sent == {"counts": {"a": count}, "metrics": {"a": {"value": 0.5, "eval_size": size}}}
    assert all(isinstance(n, int) for n in (sent["counts"]["a"], sent["metrics"]["a"]["eval_size"]))


@pytest.mark.parametrize("count", [0.5, -1, float("nan"), "x"])
def test_a_count_that_is_not_whole_is_refused_by_its_group(count: object) -> None:
    with pytest.raises(ValueError, match="the count of group 'a' is "):
        Observation({"a": count}, {"a": 0.5}).to_json()  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="the eval_size of group 'a' is "):
        Observation({"a": 1}, {"a": 0.5}, eval_size=count).to_json()  # type: ignore[arg-type]
