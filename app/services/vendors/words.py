"""The vendor's words for groups: which groups a word may be mapped to, what each means now, and how much it counts."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Fault, escape, refuse
from app.services.projects.keys import can_be_stored, normal_key
from app.store import vendors as store
from app.store.models.vendors import VendorConnection, VendorOrder

MOST_NAMED = 3
"""Of groups of one name, in an error's words."""


@dataclass(frozen=True)
class Choice:
    """A group that words may be mapped to, as people know it."""

    key: str
    name: str


def choices_of(session: Session, connection: VendorConnection) -> list[Choice]:
    """The groups of the projects that the connection serves, by name; those of one key are one."""
    names = {key: f"{name} ({key})" if name not in (None, key) else key for key, name in groups_of(session, connection)}
    return sorted((Choice(key, name) for key, name in names.items()), key=lambda one: one.name)


def groups_of(session: Session, connection: VendorConnection) -> list[tuple[str, str | None]]:
    """Key and name of every group of the projects that the connection serves, archived ones too, since what was ordered
    still arrives."""
    return store.named_groups(session, connection.workspace_id, connection.id)


def checked_words(
    session: Session,
    workspace_id: UUID,
    connection_id: UUID | None,
    said: Mapping[str, str],
    known: Mapping[str, str],
) -> dict[str, str]:
    """`said`, word → a group's key; a name that one group alone has stands for its key. What `known` says already is
    left as it is. The groups are those of the projects that the connection serves, or, while it serves none, of the
    workspace's. Raises Invalid naming every word whose group is none of them."""
    fresh = {word: normal_key(text) for word, text in said.items() if known.get(word) != text}
    named = groups_named(session, workspace_id, connection_id, set(fresh.values())) if fresh else {}
    faults = []
    for word, text in fresh.items():
        keys = named[text]
        if text not in keys and len(keys) != 1:
            faults.append(Fault(f"/group_map/{escape(word)}", problem_of(text, sorted(keys))))
    refuse(faults)
    return {**said, **{word: text if text in named[text] else next(iter(named[text])) for word, text in fresh.items()}}


def groups_named(
    session: Session, workspace_id: UUID, connection_id: UUID | None, texts: Collection[str]
) -> dict[str, set[str]]:
    """Text → the keys of the groups that have it as their key or name."""
    wanted = [text for text in texts if can_be_stored(text)]
    serving = connection_id if connection_id is not None and store.serves(session, connection_id) else None
    named: dict[str, set[str]] = {text: set() for text in texts}
    for key, name in store.named_groups(session, workspace_id, serving, wanted):
        for text in (key, name):
            if text in named:
                named[text].add(key)
    return named


def problem_of(text: str, keys: list[str]) -> str:
    """Why a text names no group."""
    if not keys:
        return f"there is no group '{text[:100]}' in the projects of this connection: give a group's key, or its name"
    some = ", ".join(f"'{key}'" for key in keys[:MOST_NAMED])
    return f"'{text[:100]}' is the name of several groups ({some}): give the key of one"


@dataclass(frozen=True)
class Word:
    """A word of the vendor's. key: the group that it is mapped to, or whose key it is; None where it waits.
    samples: those told of under it."""

    text: str
    key: str | None
    is_mapped: bool
    samples: int


def words_of(session: Session, connection: VendorConnection) -> list[Word]:
    """Every word that is mapped or came, those that wait first, then those with most samples."""
    samples, own = Counter(store.samples_by_word(session, connection.id)), dict(groups_of(session, connection))
    for stated in store.stated_orders(session, connection.id):
        for word, (accepted, rejected, _) in stated.counts.items():
            if word and word not in samples:
                samples[word] += accepted + rejected
    mapped = connection.group_map
    found = []
    for text in samples.keys() | mapped.keys():
        key = mapped.get(text, normal_key(text))
        found.append(Word(text, key if text in mapped or key in own else None, text in mapped, samples[text]))
    return sorted(found, key=lambda one: (one.key is not None, -one.samples, one.text))


Waits = tuple[str | None, str | None, UUID | None, int]
"""The vendor's word for the group, its order, ours where that is known, samples."""


def waiting_words(session: Session, connection: VendorConnection) -> list[Waits]:
    """What waits for its order to be linked or for its word to be mapped: of items, then of stated totals."""
    totals = stated_waiting(session, connection, store.stated_orders(session, connection.id))
    return [*store.unmapped_words(session, connection.id), *totals]


def stated_waiting(session: Session, connection: VendorConnection, stated: Sequence[VendorOrder]) -> list[Waits]:
    """Of totals that the vendor stated: those of orders that are not linked, and those whose word means no group of the
    order's project."""
    orders = store.orders_of_connection(session, connection.id, {one.order_id for one in stated if one.order_id})
    groups = store.groups_of_projects(session, {order.project_id for order in orders.values()})
    found: list[Waits] = []
    for one in stated:
        order = orders.get(one.order_id or UUID(int=0))
        keys = groups.get(order.project_id, {}) if order else {}
        for word, (accepted, rejected, _) in sorted(one.counts.items()):
            is_known = order and (not word or connection.group_map.get(word, normal_key(word)) in keys)
            if not is_known and accepted + rejected:
                found.append((word or None, one.external_order_id, one.order_id, accepted + rejected))
    return found
