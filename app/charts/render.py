"""Draws specifications without a browser. The only user of vl-convert.

Nothing is fetched: a specification carries its data, and one that names an address is refused.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from app.charts.theme import WIDTH, Spec

VEGA_LITE = "6.4"
NO_ADDRESS: list[str] = []
ROW_END = "\u2028"
"""After each row that a mark says when a pointer is on it: `title: value`. No name of ours holds it."""
BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
TAG = re.compile(r"<[^>]*>")
ID = re.compile(r'( id="|="url\(#)([^")]*)')


class DrawingError(ValueError):
    """A specification that Vega-Lite refuses."""


def svg(spec: Spec) -> str:
    """The chart as an SVG document, the same text for the same specification. It is one picture, whose name is the
    specification's description; each mark with a tooltip holds its rows as a label. Raises DrawingError."""
    import vl_convert  # brings a whole browser engine, which a service that draws nothing does without

    # Vega counts its ids over all that a process draws; a page shows many drawings.
    ids: dict[str, str] = {}
    place = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:8]

    def own(one: re.Match[str]) -> str:
        return one[1] + ids.setdefault(one[2], f"c{place}-{len(ids)}")

    document = TAG.sub(lambda tag: ID.sub(own, tag[0]), str(drawn(vl_convert.vegalite_to_svg, labelled(spec))))
    name = f' role="img" aria-label="{escape(spec["description"])}"' if "description" in spec else ""
    return document.replace("<svg", f"<svg{name}", 1)


def png(spec: Spec, scale: float = 1.0) -> bytes:
    """The chart as a PNG of `scale` pixels per unit of the specification. Raises DrawingError."""
    import vl_convert  # as above

    return bytes(drawn(vl_convert.vegalite_to_png, spec, scale=scale))


def drawn(draw: Any, spec: Spec, **options: Any) -> Any:
    """What `draw` makes of the chart. Raises DrawingError."""
    refuse_addresses(spec)
    try:
        return attempt(draw, sized(spec), **options)
    except DrawingError:
        # Vega cuts long labels between the halves of a surrogate pair, which the drawing library cannot read.
        named = with_numbers(spec)
        if named == spec:
            raise
        return attempt(draw, sized(named), **options)


def attempt(draw: Any, spec: Spec, **options: Any) -> Any:
    """Raises DrawingError."""
    try:
        return draw(spec, vl_version=VEGA_LITE, allowed_base_urls=NO_ADDRESS, **options)
    except ValueError as error:
        raise DrawingError(str(error)[:500]) from None


def with_numbers(part: Any) -> Any:
    """`part` with the signs beyond U+FFFF, as emoji, by their numbers: different texts stay different."""
    if isinstance(part, str):
        return BEYOND_BMP.sub(lambda sign: f"⟨{ord(sign[0]):X}⟩", part)
    if isinstance(part, dict):
        return {with_numbers(name): with_numbers(value) for name, value in part.items()}
    return [with_numbers(one) for one in part] if isinstance(part, list) else part


def refuse_addresses(part: Any) -> None:
    """Raises DrawingError where a specification names an address to load, other than as a datum's text."""
    if isinstance(part, dict):
        if "url" in part:
            raise DrawingError("A chart carries its data; it may not name an address to load them from.")
        for name, value in part.items():
            if name != "values":
                refuse_addresses(value)
    elif isinstance(part, list):
        for value in part:
            refuse_addresses(value)


def sized(spec: Spec) -> Spec:
    """`spec` at a width of its own, axes and words within it: outside a page there is no container to fill."""
    if spec.get("width") != "container":
        return spec
    fitted = {"type": "fit-x", "contains": "padding"}
    return {**spec, "width": spec.get("usermeta", {}).get("width", WIDTH), "autosize": fitted}


def labelled(part: Any) -> Any:
    """`part` where what has a tooltip says the same as its label, so that a drawing needs no script to tell it."""
    if isinstance(part, list):
        return [labelled(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {name: value if name == "values" else labelled(value) for name, value in part.items()}
    rows = part.get("encoding", {}).get("tooltip") if isinstance(part.get("encoding"), dict) else None
    if isinstance(rows, list):
        found["encoding"] = {**found["encoding"], "description": {"value": {"expr": rows_said(rows)}}}
        if isinstance(part.get("mark"), dict):
            found["mark"] = {name: value for name, value in part["mark"].items() if name != "aria"}
    return found


def rows_said(rows: Sequence[Spec]) -> str:
    """A tooltip's rows as an expression of Vega."""
    return " + ".join(row_said(row) for row in rows)


def row_said(row: Spec) -> str:
    datum = f"datum[{json.dumps(row['field'])}]"
    value = f"format({datum}, {json.dumps(row['format'])})" if "format" in row else datum
    title, end = (json.dumps(text) for text in (f"{row.get('title', row['field'])}: ", ROW_END))
    return f"{title} + (isValid({datum}) ? {value} : '\\u2013') + {end}"
