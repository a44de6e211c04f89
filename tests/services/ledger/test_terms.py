"""An order's price: each sample costs its tier's price, exactly."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from app.services.ledger.terms import Terms, price_of, terms_of
from app.services.projects.sources import lot_of, new_source

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


@given(PRICES, st.integers(1, 12), st.integers(1, 12), st.integers(1, 20))
def test_whole_items_cost_their_price_to_a_millionth_a_label(price: Decimal, labels: int, lot: int, lots: int) -> None:
    source = new_source(
        {
            "unit_cost": price,
            "labels_per_item": labels,
            "lot_size": lot,
            "price_tiers": [{"from": 0, "unit_cost": price}],
        },
        [],
    )
    order = lots * lot_of(source)
    items, rest = divmod(order, labels)
    assert (rest, order % lot) == (0, 0)
    assert lot_of(source) <= lot * labels
    paid, due = terms_of(source, 0, None).cost(order), items * Fraction(price)
    assert Fraction(0) <= Fraction(paid) - due < Fraction(order, 10**6)
    assert price_of(source) > 0
