"""Which adapter reads a connection: its kind and its configuration."""

from typing import Any, Literal, get_args

from pydantic import ValidationError

from app.errors import Fault, invalid
from app.vendors.base import Adapter
from app.vendors.generic import Generic, GenericConfig
from app.vendors.label_studio import LabelStudioConfig
from app.vendors.label_studio_api import LabelStudioApi
from app.vendors.presets import with_preset
from app.vendors.prolific import ProlificConfig
from app.vendors.prolific_api import ProlificApi
from app.vendors.standard import Standard, StandardConfig

VendorKind = Literal["standard", "generic", "label_studio", "prolific"]
KINDS = get_args(VendorKind)


def adapter_of(kind: str, config: dict[str, Any]) -> Adapter:
    """Raises Invalid naming every fault of `config`."""
    try:
        match kind:
            case "standard":
                return Standard(StandardConfig.model_validate(config))
            case "generic":
                return Generic(GenericConfig.model_validate(config))
            case "label_studio":
                return LabelStudioApi(LabelStudioConfig.model_validate(config))
            case "prolific":
                return ProlificApi(ProlificConfig.model_validate(config))
    except ValidationError as error:
        raise invalid(*faults_of(error)) from None
    raise ValueError(f"'{kind}' is no kind of vendor")


def full_config(kind: str, preset: str | None, config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with its preset. Raises Invalid."""
    if preset is None:
        return config
    if kind != "generic":
        raise invalid(Fault("/preset", "a preset configures the kind 'generic'; leave it out for the others"))
    try:
        return with_preset(preset, config)
    except ValueError as problem:
        raise invalid(Fault("/preset", str(problem))) from None


def faults_of(error: ValidationError) -> list[Fault]:
    return [
        Fault("/config" + "".join(f"/{part}" for part in one["loc"]), one["msg"].removeprefix("Value error, "))
        for one in error.errors(include_url=False, include_input=False)
    ]
