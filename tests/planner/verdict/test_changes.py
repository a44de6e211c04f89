"""What a plan changes in the metric's units, against closed forms and draws made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.plan import make_plan
from app.planner.verdict.changes import MetricScale
from tests.planner.problems import ACCURACY, RMSE, offers, problem, random_curves, scattered, stated

CURVES = [(0.05, 2.0, 0.5, 0.0), (0.1, 3.0, 0.4, 0.0)]


def value(curve: tuple[float, float, float, float], count: float) -> float:
    asymptote, scale, exponent, offset = curve
    return 1.0 - asymptote - scale * (count + offset) ** -exponent


def test_the_mean_and_the_worst_group_follow_the_curves() -> None:
    asked = problem(stated(CURVES), offers([1.0, 1.0]), 1_000.0, held=[400.0, 400.0], weights=[3.0, 1.0])
    scale = MetricScale.of(replace(asked, metric=ACCURACY))
    found = scale.changes(scale.form.held, scale.counts({"s0": 500, "s1": 100}))
    now, after = [value(curve, 400) for curve in CURVES], [value(CURVES[0], 900), value(CURVES[1], 500)]
    assert (found.mean.now, found.mean.after) == pytest.approx(
        (0.75 * now[0] + 0.25 * now[1], 0.75 * after[0] + 0.25 * after[1])
    )
    assert (found.worst.now, found.worst.after) == pytest.approx((min(now), min(after)))
    assert (found.worst_now, found.worst_after) == ("g1", "g1")
    assert found.mean.gain.mean == pytest.approx(found.mean.after - found.mean.now)


def test_of_a_metric_to_minimise_less_is_a_gain() -> None:
    asked = replace(
        problem(stated(CURVES), offers([1.0, 1.0]), 1_000.0, held=[400.0, 400.0]),
        metric=RMSE,
        reference_loss=np.ones(2),
    )
    scale = MetricScale.of(asked)
    found = scale.changes(scale.form.held, scale.counts({"s0": 500}))
    assert found.mean.after < found.mean.now
    assert found.mean.gain.mean == pytest.approx(found.mean.now - found.mean.after)
    assert found.worst.now == pytest.approx(max(1.0 - value(curve, 400) for curve in CURVES))


def test_another_group_may_be_the_worst_after() -> None:
    asked = problem(stated(CURVES), offers([1.0, 1.0]), 10_000.0, held=[400.0, 400.0])
    scale = MetricScale.of(replace(asked, metric=ACCURACY))
    found = scale.changes(scale.form.held, scale.counts({"s1": 100_000}))
    assert (found.worst_now, found.worst_after) == ("g1", "g0")


def test_groups_without_weight_are_no_worst_group() -> None:
    asked = problem(stated(CURVES), offers([1.0, 1.0]), 1_000.0, held=[400.0, 400.0], weights=[1.0, 0.0])
    scale = MetricScale.of(replace(asked, metric=ACCURACY))
    assert scale.changes(scale.form.held, scale.form.held).worst_now == "g0"


@pytest.mark.parametrize("widening", [1.0, 2.0])
def test_the_gain_is_over_paired_draws_and_as_wide_as_the_record_says(widening: float) -> None:
    """Independent curves: the posterior's own draws, weighed and subtracted by hand."""
    curves = scattered(CURVES, 2_000, 7)
    asked = problem(curves, offers([1.0, 1.0]), 1_000.0, held=[400.0, 400.0])
    scale = MetricScale.of(replace(asked, metric=ACCURACY, widening=widening))
    found = scale.changes(scale.form.held, scale.counts({"s0": 500, "s1": 500}))
    levels = [ACCURACY.to_metric(curves.loss(np.full(2, count))) for count in (400.0, 900.0)]
    gains = (levels[1] - levels[0]).mean(axis=0)
    p05, p95 = np.quantile(gains, (0.05, 0.95))
    assert found.mean.gain.mean == pytest.approx(gains.mean(), rel=1e-6)
    assert found.mean.gain.p95 - found.mean.gain.p05 == pytest.approx(widening * (p95 - p05), rel=1e-3)
    assert 0.9 < found.mean.gain.p_better < 1.0


def test_what_a_plan_tells_of_groups_is_what_is_told_of_all_of_them() -> None:
    """Of so many curves only some are drawn on; means stay the plan's."""
    rng = np.random.default_rng(3)
    curves = scattered(random_curves(rng, 400), 600, 5)
    asked = problem(
        curves, offers([1.0] * 400), 20_000.0, held=[100.0] * 400, weights=rng.uniform(0.5, 2, 400).tolist()
    )
    plan = make_plan(asked)
    scale = MetricScale.of(asked, plan)
    assert scale.form.utility.posterior.draws < 600
    found = scale.changes(scale.form.held, scale.bought(plan))
    weights = asked.weights / asked.weights.sum()
    for told, name in ((found.mean.now, "metric_now"), (found.mean.after, "metric_after")):
        assert told == pytest.approx(weights @ [getattr(group, name).mean for group in plan.groups], rel=1e-12)
    rule = scale.changes(scale.counts(plan.utility.best_simple_rule.orders), scale.bought(plan))
    whole = MetricScale.of(asked).form.metric_at
    counts = scale.counts(plan.utility.best_simple_rule.orders)
    exact = weights[scale.form.order] @ whole(counts).mean(axis=1)
    assert rule.mean.after == found.mean.after
    assert rule.mean.now == pytest.approx(exact, abs=0.1 * abs(found.mean.gain.mean))
