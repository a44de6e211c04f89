"""The reverse question against closed forms, brute force and what must hold."""

import gzip
import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Posterior
from app.planner.curves.transfer import Transfer
from app.planner.errors import InfeasibleError, ProblemError
from app.planner.problem.problem import Limit, Problem
from app.planner.problem.sources import Source
from app.planner.requirements.requirements import Requirements, requirements
from tests.planner.problems import MONEY, Curve, name_of, offers, problem, scattered, stated
from tests.planner.test_reference_cases import problem_of

DATA = Path(__file__).parents[1] / "data"
CASES = json.loads(gzip.decompress((DATA / "allocation_cases.json.gz").read_bytes()))["cases"]
REVERSED = [case for case in CASES if case["objective"]["kind"] == "requirements"]
CURVES: list[Curve] = [(0.08, 1.5, 0.5, 0.0), (0.1, 2.5, 0.6, 0.0)]


def uncertain(draws: int = 100, seed: int = 0) -> Posterior:
    """Curves of which floor and scale are unknown, and from which the truth strays beyond 100 samples."""
    posterior = scattered(CURVES, draws, seed)
    noise = np.random.default_rng(seed + 1).normal(size=posterior.asymptote.shape)
    return replace(posterior, reference=np.full(2, 100.0), discrepancy=0.005 * noise)


def asked(posterior: Posterior, prices: list[float], targets: list[float], held: list[float] | None = None) -> Problem:
    return problem(posterior, offers(prices), 0.0, held=held or [50.0] * len(prices), targets=targets)


def mixed(posterior: Posterior, targets: list[float]) -> Problem:
    sources = (
        Source("a", ((0, 0.7), (1, 0.3)), 3 * MONEY, lot_size=10, fixed_cost=40 * MONEY),
        Source("b", ((0, 0.2), (1, 0.7)), 4 * MONEY, lot_size=10, quality=0.9),
        Source("c", ((1, 1.0),), 9 * MONEY, lot_size=10, acceptance_rate=0.8),
    )
    return replace(problem(posterior, (), 0.0, held=[50.0, 50.0], targets=targets), sources=sources)


def chances(asking: Problem, counts: FloatArray) -> FloatArray:
    """Share of the draws in which each group's metric reaches its target, written out."""
    metric = asking.metric.to_metric(asking.posterior.band(counts))
    return np.asarray((metric >= asking.targets[:, None] - 1e-12).mean(axis=1))


def cheapest(asking: Problem, steps: int, enough: object) -> int:
    """The least cost in millionths of up to `steps` lots of each source whose counts are `enough`."""
    best = None
    for lots in product(range(steps), repeat=len(asking.sources)):
        orders = [n * source.lot_size for n, source in zip(lots, asking.sources, strict=True)]
        cost = sum(source.cost(order) for order, source in zip(orders, asking.sources, strict=True))
        if best is not None and cost >= best:
            continue
        counts = asking.held.copy()
        for order, source in zip(orders, asking.sources, strict=True):
            for group, share in source.yields:
                counts[group] += order * share * source.acceptance_rate * source.quality
        if enough(counts):  # type: ignore[operator]  # a callable, named for what it says
            best = cost
    assert best is not None
    return best


def spread(answer: Requirements) -> list[tuple[str, int]]:
    return [(source.key, source.order) for source in answer.sources]


@pytest.mark.parametrize("case", REVERSED, ids=lambda case: str(case["name"]))
def test_reference_cases_are_met_in_whole_samples(case: dict[str, Any]) -> None:
    asking = problem_of({**case, "budget": 0, "objective": {"kind": "utilitarian"}})
    answer, known = requirements(asking, 0.9, joint=False), case["answer"]
    if known.get("infeasible"):
        named = [(culprit["constraint"], culprit["need"]) for culprit in known["infeasible"]]
        assert [(name_of(culprit.constraint), culprit.need) for culprit in answer.culprits] == named
        assert [culprit.have for culprit in answer.culprits] == pytest.approx([c["have"] for c in known["infeasible"]])
        return
    for group in answer.groups:
        assert max(group.count_needed or 0.0, group.count_now) == pytest.approx(known["needed_counts"][group.key])
        assert group.count >= known["needed_counts"][group.key] * (1.0 - 1e-9)
    slack = 0 if known["integer"] else sum(source.unit_cost for source in asking.sources)
    least = known["spend"] * MONEY - (case["answer"]["spend_tolerance"] or 0.0) * MONEY - 1.0
    assert least <= answer.spend <= known["spend"] * MONEY + slack + 1.0


