"""How a group of several attributes is called."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def group_key(label: Any) -> str:
    """A label as a group's key: its text, and the parts of a tuple joined by a slash, as in "female/<25"."""
    return "/".join(str(part) for part in label) if isinstance(label, tuple) else str(label)


def keyed(values: Mapping[Any, T]) -> dict[str, T]:
    """The values by group key. Raises ValueError where two labels give one key (1 and "1")."""
    found: dict[str, T] = {}
    for label, value in values.items():
        if (key := group_key(label)) in found:
            raise ValueError(f"two of the labels are called {key!r}; rename one of them")
        found[key] = value
    return found


def chosen(values: Mapping[str, T], groups: Iterable[str] | None) -> dict[str, T]:
    """The values of the groups that are wanted, of all if None. Raises ValueError for a group that has none."""
    if groups is None:
        return dict(values)
    wanted = list(groups)
    if missing := [group for group in wanted if group not in values]:
        raise ValueError(f"there are no values of the groups {', '.join(missing)}; there are {', '.join(values)}")
    return {group: values[group] for group in wanted}
