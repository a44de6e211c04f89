"""What deliveries teach about a source: conjugate updates of what is stated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.planner.problem.rates import PRIOR_SAMPLES, acceptance, yields

SHARES = st.floats(0.01, 1.0)
COUNTS = st.integers(0, 10_000)


def posterior_by_quadrature(stated: float, accepted: int, rejected: int) -> tuple[float, float, float]:
    """Mean, 5 % and 95 % quantile of prior × likelihood on a fine grid."""
    x = (np.arange(400_000) + 0.5) / 400_000
    log = (PRIOR_SAMPLES * stated + accepted - 1.0) * np.log(x)
    log += (PRIOR_SAMPLES * (1.0 - stated) + rejected - 1.0) * np.log1p(-x)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    p05, p95 = np.interp((0.05, 0.95), np.cumsum(weight), x)
    return float((weight * x).sum()), float(p05), float(p95)


@pytest.mark.parametrize(("stated", "accepted", "rejected"), [(0.9, 0, 0), (0.8, 70, 30), (0.5, 3, 0), (0.92, 10, 40)])
def test_acceptance_is_prior_times_likelihood(stated: float, accepted: int, rejected: int) -> None:
    rate = acceptance(stated, accepted, rejected)
    assert (rate.mean, rate.p05, rate.p95) == pytest.approx(
        posterior_by_quadrature(stated, accepted, rejected), abs=2e-4
    )


@given(SHARES, COUNTS, COUNTS)
def test_acceptance_lies_between_what_is_stated_and_what_came(stated: float, accepted: int, rejected: int) -> None:
    rate = acceptance(stated, accepted, rejected)
    seen = accepted / (accepted + rejected) if accepted + rejected else stated
    assert min(stated, seen) - 1e-12 <= rate.mean <= max(stated, seen) + 1e-12
    assert 0.0 <= rate.p05 <= rate.p95 <= 1.0


def test_without_deliveries_the_stated_values_stand() -> None:
    assert acceptance(0.92, 0, 0).mean == pytest.approx(0.92)
    assert [rate.mean for rate in yields([0.55, 0.35], [0, 0], 0)] == pytest.approx([0.55, 0.35])


def test_a_source_of_one_group_that_delivers_only_it_keeps_its_yield() -> None:
    (rate,) = yields([1.0], [5_000], 0)
    assert (rate.mean, rate.p05, rate.p95) == (1.0, 1.0, 1.0)


@given(st.lists(st.tuples(st.floats(0.01, 0.3), COUNTS), min_size=1, max_size=3), COUNTS)
def test_yields_and_what_they_leave_sum_to_one(pairs: list[tuple[float, int]], others: int) -> None:
    stated, delivered = [share for share, _ in pairs], [count for _, count in pairs]
    found = sum(rate.mean for rate in yields(stated, delivered, others))
    rest = (PRIOR_SAMPLES * (1.0 - sum(stated)) + others) / (PRIOR_SAMPLES + sum(delivered) + others)
    assert found + rest == pytest.approx(1.0)


def test_many_deliveries_outweigh_what_was_stated() -> None:
    assert acceptance(0.95, 6_000, 4_000).mean == pytest.approx(0.6, abs=0.001)
    first, _ = yields([0.5, 0.5], [8_000, 2_000], 0)
    assert first.mean == pytest.approx(0.8, abs=0.001)
