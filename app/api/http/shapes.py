"""How requests are read: exact money, finite numbers, keys."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from types import NoneType
from typing import Annotated, Any, ClassVar, Self, get_args

from fastapi import HTTPException, Request
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.fields import FieldInfo
from tranche.sheets.instants import EXAMPLE, read_instant

from app.errors import Malformed
from app.money import MILLIONTH, plain
from app.strict_json import Number, parse_json

MAX_COUNT = 1_000_000_000
MAX_REAL = 1e15
MIN_REAL = 1e-100
LAST_WHOLE = 2**53
"""Beyond it a float no longer tells neighbouring whole numbers apart."""
MAX_MONEY = Decimal("999999999999.999999")
MONEY_PATTERN = r"^\d{1,12}(\.\d{1,6})?$"


class JsonRequest(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> Any:
        """The body, read. Raises HTTPException where it is malformed."""
        try:
            return parse_json(await self.body())
        except Malformed as error:
            # FastAPI lets only its own exception out of the reading of a body.
            raise HTTPException(error.status) from error


def read_money(value: object) -> Decimal:
    """A decimal string, or a JSON number by its text. Raises ValueError."""
    text = value.text if isinstance(value, Number) else value
    readable = isinstance(text, str | Decimal) or (isinstance(text, int) and not isinstance(text, bool))
    try:
        amount = Decimal(str(text) if readable else "")
    except InvalidOperation:
        raise ValueError("give an amount as a decimal string such as '1999.20'") from None
    if not amount.is_finite() or not 0 <= amount <= MAX_MONEY:
        raise ValueError(f"an amount lies from 0 to {MAX_MONEY}")
    if amount != amount.quantize(MILLIONTH):
        raise ValueError("an amount has at most six decimals")
    return amount


def above_zero(amount: Decimal) -> Decimal:
    """`amount`. Raises ValueError unless it is above 0."""
    if amount <= 0:
        raise ValueError("a price must be above 0")
    return amount


def squarable(number: float) -> float:
    """`number`. Raises ValueError where it is so near to 0 that its square would be lost."""
    if 0 < abs(number) < MIN_REAL:
        raise ValueError(f"is nearer to 0 than {MIN_REAL:g}; state it in another unit")
    return number


def plain_text(text: str) -> str:
    """`text`. Raises ValueError where it holds U+0000."""
    if "\0" in text:
        raise ValueError("must not contain the character U+0000")
    return text


def whole(value: object) -> object:
    """A float that is a whole number as the int that it is: what tools write as 198.0. Others stay what they are."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= LAST_WHOLE else value


def as_instant(given: object) -> datetime:
    """A text as an instant in UTC. Raises ValueError for others, numbers above all: they could be seconds or days."""
    if isinstance(given, datetime) and given.tzinfo is not None:
        return given
    if not isinstance(given, str):
        raise ValueError(f"must be a text such as {EXAMPLE}: a number could be seconds or a spreadsheet's days")  # noqa: TRY004
    return read_instant(given)


def count_of(text: str) -> int | None:
    """The count that a query writes, as '100' or '100.0'; None where it is none or too large."""
    digits = re.fullmatch(r"([0-9]{1,10})(\.0+)?", text)
    count = int(digits[1]) if digits else None
    return None if count is None or count > MAX_COUNT else count


MoneySchema = WithJsonSchema({"type": "string", "pattern": MONEY_PATTERN, "examples": ["1999.20"]})
MoneyInSchema = WithJsonSchema(
    {
        "anyOf": [{"type": "string", "pattern": MONEY_PATTERN}, {"type": "number", "minimum": 0}],
        "examples": ["1999.20"],
    }
)
MoneyIn = Annotated[Decimal, BeforeValidator(read_money), MoneyInSchema]
PriceIn = Annotated[Decimal, BeforeValidator(read_money), AfterValidator(above_zero), MoneyInSchema]
MoneyOut = Annotated[Decimal, PlainSerializer(plain, return_type=str), MoneySchema]
SignedMoneyOut = Annotated[
    Decimal,
    PlainSerializer(plain, return_type=str),
    WithJsonSchema({"type": "string", "pattern": MONEY_PATTERN.replace("^", "^-?"), "examples": ["-12.50"]}),
]

