"""The curves' prior that ships with the package, read once from its data file (see data/PROVENANCE.md)."""

import json
from functools import cache
from importlib.resources import files

import numpy as np

from app.planner.curves import Prior


def prior_for(span: float | None) -> Prior:
    """The trained prior of metrics with both bounds, whose level means something; the flat one of the others."""
    return _shipped("flat" if span is None else "trained")


@cache
def _shipped(form: str) -> Prior:
    text = files("app.services").joinpath("data/prior.json").read_text(encoding="utf-8")
    return prior_from(json.loads(text)[form])


def prior_from(values: dict[str, list[float] | float]) -> Prior:
    """A prior from the numbers of a data file: nodes as lists, tables as nested lists."""
    nodes = ("exponents", "offsets", "floors", "noises", "discrepancies", "forecasts")
    tables = ("shape", "noise", "shape_tilt", "noise_tilt", "ahead", "centre", "spread")
    few, binned = np.asarray(values["widening"], dtype=np.float64)
    return Prior(
        **{name: tuple(np.asarray(values[name], dtype=np.float64).tolist()) for name in nodes},
        **{name: np.asarray(values[name], dtype=np.float64) for name in tables},
        reach=float(np.asarray(values["reach"])),
        widening=(float(few), float(binned)),
    )
