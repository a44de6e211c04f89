"""The divisible optimum against CVXPY, closed forms and root finding."""

from collections.abc import Sequence

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import brentq

from app.planner.arrays import FloatArray
from app.planner.problem.canonical import Canonical
from app.planner.problem.problem import Problem
from app.planner.relaxation.certificate import Relaxation
from app.planner.relaxation.power_laws import Steps, orders_at_level
from app.planner.relaxation.relax import relax
from app.planner.utility.objective import Objective
from tests.planner.problems import (
    ACCURACY,
    MAXIMIN,
    RMSE,
    UTILITARIAN,
    isoelastic,
    offers,
    problem,
    random_curves,
    scattered,
    stated,
)

OBJECTIVES = [UTILITARIAN, isoelastic(0.5), isoelastic(1.0), isoelastic(2.0), MAXIMIN]


def solved(question: Problem) -> tuple[Canonical, Relaxation]:
    form = Canonical.of(question)
    return form, relax(form, form.utility).relaxation


def by_cvxpy(question: Problem) -> float:
    """The divisible optimum as a cone program, written from method.md 5 and 6 alone."""
    parameters = question.posterior.parameters()
    prices = np.array([source.unit_cost for source in question.sources]) / question.budget
    share = cp.Variable(len(question.sources), nonneg=True)
    x = cp.multiply(share, 1.0 / prices)
    weights = question.weights / question.weights.sum()
    values = []
    for group in range(len(question.keys)):
        own = [at for at, source in enumerate(question.sources) if source.yields[0][0] == group]
        count = question.held[group] + (cp.sum(x[own]) if own else 0.0)
        unit = 1.0 if question.reference_loss is None else float(question.reference_loss[group])
        draws = [
            _phi(question, (a + b * cp.power(count + d, -c)) / unit)
            for a, b, c, d in zip(
                *(parameters[name][group] for name in ("asymptote", "scale", "exponent", "offset")), strict=True
            )
        ]
        values.append(sum(draws) / len(draws))
    limits = [x[at] <= source.max_order for at, source in enumerate(question.sources) if source.max_order is not None]
    total = cp.min(cp.hstack(values)) if question.objective.kind == "maximin" else weights @ cp.hstack(values)
    program = cp.Problem(cp.Maximize(total), [cp.sum(share) <= 1.0, *limits])
    program.solve(solver=cp.CLARABEL)
    return float(program.value)


def _phi(question: Problem, loss: cp.Expression) -> cp.Expression:
    bounded, aversion = question.metric.span is not None, question.objective.aversion
    if question.objective.kind != "isoelastic":
        return 1.0 - loss if bounded else -loss
    if not bounded:
        return -cp.power(loss, 1.0 + aversion) / (1.0 + aversion)
    if aversion == 1.0:
        return cp.log(1.0 - loss)
    return (cp.power(1.0 - loss, 1.0 - aversion) - 1.0) / (1.0 - aversion)


def random_question(seed: int, objective: Objective) -> Problem:
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(2, 5))
    sources = int(rng.integers(groups, groups + 3))
    return problem(
        scattered(random_curves(rng, groups), draws=int(rng.choice([1, 3])), seed=seed),
        offers(
            prices=rng.uniform(0.5, 6.0, size=sources).round(3).tolist(),
            groups=[*range(groups), *rng.integers(groups, size=sources - groups).tolist()],
            most=[int(rng.integers(20, 200)) if rng.random() < 0.4 else None for _ in range(sources)],
        ),
        budget=float(rng.integers(100, 2000)),
        objective=objective,
        held=rng.integers(30, 300, size=groups).astype(float).tolist(),
        weights=rng.uniform(0.2, 2.0, size=groups).tolist(),
        metric=RMSE if objective != MAXIMIN and seed % 3 == 0 else ACCURACY,
    )


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: f"{objective.kind}-{objective.aversion}")
@pytest.mark.parametrize("seed", range(6))
def test_random_problems_have_the_cone_programs_optimum(seed: int, objective: Objective) -> None:
    question = random_question(seed, objective)
    form, found = solved(question)
    expected = by_cvxpy(question)
    gain = max(abs(expected - form.utility.at(form.held)), 1e-9)
    assert found.residual <= 1e-8
    # Feasible and never below the solver's answer, which is good to a few millionths of the gain.
    assert -1e-7 * gain <= found.utility - expected <= 3e-6 * gain


def test_pure_power_laws_are_bought_in_the_closed_forms_ratio() -> None:
    scale, price = np.array([1.0, 4.0, 2.0]), np.array([1.0, 2.0, 5.0])
    _, found = solved(
        problem(stated([(0.0, b, 0.5, 0.0) for b in scale]), offers(price.tolist()), 3000.0, held=[1.0] * 3)
    )
    # n ∝ (b c / p)^(1 / (1 + c)) where every group is bought.
    shape = (scale / price) ** (1.0 / 1.5)
    np.testing.assert_allclose(found.counts, shape * (3000.0 + price.sum()) / (price @ shape), rtol=1e-7)


def level(counts: float, curve: Sequence[float]) -> float:
    return 1.0 - curve[0] - curve[1] * (counts + curve[3]) ** -curve[2]


def count_at(value: float, curve: Sequence[float]) -> float:
    return float(((1.0 - value - curve[0]) / curve[1]) ** (-1.0 / curve[2]) - curve[3])


def count_gaining(slope: float, curve: Sequence[float]) -> float:
    return float((curve[1] * curve[2] / slope) ** (1.0 / (1.0 + curve[2])) - curve[3])