def test_stated_curves_need_the_closed_form_counts_whatever_the_chance() -> None:
    for chance in (0.5, 0.99):
        answer = requirements(asked(stated(CURVES), [1.0, 2.0], [0.85, 0.8]), chance, joint=False)
        counts = [(1.5 / 0.07) ** 2, (2.5 / 0.1) ** (1 / 0.6)]
        np.testing.assert_allclose([group.count_needed for group in answer.groups], counts, rtol=1e-9)
        orders = [int(np.ceil(count - 50.0)) for count in counts]
        assert spread(answer) == [("s0", orders[0]), ("s1", orders[1])]
        assert answer.spend == (orders[0] + 2 * orders[1]) * MONEY
        assert answer.joint_chance == 1.0
        assert answer.method == "exact"


def test_every_group_has_the_chance_and_one_sample_less_would_not_give_it() -> None:
    asking = asked(uncertain(), [1.0, 2.0], [0.82, 0.8])
    answer = requirements(asking, 0.8, joint=False)
    counts = np.array([group.count for group in answer.groups])
    assert np.all(chances(asking, counts) >= 0.8)
    assert np.all(chances(asking, counts - 1.0) < 0.8)
    np.testing.assert_allclose([group.chance for group in answer.groups], chances(asking, counts))


def test_shared_sources_with_lots_and_fixed_costs_cost_what_brute_force_finds() -> None:
    asking = mixed(uncertain(60, 4), [0.74, 0.72])
    answer = requirements(asking, 0.8, joint=False)
    least = cheapest(asking, 28, lambda counts: np.all(chances(asking, counts) >= 0.8))
    assert answer.spend == least
    assert answer.gap <= 1e-6


def test_together_costs_at_least_each_alone_and_at_most_an_even_split_of_the_risk() -> None:
    asking = asked(uncertain(200, 2), [1.0, 3.0], [0.8, 0.78])
    together = requirements(asking, 0.7, joint=True)
    alone, split = (requirements(asking, chance, joint=False) for chance in (0.7, 0.7**0.5))
    assert alone.spend <= together.spend <= split.spend
    assert together.joint_chance >= 0.7 - 1e-9
    assert together.joint_chance == pytest.approx(np.prod([group.chance for group in together.groups]))


def test_together_is_within_two_percent_of_brute_force() -> None:
    asking = mixed(uncertain(200, 6), [0.74, 0.72])
    answer = requirements(asking, 0.7, joint=True)
    least = cheapest(asking, 28, lambda counts: chances(asking, counts).prod() >= 0.7)
    assert answer.joint_chance >= 0.7 - 1e-9
    assert least <= answer.spend <= 1.02 * least


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_a_higher_chance_never_costs_less(seed: int, joint: bool) -> None:
    asking = asked(uncertain(60, seed), [1.0, 2.0], [0.75, 0.75])
    found = [requirements(asking, chance, joint) for chance in (0.5, 0.8, 0.9)]
    reached = [answer for answer in found if not answer.short]
    assert [answer.spend for answer in reached] == sorted(answer.spend for answer in reached)


