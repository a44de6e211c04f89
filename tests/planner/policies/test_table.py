"""The table of policies: one row a name, and what a row says is true of its orders."""

from typing import get_args

import numpy as np
import pytest

from app.planner.arrays import IntArray
from app.planner.plan.decide import choose
from app.planner.policies.policy import PolicyName
from app.planner.policies.table import POLICIES
from app.planner.problem.canonical import Canonical
from tests.planner.problems import Curve, offers, problem, stated

STEEP: Curve = (0.05, 3.0, 0.5, 0.0)
FLAT: Curve = (0.3, 0.4, 0.2, 0.0)


def orders(policy: PolicyName, curves: list[Curve]) -> IntArray:
    asked = problem(stated(curves), offers([1.0, 2.0]), 200.0, held=[60.0, 80.0])
    return choose(Canonical.of(asked), policy)


def test_every_name_has_one_row() -> None:
    assert tuple(POLICIES) == get_args(PolicyName)


def test_no_two_policies_read_alike() -> None:
    for words in ([row.label for row in POLICIES.values()], [row.rule for row in POLICIES.values()]):
        assert len({word.lower() for word in words}) == len(POLICIES)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_asks_the_curves_where_its_row_says_so(policy: PolicyName) -> None:
    one, other = orders(policy, [STEEP, FLAT]), orders(policy, [FLAT, STEEP])
    assert np.array_equal(one, other) != POLICIES[policy].needs_curves
