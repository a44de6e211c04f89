"""What a project maximises, the kinds of utility and their parameters, and from where on a verdict on a plan holds
(docs/method.md)."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from app.api.http.shapes import NonNegative, Positive, Shape, Whole
from app.api.keys.keys import Key, Keyed

MAX_VECTORS = 50

Share = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=1)]
Weights = Annotated[dict[Key, NonNegative], Keyed]


def absent(value: object) -> bool:
    return value is None


class Kind(Shape):
    """`risk` replaces the mean over the posterior's draws by the mean of the worst share of them."""

    risk: Annotated[Share | None, Field(exclude_if=absent)] = None


class Utilitarian(Kind):
    """The weighted sum of the groups' benefits."""

    kind: Literal["utilitarian"]


class Isoelastic(Kind):
    """The less a group has, the more its gain counts: 0 is utilitarian, 1 the logarithm."""

    kind: Literal["isoelastic"]
    aversion: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=50)] = 1.0


class Maximin(Kind):
    """The worst-off group first, then the next. `stop_ratio` > 0 stops feeding a group that hardly gains."""

    kind: Literal["maximin"]
    stop_ratio: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, lt=1)] = 0.0


class Cvar(Kind):
    """The mean benefit of the worst-off share `tail` of the weights: 1 is utilitarian, towards 0 maximin."""

    kind: Literal["cvar"]
    tail: Share = 0.25


class Targets(Kind):
    """As near to every group's `target` as possible: shortfalls to the `power`, groups without a target left out."""

    kind: Literal["targets"]
    power: Annotated[int, Field(strict=True, ge=1, le=2), Whole] = 1


class Gap(Kind):
    """The weighted sum, less `lambda` times what groups fall short of today's weighted mean."""

    model_config = ConfigDict(serialize_by_alias=True)

    kind: Literal["gap"]
    lambda_: Annotated[float, Field(alias="lambda", strict=True, allow_inf_nan=False, ge=0, le=1e6)] = 1.0


class Robust(Kind):
    """For weights that are not known: the worst case, or the largest regret, over given ones. A group that a vector
    leaves out weighs 0 in it."""

    kind: Literal["robust"]
    mode: Literal["worst_case", "regret"] = "worst_case"
    weight_vectors: Annotated[
        tuple[Annotated[dict[Key, NonNegative], Keyed], ...], Field(min_length=1, max_length=MAX_VECTORS)
    ]


class Compromise(Shape):
    """The least share that any of the project's `stakeholders` gets of what it would gain were the plan made for it
    alone. `risk` is each stakeholder's own."""

    kind: Literal["compromise"]


Own = Utilitarian | Isoelastic | Maximin | Cvar | Targets | Gap | Robust
OwnObjective = Annotated[Own, Field(discriminator="kind")]
Objective = Annotated[Own | Compromise, Field(discriminator="kind")]


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
