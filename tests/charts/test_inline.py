"""A drawing inside a page keeps its looks and its words, and touches nothing else of the page."""

import re

import pytest

from app.charts import render
from app.charts.inline import inline
from app.charts.money import spending
from app.charts.theme import finished

NASTY = """<script>alert(1)</script> id="x" url(#y) class='z' href="#q" & so on"""


@pytest.fixture(scope="module")
def drawing() -> str:
    return draw()


def draw() -> str:
    """Words from outside, in a text and in what is read aloud, and a line that is clipped."""
    values = [{"x": 0, "y": 1, "name": NASTY}, {"x": 2, "y": 5, "name": "plain"}]
    x = {"field": "x", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": NASTY}
    y = {"field": "y", "type": "quantitative"}
    line = {"mark": {"type": "line", "clip": True}}
    words = {"mark": {"type": "text", "clip": True}, "encoding": {"text": {"field": "name", "type": "nominal"}}}
    spec = {"data": {"values": values}, "encoding": {"x": x, "y": y}, "layer": [line, words]}
    return render.svg(finished(spec, description=NASTY))


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_words_stay_as_they_were_drawn(drawing: str) -> None:
    assert texts(inline(drawing, "a-", "a label")) == texts(drawing)
    assert any("&lt;script&gt;" in text for text in texts(drawing))
    assert "<script" not in inline(drawing, "a-", "a label")


def test_ids_and_what_refers_to_them_get_the_prefix(drawing: str) -> None:
    made = inline(drawing, "a-", "a label")
    tags = re.findall(r"<[^>]*>", made)
    ids = {name for tag in tags for name in re.findall(r'\sid="([^"]*)"', tag)}
    used = {name for tag in tags for name in re.findall(r'="url\(#([^)"]*)\)"', tag)}
    assert ids
    assert all(name.startswith("a-") for name in ids)
    assert used
    assert used <= ids


def test_two_drawings_share_no_id(drawing: str) -> None:
    first, second = (
        {
            name
            for tag in re.findall(r"<[^>]*>", inline(drawing, prefix, "x"))
            for name in re.findall(r'\sid="([^"]*)"', tag)
        }
        for prefix in ("a-", "b-")
    )
    assert first
    assert not first & second


def test_it_is_one_picture_with_a_name_and_has_no_class_of_its_own(drawing: str) -> None:
    made = inline(drawing, "a-", '1 < 2 & "so"')
    assert made.startswith("<svg viewBox=")
    assert 'role="img" aria-label="1 &lt; 2 &amp; &quot;so&quot;">' in made
    assert not [tag for tag in re.findall(r"<[^>]*>", made)[1:] if re.search(r"\s(class|role|aria-[a-z]+)=", tag)]
    assert "http" not in made


def test_its_shape_follows_from_its_width_alone() -> None:
    drawing = render.svg(spending([{"round": 1, "spent": 10.0, "committed": 5.0}], 100.0, "USD"))
    root = inline(drawing, "a-", "x").partition(">")[0]
    size = re.search(r'viewBox="0 0 (\d+) \d+"', root)
    assert size
    assert f'width="{size.group(1)}"' in root
    assert "height" not in root


def test_what_is_no_drawing_is_refused() -> None:
    with pytest.raises(ValueError, match="no SVG"):
        inline("<html></html>", "a-", "x")
