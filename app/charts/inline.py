"""Drawings as parts of a page: nothing in them clashes with the page or with each other, and they scale with it.

Vega writes `<`, `>` and `&` of texts as entities, and `"` too inside attributes, so that tags and attributes end where
they seem to.
"""

import re
from html import escape

TAG = re.compile(r"<[^>]*>")
ATTRIBUTE = re.compile(r'\s([\w:-]+)="([^"]*)"')
LEFT_OUT = {"class", "role", "version"}


def inline(svg: str, prefix: str, label: str) -> str:
    """The drawing for a page's own markup: one picture to a screen reader, which reads `label`; ids begin with
    `prefix`, which no other drawing of the page has; as wide as its place, at most as wide as it was drawn."""
    found = TAG.search(svg)
    if found is None or not found.group().startswith("<svg"):
        raise ValueError("this is no SVG document")
    size = dict(ATTRIBUTE.findall(found.group()))
    root = f'<svg viewBox="{size["viewBox"]}" width="{size["width"]}" role="img" aria-label="{escape(label)}">'
    body = TAG.sub(lambda tag: rewritten(tag.group(), prefix), svg[found.end() :])
    return root + body


def rewritten(tag: str, prefix: str) -> str:
    return ATTRIBUTE.sub(lambda one: attribute(one.group(1), one.group(2), prefix), tag)


def attribute(name: str, value: str, prefix: str) -> str:
    """The attribute with its blank before it; empty where a page has no use for it."""
    if name in LEFT_OUT or name.startswith(("aria-", "xmlns")):
        return ""
    if name == "id":
        value = prefix + value
    elif value.startswith("url(#") or name.endswith("href"):
        value = value.replace("#", f"#{prefix}", 1)
    return f' {name}="{value}"'
