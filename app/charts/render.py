"""Draws specifications without a browser, and makes the script that draws them in one. The only user of vl-convert.

Nothing is fetched: a specification carries its data, and one that names an address is refused.
"""

import hashlib
import re
from functools import cache
from importlib.metadata import version
from typing import Any

from app.charts.theme import WIDTH, Spec

VEGA_LITE = "6.4"
NO_ADDRESS: list[str] = []
SNIPPET = "export const embed = vegaEmbed;"
BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
TAG = re.compile(r"<[^>]*>")
ID = re.compile(r'( id="|="url\(#)([^")]*)')


class DrawingError(ValueError):
    """A specification that Vega-Lite refuses."""


def svg(spec: Spec) -> str:
    """The chart as an SVG document, the same text for the same specification. Raises DrawingError."""
    import vl_convert  # brings a whole browser engine, which a service that draws nothing does without

    # Vega counts its ids over all that a process draws.
    ids: dict[str, str] = {}

    def own(one: re.Match[str]) -> str:
        return one[1] + ids.setdefault(one[2], f"part{len(ids)}")

    return TAG.sub(lambda tag: ID.sub(own, tag[0]), str(drawn(vl_convert.vegalite_to_svg, spec)))


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
    """`spec` at a width of its own: outside a page there is no container to fill."""
    return {**spec, "width": WIDTH} if spec.get("width") == "container" else spec


def bundle_name() -> str:
    """The file name of the script that draws charts in a page: another one with every version of it."""
    content = repr((version("vl-convert-python"), VEGA_LITE, SNIPPET)).encode()
    return f"vega-{hashlib.sha256(content).hexdigest()[:16]}.js"


@cache
def bundle() -> bytes:
    """An ES module that exports `embed` (vega-embed with Vega and Vega-Lite), made once per process in about 1.5 s."""
    import vl_convert  # as above

    return str(vl_convert.javascript_bundle(SNIPPET, VEGA_LITE)).encode()
