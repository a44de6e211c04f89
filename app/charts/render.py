"""Draws specifications without a browser, and makes the script that draws them in one. The only user of vl-convert.

Nothing is fetched: a specification carries its data, and one that names an address is refused.
"""

import hashlib
import re
from functools import cache
from importlib.metadata import version
from typing import Any

import vl_convert

from app.charts.theme import WIDTH, Spec

VEGA_LITE = "6.4"
NO_ADDRESS: list[str] = []
SNIPPET = "export const embed = vegaEmbed;"
TAG = re.compile(r"<[^>]*>")
ID = re.compile(r'( id="|="url\(#)([^")]*)')


class DrawingError(ValueError):
    """A specification that Vega-Lite refuses."""


def svg(spec: Spec) -> str:
    """The chart as an SVG document, the same text for the same specification. Raises DrawingError."""
    # Vega counts its ids over all that a process draws.
    ids: dict[str, str] = {}

    def own(one: re.Match[str]) -> str:
        return one[1] + ids.setdefault(one[2], f"part{len(ids)}")

    return TAG.sub(lambda tag: ID.sub(own, tag[0]), str(drawn(vl_convert.vegalite_to_svg, spec)))


def png(spec: Spec, scale: float = 2.0) -> bytes:
    """The chart as a PNG of `scale` pixels per unit of the specification. Raises DrawingError."""
    return bytes(drawn(vl_convert.vegalite_to_png, spec, scale=scale))


def drawn(draw: Any, spec: Spec, **options: Any) -> Any:
    """What `draw` makes of the chart. Raises DrawingError."""
    refuse_addresses(spec)
    try:
        return draw(sized(spec), vl_version=VEGA_LITE, allowed_base_urls=NO_ADDRESS, **options)
    except ValueError as error:
        raise DrawingError(str(error)[:500]) from None


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
    """`spec` at a width of its own: outside a page there is no container to fill."""
    return {**spec, "width": WIDTH} if spec.get("width") == "container" else spec


def bundle_name() -> str:
    """The file name of the script that draws charts in a page: another one with every version of it."""
    content = repr((version("vl-convert-python"), VEGA_LITE, SNIPPET)).encode()
    return f"vega-{hashlib.sha256(content).hexdigest()[:16]}.js"


@cache
def bundle() -> bytes:
    """An ES module that exports `embed` (vega-embed with Vega and Vega-Lite), made once per process in about 1.5 s."""
    return str(vl_convert.javascript_bundle(SNIPPET, VEGA_LITE)).encode()
