"""The curves' prior that ships with the package, read once from its data file (see data/PROVENANCE.md)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves import Prior


def prior_for(span: float | None) -> Prior:
    """The trained prior of metrics with both bounds, whose level means something; the flat one of the others."""
    return _shipped("flat" if span is None else "trained")


@cache
def _shipped(form: str) -> Prior:
    return replace(prior_from(_read("prior")[form]), strata=np.array(_read("transfer")["strata"]))


def _read(name: str) -> Any:
    return json.loads(files("app.services.curves").joinpath(f"data/{name}.json").read_text(encoding="utf-8"))


def prior_from(values: Mapping[str, object]) -> Prior:
    """A prior from the numbers of a data file: nodes as lists, tables as nested lists."""

    def table(name: str) -> FloatArray:
        return np.asarray(values[name], dtype=np.float64)

    def nodes(name: str) -> tuple[float, ...]:
        return tuple(table(name).tolist())

    return Prior(
        exponents=nodes("exponents"),
        offsets=nodes("offsets"),
        floors=nodes("floors"),
        noises=nodes("noises"),
        discrepancies=nodes("discrepancies"),
        forecasts=nodes("forecasts"),
        shape=table("shape"),
        noise=table("noise"),
        shape_tilt=table("shape_tilt"),
        floor_tilt=table("floor_tilt"),
        noise_tilt=table("noise_tilt"),
        ahead=table("ahead"),
        centre=table("centre"),
        spread=table("spread"),
        reach=float(table("reach")),
        widening=table("widening"),
    )
