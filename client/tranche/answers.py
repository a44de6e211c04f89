"""How answers are read. Of an answer only the fields named are read, so a newer service may send more."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, ClassVar, Protocol, TypeVar

Json = Mapping[str, Any]
Money = Decimal | int | float | str


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


_D = TypeVar("_D", bound=_Dataclass)


def known(cls: type[_D], answer: Json, **decoded: Any) -> _D:
    """`cls` from the fields of `answer` that it has; `decoded` replaces those that need more than copying."""
    return cls(**{**known_fields(cls, answer), **decoded})


def known_fields(cls: type[_Dataclass], answer: Json) -> dict[str, Any]:
    """The fields of `answer` that `cls` has too."""
    return {one.name: answer[one.name] for one in fields(cls) if one.name in answer}


def stated(item: _Dataclass) -> dict[str, Any]:
    """The fields of `item` that are not None."""
    named = {one.name: getattr(item, one.name) for one in fields(item)}
    return {name: value for name, value in named.items() if value is not None}


def money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


@dataclass(frozen=True, slots=True)
class Remark:
    """A warning of the service: a stable code and a sentence that says what to do."""

    code: str
    detail: str
    group: str | None = None
    source: str | None = None

    @classmethod
    def all_of(cls, answer: Json) -> "tuple[Remark, ...]":
        return tuple(known(cls, item) for item in answer.get("warnings", ()))


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean and quantiles over the posterior; p05 to p95 is the 90 % interval. What was not sent is None."""

    mean: float
    p05: float
    p95: float
    p10: float | None = None
    p25: float | None = None
    p50: float | None = None
    p75: float | None = None
    p90: float | None = None

    @classmethod
    def of(cls, answer: Json | None) -> "Estimate | None":
        return None if answer is None else known(cls, answer)

    @classmethod
    def each(cls, answers: Mapping[str, Any]) -> "dict[str, Estimate]":
        return {name: known(cls, item) for name, item in answers.items() if item is not None}
