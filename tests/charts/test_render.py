"""Charts are drawn without a browser, from their own data alone."""

import json
import re
import socket
from typing import Any
from xml.etree import ElementTree

import pytest
import vl_convert

from app.charts import render
from app.charts.theme import DARK, LIGHT, Palette, Spec, finished, narrowed, titled, wrapped

HOSTILE = "<script>alert('x')</script> [link](https://example.com) {{7*7}} datum.x"
SVG = "{http://www.w3.org/2000/svg}"


def bars(**parts: Any) -> Spec:
    return finished(
        {
            "title": titled(HOSTILE, "samples", HOSTILE),
            "data": {"values": [{"group": HOSTILE, "count": 3}, {"group": "other", "count": 5}]},
            "mark": "bar",
            "width": "container",
            "encoding": {"x": {"field": "count", "type": "quantitative"}, "y": {"field": "group"}},
            **parts,
        }
    )


def test_user_text_is_text_in_a_drawing_and_nothing_else() -> None:
    document = ElementTree.fromstring(render.svg(bars()))  # noqa: S314  our own drawing
    assert not document.findall(f".//{SVG}script")
    assert not document.findall(f".//{SVG}a")
    words = " ".join("".join(text.itertext()) for text in document.iter(f"{SVG}text"))
    assert "<script>alert('x')</script>" in words
    assert "49" not in words


def test_the_same_specification_is_the_same_text_whatever_was_drawn_before() -> None:
    line = bars(mark={"type": "line", "clip": True})
    raw = [render.drawn(vl_convert.vegalite_to_svg, line) for _ in range(2)]
    assert raw[0] != raw[1], "Vega numbers its ids anew; else this test shows nothing"
    first, second = render.svg(line), render.svg(line)
    assert first == second
    ids, used = (set(re.findall(form, first)) for form in (r' id="([^"]*)"', r'="url\(#([^)]*)\)"'))
    assert used
    assert used <= ids


def test_a_drawing_outside_a_page_has_a_width_of_its_own() -> None:
    document = ElementTree.fromstring(render.svg(bars()))  # noqa: S314  our own drawing
    assert float(document.attrib["width"]) == 560
    fixed = bars(usermeta={"width": 430})
    assert float(ElementTree.fromstring(render.svg(fixed)).attrib["width"]) == 430  # noqa: S314  our own drawing


def test_a_png_is_drawn_at_the_size_asked_for() -> None:
    once, twice = render.png(bars()), render.png(bars(), scale=2)
    assert once.startswith(b"\x89PNG\r\n")
    wide = int.from_bytes(once[16:20], "big")
    assert wide == 560
    assert int.from_bytes(twice[16:20], "big") == pytest.approx(2 * wide, abs=1)


@pytest.mark.parametrize(
    "parts",
    [
        {"data": {"url": "http://127.0.0.1:{port}/data.json"}},
        {"layer": [{"mark": {"type": "image", "url": "http://127.0.0.1:{port}/x.png"}}]},
        {"data": {"url": "file:///etc/hostname", "format": {"type": "csv"}}},
        {"transform": [{"lookup": "x", "from": {"data": {"url": "http://127.0.0.1:{port}/y.csv"}, "key": "x"}}]},
    ],
)
def test_nothing_is_fetched_for_a_drawing(parts: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        spec = json.loads(json.dumps(bars(**parts)).replace("{port}", str(port)))
        with pytest.raises(render.DrawingError, match="address"):
            render.svg(spec)
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_datum_named_url_is_data() -> None:
    assert render.svg(bars(data={"values": [{"group": "a", "count": 1, "url": "https://example.com"}]}))


def test_a_broken_specification_is_refused_with_the_reason() -> None:
    with pytest.raises(render.DrawingError):
        render.svg(finished({"mark": "no such mark"}))


def test_a_mark_says_its_numbers_as_its_tooltip_would_and_the_picture_its_finding() -> None:
    tooltip = [{"field": "group", "title": 'its "group"'}, {"field": "share", "title": "of all", "format": ".0%"}]
    values = [{"group": HOSTILE, "count": 3, "share": 0.25}, {"group": "b", "count": 5, "share": None}]
    mark = {"type": "bar", "aria": False}
    encoding = {"x": {"field": "count", "type": "quantitative"}, "tooltip": tooltip}
    spec = finished({"data": {"values": values}, "layer": [{"mark": mark, "encoding": encoding}]}, "light", HOSTILE)
    document = ElementTree.fromstring(render.svg(spec))  # noqa: S314  our own drawing
    assert document.attrib["aria-label"] == HOSTILE
    assert document.attrib["role"] == "img"
    said = [one.attrib["aria-label"] for one in document.iter() if render.ROW_END in one.attrib.get("aria-label", "")]
    rows = [f'its "group": {group}{render.ROW_END}of all: {share}{render.ROW_END}'
            for group, share in ((HOSTILE, "25%"), ("b", "–"))]  # fmt: skip
    assert said == rows
    assert spec["layer"][0] == {"mark": mark, "encoding": encoding}


def test_no_two_drawings_have_an_id_in_common() -> None:
    line = bars(mark={"type": "line", "clip": True})
    other = bars(mark={"type": "line", "clip": True}, height=77)
    one, two = (set(re.findall(r' id="([^"]*)"', render.svg(spec))) for spec in (line, other))
    assert one
    assert two
    assert not one & two


def luminance(colour: str) -> float:
    """WCAG 2.1's relative luminance."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_marks_and_words_stand_out_from_their_background(colours: Palette) -> None:
    for words in (colours.text, colours.muted):
        assert contrast(words, colours.background) >= 4.5
    for mark in colours.series:
        assert contrast(mark, colours.background) >= 3


def test_long_findings_are_broken_into_lines_without_losing_words() -> None:
    finding = "word " * 60
    assert " ".join(wrapped(finding)) == finding.strip()
    assert max(map(len, wrapped(finding))) <= 72
    assert max(map(len, wrapped("x" * 500))) <= 72


def test_a_narrow_drawing_says_the_same_in_shorter_lines() -> None:
    spec = bars(title=titled("word " * 30, "detail " * 20, "somewhere"))
    found = narrowed({**spec, "concat": [{"title": titled("of a panel " * 9), "mark": "bar"}], "columns": 3})
    for title, was in ((found["title"], spec["title"]), (found["concat"][0]["title"], titled("of a panel " * 9))):
        assert {name: " ".join(lines) for name, lines in title.items()} == {
            name: " ".join(lines) for name, lines in was.items()
        }
        assert max(len(line) for lines in title.values() for line in lines) <= 38
    assert found["columns"] == 1
    assert render.svg(narrowed(spec))


def test_a_long_label_of_signs_of_two_halves_is_drawn() -> None:
    values = [{"name": sign * 100, "value": 1} for sign in ("🙂", "😀")]
    spec = bars(data={"values": values}, encoding={"y": {"field": "name", "type": "nominal"}})
    assert "1F642" in render.svg(spec)
    assert render.png(spec)