def test_the_curve_rises_with_the_budget_and_passes_through_the_answer() -> None:
    asking = asked(uncertain(), [1.0, 2.0], [0.82, 0.8])
    answer = requirements(asking, 0.8, joint=False)
    budgets = [0, answer.spend // 4, answer.spend - 1, answer.spend, 2 * answer.spend]
    curve = requirements(asking, 0.8, joint=False, budgets=budgets).curve
    levels = [point.level for point in curve]
    assert levels == sorted(levels)
    assert levels[2] < 0.8 <= levels[3]
    assert all(point.spend <= point.budget for point in curve)
    assert all(min(point.chances) >= point.level for point in curve)
    assert curve[0].chances == tuple(group.chance_now for group in answer.groups)


def test_without_budgets_the_curve_shows_what_chances_cost() -> None:
    curve = requirements(asked(uncertain(), [1.0, 2.0], [0.82, 0.8]), 0.8, joint=False).curve
    assert 0.8 in [point.level for point in curve]
    assert [point.budget for point in curve] == sorted(point.budget for point in curve)


def test_a_target_beyond_the_floor_is_named_with_what_is_within_reach() -> None:
    answer = requirements(asked(stated(CURVES), [1.0, 1.0], [0.95, 0.8]), 0.9, joint=False)
    (lost,) = answer.short
    assert (lost.key, lost.cause, lost.chance, lost.offer) == ("g0", "out_of_reach", 0.0, None)
    assert "is out of reach" in lost.reason
    assert lost.best == pytest.approx(0.92)
    assert answer.groups[0].count_needed is None
    # The other group is served all the same.
    assert spread(answer) == [("s0", 0), ("s1", int(np.ceil((2.5 / 0.1) ** (1 / 0.6) - 50.0)))]


def test_a_target_that_too_few_curves_reach_is_called_unsure_with_its_chance() -> None:
    posterior = scattered(CURVES, 200, 0)
    target = 1.0 - float(np.quantile(posterior.asymptote[0], 0.7))
    answer = requirements(asked(posterior, [1.0, 1.0], [target, 0.6]), 0.9, joint=False)
    (lost,) = answer.short
    assert (lost.key, lost.cause) == ("g0", "unsure")
    assert lost.chance == pytest.approx(0.7, abs=0.01)


def test_a_group_without_a_source_is_named() -> None:
    asking = problem(stated(CURVES), offers([1.0], groups=[1]), 0.0, targets=[0.85, 0.8])
    answer = requirements(asking, 0.9, joint=False)
    assert [(lost.key, lost.cause) for lost in answer.short] == [("g0", "no_source")]
    assert answer.groups[1].chance == 1.0


@pytest.mark.parametrize("bound", ["max_order", "max_count", "limit"])
def test_limits_on_buying_are_named(bound: str) -> None:
    asking = asked(stated(CURVES), [1.0, 1.0], [0.85, 0.8])
    if bound == "max_order":
        asking = replace(asking, sources=(replace(asking.sources[0], max_order=100), asking.sources[1]))
    elif bound == "max_count":
        asking = replace(asking, max_count=np.array([200.0, np.nan]))
    else:
        asking = replace(asking, limits=(Limit("few", "sources", (0,), "count", maximum=99.0),))
    answer = requirements(asking, 0.9, joint=False)
    (lost,) = answer.short
    assert (lost.key, lost.cause) == ("g0", "bound")
    most = {"max_order": 150.0, "max_count": 200.0, "limit": 149.0}[bound]
    assert lost.best == pytest.approx(1.0 - 0.08 - 1.5 * most**-0.5)
    # Lowered to what the limits allow, the target can be met.
    lowered = replace(asking, targets=np.array([lost.best, 0.8]))
    assert requirements(lowered, 0.9, joint=False).short == ()
    assert answer.groups[1].chance == 1.0


def test_what_is_reached_already_costs_nothing() -> None:
    answer = requirements(asked(stated(CURVES), [1.0, 1.0], [0.5, 0.4], held=[500.0, 500.0]), 0.9, joint=False)
    assert answer.spend == 0
    assert all("without another sample" in group.reason for group in answer.groups)


def test_pending_samples_count() -> None:
    asking = asked(stated(CURVES), [1.0, 2.0], [0.85, 0.8])
    waiting = replace(asking, pending=np.array([100.0, 0.0]))
    before, after = (requirements(question, 0.9, joint=False) for question in (asking, waiting))
    assert before.sources[0].order - after.sources[0].order == 100


def test_groups_in_another_order_get_the_same_answer() -> None:
    posterior = uncertain(60, 4)
    straight = requirements(mixed(posterior, [0.74, 0.72]), 0.8, joint=True)
    turned = mixed(posterior.select(np.array([1, 0])), [0.72, 0.74])
    sources = tuple(
        replace(source, yields=tuple(sorted((1 - group, share) for group, share in source.yields)))
        for source in turned.sources
    )
    crossed = requirements(replace(turned, sources=sources), 0.8, joint=True)
    assert spread(crossed) == spread(straight)
    assert [group.key for group in crossed.groups] == [group.key for group in straight.groups][::-1]


def helped(weight: float, draws: int = 100) -> Posterior:
    """Curves that move with the other group's count."""
    posterior = scattered([(0.05, 1.5, 0.5, 0.0), (0.05, 2.5, 0.6, 0.0)], draws, 3)
    weights = np.zeros((2, 2, draws))
    weights[0, 1] = weights[1, 0] = weight
    transfer = Transfer.of_fit(weights, np.full((2, draws), 5000.0), np.full(2, 50.0), np.zeros(2), ((), ()))
    return replace(posterior, transfer=transfer)


def test_where_other_groups_help_the_chance_is_counted_and_kept() -> None:
    posterior = helped(0.4)
    answer = requirements(asked(posterior, [1.0, 2.0], [0.85, 0.82]), 0.8, joint=False)
    counts = np.array([group.count for group in answer.groups])
    reached = (1.0 - posterior.moved(counts).band(counts) >= np.array([[0.85], [0.82]])).mean(axis=1)
    assert answer.method == "conservative"
    assert np.all(reached >= 0.8)
    np.testing.assert_allclose([group.chance for group in answer.groups], reached)


def test_help_from_other_groups_saves_money() -> None:
    with_help, without = (
        requirements(asked(helped(weight), [1.0, 2.0], [0.85, 0.82]), 0.8, joint=False).spend for weight in (0.4, 1e-9)
    )
    assert with_help < without


def test_the_conservative_answer_is_the_cheapest_with_the_worst_draws_at_the_target_on_average() -> None:
    posterior = helped(0.4)
    answer = requirements(asked(posterior, [1.0, 2.0], [0.8, 0.78]), 0.8, joint=False)
    costs = []
    for first in np.arange(50.0, 700.0, 5.0):
        for second in np.arange(50.0, 700.0, 5.0):
            counts = np.array([first, second])
            over = posterior.moved(counts).band(counts) - np.array([[0.2], [0.22]])
            worst = np.sort(over, axis=1)[:, -20:].mean(axis=1)
            if np.all(worst <= 0.0):
                costs.append(first - 50.0 + 2.0 * (second - 50.0))
    # The grid is 5 samples wide, so its best costs up to 15 more.
    assert min(costs) - 16.0 <= answer.spend / MONEY <= min(costs) + 1.0


@pytest.mark.parametrize("chance", [0.0, 1.0, -0.5, 2.0])
def test_a_chance_out_of_range_is_refused(chance: float) -> None:
    with pytest.raises(ProblemError, match="it must lie above 0 and below 1"):
        requirements(asked(stated(CURVES), [1.0, 1.0], [0.8, 0.8]), chance, joint=False)


def test_without_a_target_there_is_no_question() -> None:
    with pytest.raises(ProblemError, match="no group has a target"):
        requirements(asked(stated(CURVES), [1.0, 1.0], [np.nan, np.nan]), 0.9, joint=False)


def test_limits_that_contradict_each_other_are_named_whatever_is_spent() -> None:
    asking = asked(stated(CURVES), [1.0, 1.0], [0.5, 0.5], held=[500.0, 500.0])
    asking = replace(
        asking,
        sources=(replace(asking.sources[0], max_order=50), asking.sources[1]),
        limits=(Limit("much", "sources", (0,), "count", minimum=100.0),),
    )
    with pytest.raises(InfeasibleError) as caught:
        requirements(asking, 0.9, joint=False)
    assert caught.value.culprits