@pytest.mark.parametrize("stop_ratio", [0.001, 0.01, 0.1, 0.3])
def test_the_stop_ratio_rests_where_root_finding_says(stop_ratio: float) -> None:
    curves = [(0.6, 2.0, 0.5, 0.0), (0.05, 4.0, 0.5, 0.0), (0.02, 3.0, 0.45, 0.0)]
    held, price, money = [200.0, 100.0, 100.0], [1.0, 1.0, 2.0], 20_000.0
    objective = Objective("maximin", stop_ratio=stop_ratio)
    _, found = solved(problem(stated(curves), offers(price), money, objective, held=held))

    def rest(reached: float) -> FloatArray:
        counts = np.array([0.0, *(max(held[at], count_at(reached, curves[at])) for at in (1, 2))])
        gains = [curves[at][1] * curves[at][2] * counts[at] ** (-1.0 - curves[at][2]) / price[at] for at in (1, 2)]
        counts[0] = max(held[0], count_gaining(stop_ratio * max(gains), curves[0]))
        return counts

    reached = brentq(lambda value: (rest(value) - held) @ price - money, 0.6, 0.94, xtol=1e-14)
    np.testing.assert_allclose(found.counts, rest(reached), rtol=1e-6)


def test_money_beyond_a_capped_group_raises_the_next_worst() -> None:
    curves = [(0.0, 5.0, 0.5, 0.0), (0.0, 4.0, 0.5, 0.0), (0.0, 3.0, 0.5, 0.0)]
    question = problem(stated(curves), offers([1.0] * 3, most=[40, None, None]), 400.0, MAXIMIN, held=[100.0] * 3)
    _, found = solved(question)
    # The worst group takes its 40; the others share 360 so that 4/√n₁ = 3/√n₂, above what 3/√100 was.
    second = (560.0) / (1.0 + 9.0 / 16.0)
    np.testing.assert_allclose(found.counts, [140.0, second, 560.0 - second], rtol=1e-8)
    assert found.utility == pytest.approx(level(140.0, curves[0]), rel=1e-12)


def test_a_group_that_cannot_be_raised_does_not_hold_up_the_others() -> None:
    curves = [(0.5, 0.0, 0.5, 0.0), (0.0, 4.0, 0.5, 0.0), (0.0, 3.0, 0.5, 0.0)]
    _, found = solved(problem(stated(curves), offers([1.0] * 3), 400.0, MAXIMIN, held=[100.0] * 3))
    np.testing.assert_allclose(found.orders.sum(), 400.0, rtol=1e-9)
    assert found.orders[0] == 0.0


@pytest.mark.parametrize("money", [1e-4, 0.01, 0.1])
def test_one_level_is_found_where_all_sell_far_more_than_is_bought(money: float) -> None:
    steps = Steps(
        rate=np.array([-1.29, -1.13, -1.32, -1.04, -1.26, -0.95, -1.55, -1.57, -0.97, -1.74]),
        gamma=np.array([1.0, 2 / 3, 4.0, 2 / 3, 4 / 3, 4 / 3, 1.0, 2.0, 2 / 3, 4.0]),
        base=np.array([76.0, 56.0, 30.0, 80.0, 163.0, 73.0, 58.0, 70.0, 54.0, 20.0]),
        price=np.tile([1e-8, 2e-8], 5),
        length=np.tile([1e8, 5e7], 5),
        floor=np.array([0.147, 0.097, 0.106, 0.067, 0.137, 0.033, 0.207, 0.212, 0.038, 0.109]),
    )
    orders, level = orders_at_level(steps, money)
    loss = steps.floor + np.exp(steps.rate) * (1.0 + orders / steps.base) ** (-1.0 / steps.gamma)
    np.testing.assert_allclose(loss, level, rtol=1e-7)
    assert orders @ steps.price == pytest.approx(money, rel=1e-9)


def test_the_multiplier_is_the_gain_of_one_more_unit_of_money() -> None:
    for objective in OBJECTIVES:
        question = random_question(4, objective)
        _, found = solved(question)
        step = 1e-4
        more = solved(
            problem(
                question.posterior,
                question.sources,
                question.budget / 1e6 * (1.0 + step),
                objective,
                held=question.held.tolist(),
                weights=question.weights.tolist(),
                metric=question.metric,
            )
        )[1]
        assert (more.utility - found.utility) / step == pytest.approx(found.multiplier, rel=1e-3)


def hard_posterior_curves(rng: np.random.Generator, groups: int) -> list[tuple[float, float, float, float]]:
    return [
        (
            float(rng.uniform(0.0, 0.3)),
            float(rng.choice([0.0, 1e-9, 1.0, 1e3])),
            float(rng.choice([1e-4, 0.01, 0.5, 3.0])),
            float(rng.choice([0.0, 0.3, 1e3])),
        )
        for _ in range(groups)
    ]


@pytest.mark.parametrize("objective", [*OBJECTIVES, isoelastic(50.0), Objective("maximin", stop_ratio=0.1)], ids=str)
@pytest.mark.parametrize("seed", range(8))
def test_hard_numbers_still_give_a_finite_answer_within_the_budget(seed: int, objective: Objective) -> None:
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(1, 5))
    prices = (10.0 ** rng.uniform(-4.0, 6.0, size=groups)).tolist()
    held = np.floor(10.0 ** rng.uniform(0.0, 9.0, size=groups)).tolist()
    budget = float(10.0 ** rng.uniform(-3.0, 9.0))
    question = problem(stated(hard_posterior_curves(rng, groups)), offers(prices), budget, objective, held=held)
    form, found = solved(question)
    assert np.all(np.isfinite(found.orders) & (found.orders >= 0.0))
    assert np.isfinite(found.utility)
    assert found.bound >= found.utility >= form.utility.at(form.held) - 1e-12 * abs(found.utility)
    assert (found.orders * form.market.share).sum() <= 1.0 + 1e-9
