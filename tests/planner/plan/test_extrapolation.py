"""Which plans are said to extrapolate: far money counted by hand, and doubt by the draws."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Diagnostics, Posterior
from app.planner.plan.make_plan import make_plan
from app.planner.plan.plan import Plan
from app.planner.wording import Warning
from tests.planner.problems import MONEY, offers, problem, scattered, stated

CURVES = [(0.05, 2.0, 0.5, 0.0), (0.05, 2.5, 0.5, 0.0)]
PRICES = [1.0, 2.0]


def measured_to(posterior: Posterior, *largest: float) -> Posterior:
    """0: never measured."""
    seen = tuple(Diagnostics(4 if most else 0, 4 if most else 0, most, 1) for most in largest)
    return replace(posterior, diagnostics=seen, reference=np.maximum(np.array(largest), 1.0))


def doubtful(groups: int = 2, draws: int = 200) -> Posterior:
    """Curves whose exponents are hardly known, from .02 to 2: beyond what was measured they spread."""
    posterior = scattered((CURVES * groups)[:groups], draws, 5)
    exponent = np.exp(np.random.default_rng(6).uniform(np.log(0.02), np.log(2.0), size=posterior.exponent.shape))
    anchor = np.full_like(exponent, 100.0)
    return replace(posterior, exponent=exponent, anchor=anchor, excess=np.full_like(exponent, 0.2))


def planned(posterior: Posterior, budget: float) -> Plan:
    return make_plan(problem(posterior, offers(PRICES), budget, held=[100.0, 100.0]))


def warned(plan: Plan) -> list[Warning]:
    return [one for one in plan.warnings if one.code == "extrapolates"]


def far_money(plan: Plan, reach: list[float]) -> FloatArray:
    """In currency units, by hand: samples beyond 3 times the reach at the price of each."""
    counts = np.array([group.count_after for group in plan.groups], dtype=np.float64)
    return np.maximum(counts - np.maximum(3.0 * np.array(reach), 100.0), 0.0) * PRICES


def test_much_money_far_beyond_what_was_measured_is_doubted_with_its_groups_and_its_amount() -> None:
    plan = planned(measured_to(doubtful(), 100.0, 100.0), 3_000.0)
    [one] = warned(plan)
    far = far_money(plan, [100.0, 100.0])
    assert np.all(far > 0.01 * plan.spend / MONEY)
    said = float(far.sum())
    assert one.detail.startswith(f"{said:,.0f}, ")
    assert f"{said * MONEY / plan.spend:.0%} of the spend".replace("%", " %") in one.detail
    assert one.detail.index("g0 beyond 300") > 0
    assert one.detail.index("g1 beyond 300") > 0
    assert one.group is None


def test_a_group_alone_is_named_as_the_warnings_own() -> None:
    posterior = measured_to(doubtful(), 100.0, 100.0)
    plan = make_plan(problem(posterior, offers([1.0], groups=[0]), 3_000.0, held=[100.0, 100.0]))
    [one] = warned(plan)
    assert one.group == "g0"
    assert "g1" not in one.detail


@pytest.mark.parametrize("why", ["near", "known", "unmeasured", "nothing bought"])
def test_plans_that_need_no_doubt_are_not_doubted(why: str) -> None:
    """Far but certain, doubtful but near, groups that other warnings are about, and no money at all."""
    posterior = measured_to(doubtful(), 100.0, 100.0)
    if why == "near":
        posterior = measured_to(doubtful(), 1e6, 1e6)
    elif why == "known":
        posterior = measured_to(stated(CURVES), 100.0, 100.0)
    elif why == "unmeasured":
        posterior = measured_to(doubtful(), 0.0, 0.0)
    assert warned(planned(posterior, 0.0 if why == "nothing bought" else 3_000.0)) == []


def test_it_is_the_money_at_risk_that_decides() -> None:
    """The same curves: a little money stays near, more goes far."""
    posterior = measured_to(doubtful(), 100.0, 100.0)
    found = [bool(warned(planned(posterior, budget))) for budget in (100.0, 400.0, 3_000.0, 30_000.0)]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (False, True)


def test_five_groups_are_named_and_the_others_counted() -> None:
    posterior = measured_to(doubtful(8), *[100.0] * 8)
    asking = problem(posterior, offers([1.0] * 8), 12_000.0, held=[100.0] * 8)
    [one] = [warning for warning in make_plan(asking).warnings if warning.code == "extrapolates"]
    assert one.detail.count(" beyond ") == 5
    assert "and 3 other groups" in one.detail


def test_where_every_group_gets_a_little_they_are_counted_and_not_named() -> None:
    posterior = measured_to(doubtful(120), *[100.0] * 120)
    asking = problem(posterior, offers([1.0] * 120), 60_000.0, held=[300.0] * 120)
    [one] = warned(make_plan(asking, "equal"))
    assert "(120 groups, a little each)" in one.detail
    assert one.group is None
