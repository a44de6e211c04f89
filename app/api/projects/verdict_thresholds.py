"""From where on a verdict on a plan holds."""

from typing import Annotated, Any

from pydantic import Field

from app.api.http.shapes import Positive, Shape

Share = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=1)]


class VerdictThresholds(Shape):
    """`measure` from `measure_share` of the money on, for groups whose held samples no run was trained on. `part` where
    a group with `part_share` of the money or more ends beyond `reach` times the largest count measured of it. `any`
    where the plan is better than the best simple rule by less than `least_difference`, in the metric's units (null: a
    thousandth of its span), or with a chance below `least_chance`."""

    measure_share: Share = 0.5
    part_share: Share = 0.2
    reach: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=1, le=1e6)] = 3.0
    least_difference: Positive | None = None
    least_chance: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0.5, lt=1)] = 0.8


def stored_thresholds(thresholds: VerdictThresholds | None) -> dict[str, Any] | None:
    return None if thresholds is None else thresholds.model_dump(mode="json")
