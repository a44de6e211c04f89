"""How metrics and budgets come in: as what they are, or as the name or the number that says it all."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from app.api.http.shapes import MoneyIn, MoneyInSchema, Real, Shape, ShortText, Whole
from app.services.projects.metrics import KNOWN_METRICS, KnownMetric, known_metric

FILLED = ("kind", "goal", "lower", "upper")


class Metric(Shape):
    """How a group's performance is measured. `maximize` needs `upper`, `minimize` needs `lower`. Of a known name, what
    is left out is filled in (docs/metrics.md); a proportion's bounds are 0 and 1. Of a `proportion`, a share of counted
    examples, `eval_size` gives the standard error."""

    name: ShortText = "metric"
    kind: Literal["proportion", "other"] = "other"
    goal: Literal["maximize", "minimize"] = "maximize"
    lower: Real | None = None
    upper: Real | None = None


class BudgetIn(Shape):
    """The money for all rounds together."""

    total: MoneyIn
    rounds: Annotated[int, Field(strict=True, ge=1, le=10_000), Whole] = 1


def read_metric(given: object) -> object:
    """A metric's fields from its name, or from those that are said. Raises ValueError for a name alone that is not
    known."""
    if isinstance(given, str):
        return read_metric({"name": given.strip()})
    if not isinstance(given, dict):
        return given
    said = {name: value for name, value in given.items() if value is not None}
    if is_complete(said):
        return with_proportion(said)
    known = known_metric(said["name"]) if isinstance(said.get("name"), str) else None
    if known is not None and said.get("goal", known.goal) == known.goal:
        return with_proportion({**filling(known, said), **said})
    if not said.keys() & set(FILLED):
        listed = ", ".join(metric.names[0] for metric in KNOWN_METRICS)
        raise ValueError(
            "is no metric known by its name; say its goal, and its best value as 'upper' (maximize) or 'lower'"
            f" (minimize), or name one of: {listed}"
        )
    return with_proportion(said)


def is_complete(said: dict[str, Any]) -> bool:
    """Whether it says its kind, its goal and its best value itself: of it no open bound is closed, so that what the API
    answers can be sent back."""
    best = {"maximize": "upper", "minimize": "lower"}
    goal = said.get("goal")
    return isinstance(goal, str) and goal in best and {"kind", best[goal]} <= said.keys()


def filling(known: KnownMetric, said: dict[str, Any]) -> dict[str, Any]:
    """What a known metric brings: its kind only where the bounds said are its own, as 100 is no bound of a share."""
    brought = {"goal": known.goal, "lower": known.lower, "upper": known.upper}
    other_bounds = any(name in said and said[name] != getattr(known, name) for name in ("lower", "upper"))
    return brought if other_bounds else {**brought, "kind": known.kind}


def with_proportion(said: dict[str, Any]) -> dict[str, Any]:
    return {"lower": 0.0, "upper": 1.0, **said} if said.get("kind") == "proportion" else said


def read_budget(given: object) -> object:
    """A bare amount is the total of one round."""
    return {"total": given} if isinstance(given, str | int | float) and not isinstance(given, bool) else given


MetricIn = Annotated[Metric, BeforeValidator(read_metric, json_schema_input_type=Metric | str)]
AmountIn = Annotated[str | float, MoneyInSchema]
BudgetGiven = Annotated[BudgetIn, BeforeValidator(read_budget, json_schema_input_type=BudgetIn | AmountIn)]
