"""Facts of an item: the newest of each name, whatever the order, however often."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.services.vendors.facts import FOREVER, Facts, columns_of, delta_items, merge, overrule, said_of
from app.vendors.base import VendorEvent

START = datetime(2026, 11, 20, tzinfo=UTC)
STATES = ("submitted", "accepted", "rejected", "uncounted", "retracted")


def event(state: Any, second: int | None = 0, group: str | None = None, **more: Any) -> VendorEvent:
    at = None if second is None else START + timedelta(seconds=second)
    return VendorEvent("item_state", external_item_id="i", state=state, group=group, occurred_at=at, **more)


def folded(events: list[VendorEvent]) -> Facts:
    facts: Facts = {}
    for one in events:
        merge(facts, said_of(one))
    return facts


EVENTS = st.builds(
    event, st.sampled_from(STATES), st.none() | st.integers(0, 3), st.none() | st.sampled_from(["A", "B"])
)


@given(st.lists(EVENTS, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_matters(events: list[VendorEvent], chance: Any) -> None:
    again = events + chance.choices(events, k=len(events))
    chance.shuffle(again)
    assert folded(again) == folded(events)


@given(st.lists(EVENTS, min_size=1, max_size=8))
def test_a_retraction_anywhere_is_for_ever(events: list[VendorEvent]) -> None:
    states = {one.state for one in events}
    assert (folded(events)["state"][1] == "retracted") == ("retracted" in states)


def test_created_updated_deleted_in_any_order_is_deleted() -> None:
    story = [event("submitted", 0, "A"), event("accepted", 1), event("rejected", 2, "B"), event("retracted", None)]
    ends = {str(sorted(folded(list(order)).items())) for order in permutations(story)}
    assert len(ends) == 1


def test_at_one_instant_the_stronger_state_holds() -> None:
    for weaker, stronger in zip(
        ("uncounted", "submitted", "accepted"), ("submitted", "accepted", "rejected"), strict=True
    ):
        for order in permutations([event(weaker), event(stronger)]):
            assert folded(list(order))["state"][1] == stronger


def test_what_a_newer_event_leaves_out_is_kept() -> None:
    facts = folded([event("accepted", 0, "A", external_order_id="o", external_parent_id="p"), event("rejected", 1)])
    columns = columns_of(facts)
    assert (columns.state, columns.group_word, columns.external_order_id, columns.parent_id) == (
        "rejected",
        "A",
        "o",
        "p",
    )


def test_an_event_without_an_instant_is_older_than_all_others() -> None:
    assert folded([event("accepted", 0), event("rejected", None)])["state"][1] == "accepted"


@given(st.lists(EVENTS, min_size=1, max_size=5), EVENTS)
def test_what_an_api_told_holds_against_replays_of_what_was_before(
    before: list[VendorEvent], told: VendorEvent
) -> None:
    facts = folded(before)
    overrule(facts, said_of(told), as_of=0)
    seen = {name: value for name, (_, value) in facts.items()}
    for one in before:
        merge(facts, said_of(one))
    assert {name: value for name, (_, value) in facts.items()} == seen


def test_an_api_that_tells_the_same_changes_nothing() -> None:
    facts = folded([event("accepted", 5, "A")])
    assert not overrule(facts, said_of(event("accepted", 9, "A")), as_of=FOREVER)


def test_a_delta_is_two_items_known_by_its_id() -> None:
    def delta(name: str, accepted: int) -> list[str]:
        said = VendorEvent("delta", external_order_id="o", event_id=name, accepted=accepted, rejected=1)
        return [item_id for item_id, _ in delta_items(said)]

    assert len(set(delta("d-1", 2))) == 2
    assert delta("d-1", 2) == delta("d-1", 2)
    assert not set(delta("d-1", 2)) & set(delta("d-2", 2))
    nothing = delta_items(VendorEvent("delta", external_order_id="o", event_id="d-1", accepted=0, rejected=1))
    assert [said["state"][1] for _, said in nothing] == ["uncounted", "rejected"]
    assert max(len(item_id) for item_id in delta("d" * 400, 1)) <= 250
