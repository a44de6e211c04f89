"""An order's price: each sample costs its tier's price, exactly."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.services.ledger.terms import Terms

PRICES = st.decimals("0.000001", "99999", places=6)
TIERS = st.lists(st.tuples(st.integers(1, 60), PRICES), max_size=4, unique_by=lambda tier: tier[0]).map(sorted)


def sample_by_sample(terms: Terms, count: int) -> Decimal:
    total = terms.fixed_cost if count else Decimal(0)
    for number in range(terms.start + 1, terms.start + count + 1):
        total += next((price for start, price in reversed(terms.tiers) if number > start), terms.unit_cost)
    return total


@given(PRICES, TIERS, PRICES, st.integers(0, 80), st.integers(0, 80))
def test_cost_is_the_sum_of_the_samples_prices(
    unit_cost: Decimal, tiers: list[tuple[int, Decimal]], fixed_cost: Decimal, start: int, count: int
) -> None:
    terms = Terms(unit_cost, tuple(tiers), fixed_cost, "delivered", start)
    assert terms.cost(count) == sample_by_sample(terms, count)


@given(PRICES, TIERS, PRICES, st.integers(0, 80))
def test_terms_survive_storage(
    unit_cost: Decimal, tiers: list[tuple[int, Decimal]], fixed: Decimal, start: int
) -> None:
    terms = Terms(unit_cost, tuple(tiers), fixed, "accepted", start)
    assert Terms.read(terms.stored()) == terms
