"""Rules that every manifest of what came is held against (docs/provenance.md)."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from app.api.http.shapes import Real, Shape

MAX_RULES = 50
MAX_COLUMNS = 10
MAX_VALUES = 1_000
SLACK = 1e-6
"""Shares such as 0.1 + 0.2 + 0.7 sum to a little more than 1 in floating point."""

Column = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Columns = Annotated[tuple[Column, ...], Field(min_length=1, max_length=MAX_COLUMNS)]
CellText = Column
Fraction = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]


class Rule(Shape):
    """`severity`: a row that breaks the rule is rejected (`row`), all of the manifest is held back (`lot`), or it is
    only told (`note`)."""

    severity: Literal["row", "lot", "note"] = "row"


class UniqueRule(Rule):
    """No two rows say the same in all of `columns`; the first stands."""

    kind: Literal["unique"]
    columns: Columns


class RequiredRule(Rule):
    """None of `columns` is empty."""

    kind: Literal["required"]
    columns: Columns


class ValuesRule(Rule):
    """`column` is one of `values`, or empty."""

    kind: Literal["values"]
    column: Column
    values: Annotated[tuple[CellText, ...], Field(min_length=1, max_length=MAX_VALUES)]


class RangeRule(Rule):
    """`column` is a number from `min` to `max`, or empty."""

    kind: Literal["range"]
    column: Column
    min: Real | None = None
    max: Real | None = None

    @model_validator(mode="after")
    def has_ends(self) -> Self:
        """Raises ValueError."""
        if self.min is None and self.max is None:
            raise ValueError("a range needs 'min', 'max' or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"'min' must not be above 'max': got {self.min:g} and {self.max:g}")
        return self


class DeterminesRule(Rule):
    """Rows that say the same in all of `columns` say the same in `column`; of unlike ones the commonest stands."""

    kind: Literal["determines"]
    columns: Columns
    column: Column

    @model_validator(mode="after")
    def says_another(self) -> Self:
        """Raises ValueError."""
        if self.column in self.columns:
            raise ValueError(f"'{self.column}' stands among 'columns' and is 'column', too")
        return self


class MixRule(Rule):
    """Of the rows that count, the shares of the values of `column` lie within the total variation distance
    `tv_at_most` of `shares`, beside what chance makes of so many rows."""

    kind: Literal["mix"]
    column: Column
    shares: Annotated[dict[CellText, Fraction], Field(min_length=1, max_length=MAX_VALUES)]
    tv_at_most: Fraction
    severity: Literal["lot", "note"] = "lot"

    @model_validator(mode="after")
    def sums_to_one(self) -> Self:
        """Raises ValueError."""
        total = sum(self.shares.values())
        if abs(total - 1.0) > SLACK:
            raise ValueError(f"the shares sum to {total:.6g}; they must sum to 1")
        return self


IntakeRule = Annotated[
    UniqueRule | RequiredRule | ValuesRule | RangeRule | DeterminesRule | MixRule, Field(discriminator="kind")
]
IntakeRules = Annotated[tuple[IntakeRule, ...], Field(max_length=MAX_RULES)]


def stored_intake(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    return [rule.model_dump(mode="json") for rule in rules]
