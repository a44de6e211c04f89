"""Sources that the licence rule excludes: no policy orders from them, and what only they could mend is the rule's."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.planner.curves.prior import Prior
from app.planner.errors import LICENCE, InfeasibleError
from app.planner.plan.exploration import decide_exploring
from app.planner.plan.make_plan import evaluate, make_plan
from app.planner.policies.table import POLICIES
from app.planner.problem.problem import Problem
from app.planner.requirements.requirements import requirements
from app.planner.simulation.game import Rules, play, unplayed
from app.planner.simulation.worlds import posterior_world
from app.planner.utility.objective import Objective
from tests.planner.numerics import EXAMPLES
from tests.planner.problems import offers, problem, stated
from tests.planner.questions import KINDS, general


def excluding(asked: Problem, seed: int) -> Problem:
    """Each source is excluded with a chance of a half."""
    left_out = np.random.default_rng(seed + 1).random(len(asked.sources)) < 0.5
    sources = zip(asked.sources, left_out.tolist(), strict=True)
    return replace(asked, sources=tuple(replace(source, excluded=out) for source, out in sources))


def ordered_from(asked: Problem) -> Iterator[tuple[str, int]]:
    """Each policy, and what it orders from excluded sources; with exploration, too."""
    out = {source.key for source in asked.sources if source.excluded}
    for policy, exploration in [*((name, 0.0) for name in POLICIES), ("optimal", 0.3), ("optimal", None)]:
        decision, _ = decide_exploring(asked, policy, exploration, seed=3)
        orders = zip(decision.form.sources, decision.orders.tolist(), strict=True)
        yield policy, sum(order for source, order in orders if source.key in out)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS))
def test_no_policy_orders_from_an_excluded_source(seed: int, kind: Objective) -> None:
    asked = excluding(general(seed, kind), seed)
    for policy, order in ordered_from(asked):
        assert order == 0, policy


def one_group(budget: float = 1200.0) -> Problem:
    """One group of loss n^-.5 and three sources: non-commercial, of unspecified licence, CC-BY-4.0."""
    curve, sources = stated([(0.0, 1.0, 0.5, 0.0)]), offers([1.0, 1.2, 2.0], groups=[0, 0, 0])
    return problem(curve, sources, budget, held=[4.0])


def without(asked: Problem, *keys: str) -> Problem:
    return replace(asked, sources=tuple(replace(one, excluded=one.key in keys) for one in asked.sources))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("out", "bought"), [((), 1200), (("s0",), 1000), (("s0", "s1"), 600)])
def test_the_rule_costs_what_the_dearer_source_charges(policy: str, out: tuple[str, ...], bought: int) -> None:
    """1,200 samples without a rule, 1,000 where only the non-commercial source is out, 600 where both are."""
    plan = make_plan(without(one_group(), *out), policy)  # type: ignore[arg-type]  # a key of the table
    assert sum(source.order for source in plan.sources) == bought
    assert {source.key for source in plan.sources if source.binding == ("licence_rule",)} == set(out)


def test_a_group_that_only_excluded_sources_feed_says_so() -> None:
    [group] = make_plan(without(one_group(), "s0", "s1", "s2")).groups
    assert (group.add, group.reason) == (0, "The licence rule excludes every source of it.")


def test_a_floor_that_only_excluded_sources_fill_is_the_rules_doing() -> None:
    asked = replace(without(one_group(), "s0", "s1"), min_count=np.array([900.0]))
    with pytest.raises(InfeasibleError) as caught:
        make_plan(asked)
    [culprit] = caught.value.culprits
    assert (culprit.constraint, culprit.have) == (LICENCE, 2.0)
    assert culprit.change.endswith("the sources that it excludes: s0, s1.")
    # What the rule has no part in is blamed as ever: 3,000 samples cost more than the budget from any source.
    dear = replace(asked, min_count=np.array([3000.0]))
    with pytest.raises(InfeasibleError) as caught:
        make_plan(dear)
    assert [one.constraint.kind for one in caught.value.culprits] == ["budget"]
    # Both where both are needed: nothing sells at all, and the money is too little besides.
    with pytest.raises(InfeasibleError) as caught:
        make_plan(without(dear, "s0", "s1", "s2"))
    assert [one.constraint.kind for one in caught.value.culprits] == ["licence", "budget"]


def test_an_order_typed_in_for_an_excluded_source_is_refused_in_the_rules_name() -> None:
    with pytest.raises(InfeasibleError) as caught:
        evaluate(without(one_group(), "s0"), {"s0": 10})
    assert [one.constraint for one in caught.value.culprits] == [LICENCE]


def test_requirements_ask_only_of_what_may_be_bought() -> None:
    """To a loss of 1/30 takes 900 samples, of which 4 are there."""
    target = replace(one_group(), targets=np.array([1.0 - 1.0 / 30.0]))
    costs = [requirements(without(target, *out), 0.5, False, []).spend for out in ((), ("s0",), ("s0", "s1"))]
    assert costs == [round(896 * price * 1_000_000) for price in (1.0, 1.2, 2.0)]


@pytest.mark.parametrize(("out", "bought"), [((), 1200.0), (("s0", "s1"), 600.0)])
def test_a_simulation_orders_only_where_the_rule_allows(out: tuple[str, ...], bought: float) -> None:
    asked = without(one_group(), *out)
    prior = Prior()
    world = posterior_world(asked.posterior, 0, np.array([100.0]), np.zeros(1), seed=0)
    counts = play([world], Rules(unplayed(asked, prior), 2, prior, draws=50), "equal", seed=0).counts
    assert counts[0, -1, 0] - counts[0, 0, 0] == bought
