"""Drawings as parts of a page: nothing in them clashes with the page or with each other, and they scale with it.

Vega writes `<`, `>` and `&` of texts as entities, and `"` too inside attributes, so that tags and attributes end where
they seem to.
"""

import re
from collections.abc import Iterator, Mapping
from html import escape

TAG = re.compile(r"<[^>]*>")
ATTRIBUTE = re.compile(r'\s([\w:-]+)="([^"]*)"')
REFERENCE = re.compile(r"url\(#([^)]*)\)")
LEFT_OUT = {"class", "role", "version"}


def inline(svg: str, prefix: str, label: str) -> str:
    """The drawing for a page's own markup: one picture to a screen reader, which reads `label`; ids begin with
    `prefix`, with which no other id of the page begins; as wide as its place, at most as wide as it was drawn. Raises
    ValueError for what is no SVG document."""
    found = TAG.search(svg)
    if found is None or not found.group().startswith("<svg"):
        raise ValueError("this is no SVG document")
    size = dict(ATTRIBUTE.findall(found.group()))
    root = f'<svg viewBox="{size["viewBox"]}" width="{size["width"]}" role="img" aria-label="{escape(label)}">'
    body = svg[found.end() :]
    ids = {name: f"{prefix}{place}" for place, name in enumerate(dict.fromkeys(ids_of(body)))}
    return root + TAG.sub(lambda tag: rewritten(tag.group(), ids), body)


def ids_of(body: str) -> Iterator[str]:
    for tag in TAG.findall(body):
        yield from (value for name, value in ATTRIBUTE.findall(tag) if name == "id")


def rewritten(tag: str, ids: Mapping[str, str]) -> str:
    return ATTRIBUTE.sub(lambda one: attribute(one.group(1), one.group(2), ids), tag)


def attribute(name: str, value: str, ids: Mapping[str, str]) -> str:
    """The attribute with its blank before it; empty where a page has no use for it."""
    if name in LEFT_OUT or name.startswith(("aria-", "xmlns")):
        return ""
    if name == "id":
        return f' id="{ids[value]}"'
    aim = REFERENCE.fullmatch(value)
    return f' {name}="url(#{ids[aim.group(1)]})"' if aim and aim.group(1) in ids else f' {name}="{value}"'