Text = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(plain_text)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(plain_text)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(plain_text)]
Whole = BeforeValidator(whole)
Count = Annotated[int, Field(strict=True, ge=0, le=MAX_COUNT), Whole]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-MAX_REAL, le=MAX_REAL), AfterValidator(squarable)]
NonNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=MAX_REAL), AfterValidator(squarable)]
Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=MAX_REAL), AfterValidator(squarable)]
InstantIn = Annotated[
    datetime,
    BeforeValidator(as_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [EXAMPLE]}),
]


@cache
def examples(room: str) -> dict[str, Any]:
    """By the names of the shapes of a room of the API."""
    file = files("app.api") / "examples" / f"{room}.json"
    return dict(json.loads(file.read_text("utf-8"))) if file.is_file() else {}


def with_example(schema: dict[str, Any], shape: type[Any]) -> None:
    """Something to copy: the example of the shape's name, or of that which it extends, beside its schema."""
    for kind in shape.__mro__:
        package, _, room = kind.__module__.removeprefix("app.").partition(".")
        found = examples(room.partition(".")[0]) if package == "api" else {}
        if kind.__name__ in found:
            schema["examples"] = [found[kind.__name__]]
            return


def takes_null(annotation: Any) -> bool:
    return annotation is Any or NoneType in get_args(annotation)


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field, with null beside what it takes."""
    about = {name: value for name, value in schema.items() if name in ("title", "description", "default")}
    kind = {name: value for name, value in schema.items() if name not in about}
    kinds = kind["anyOf"] if kind.keys() == {"anyOf"} else [kind]
    return {"anyOf": [*kinds, {"type": "null"}], **about}


def with_words(schema: dict[str, Any], shape: type["Frame"]) -> None:
    """The schema with its example, and with null where `Shape.fill_nulls` takes it."""
    with_example(schema, shape)
    for name in shape.nulls().keys() & schema.get("properties", {}).keys():
        schema["properties"][name] = nullable(schema["properties"][name])


class Frame(BaseModel):
    """What every shape has in common: its example in the contract, and no field that is not there."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=with_words)

    @classmethod
    def nulls(cls) -> Mapping[str, FieldInfo]:
        """By their names in JSON: the fields in which null stands for something else."""
        return {}


class Shape(Frame):
    """What requests are made of. They may not name fields that are not there; null in one that may be left out is the
    same as leaving it out."""

    @classmethod
    def nulls(cls) -> Mapping[str, FieldInfo]:
        """By their names in JSON: the fields that may be left out and whose type knows no null. What null stands for
        is the default of the value."""
        return optional_fields(cls)

    @model_validator(mode="before")
    @classmethod
    def fill_nulls(cls, given: Any) -> Any:
        """What was given, with the defaults in place of nulls."""
        if not isinstance(given, dict) or None not in given.values():
            return given
        fields = cls.nulls()
        return {
            name: fields[name].get_default(call_default_factory=True) if value is None and name in fields else value
            for name, value in given.items()
        }


@cache
def optional_fields(shape: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a shape that have a default and take no null, by their names in JSON."""
    return {
        field.alias or name: field
        for name, field in shape.model_fields.items()
        if not field.is_required() and not takes_null(field.annotation)
    }


class Patch(Shape):
    """A partial change of what was made from the shape `made_from`: a field left out stays as it is, null takes an
    optional value away or, where there is a default, restores it."""

    made_from: ClassVar[type[Shape]]

    @classmethod
    def nulls(cls) -> Mapping[str, FieldInfo]:
        own, made = optional_fields(cls), optional_fields(cls.made_from)
        return {name: made[name] for name in own.keys() & made.keys()}


class Answer(Frame):
    """A shape that is filled from a row or a plan by the names of its fields. What it is made of is ours: nothing in
    Python looks at it beforehand, so that thousands are made at the validator's own speed."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, *sources: object, **given: Any) -> Self:
        """Each field as it is `given`, else from the first of `sources` that has its name."""
        names = cls.model_fields.keys() - given.keys()
        found = {name: next(getattr(one, name) for one in sources if hasattr(one, name)) for name in names}
        return cls.model_validate({**found, **given})


def said(change: Patch) -> dict[str, Any]:
    """The fields that a partial change names, each as a whole."""
    return change.model_dump(include=change.model_fields_set)


def unset() -> Any:
    """The default of a field of a partial change: left out, it stays as it is; null is no value unless the type
    says so."""
    return Field(default_factory=lambda: None)
