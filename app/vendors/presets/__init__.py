"""Vendors that need no code: configurations of `generic`, one JSON file each.

title and documented tell people what the preset is and how far the vendor's documentation carries it.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def presets() -> dict[str, dict[str, Any]]:
    """Every preset by name: `{"title", "documented", "config"}`."""
    found = sorted((one for one in files(__name__).iterdir() if one.name.endswith(".json")), key=lambda one: one.name)
    return {one.name.removesuffix(".json"): json.loads(one.read_text(encoding="utf-8")) for one in found}


def with_preset(name: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """The preset's configuration, each top-level part replaced that `overrides` gives. Raises ValueError."""
    known = presets()
    if name not in known:
        raise ValueError(f"there is no preset '{name[:50]}'; choose among {', '.join(known)}")
    config: dict[str, Any] = known[name]["config"]
    return config | overrides
