"""What a form of a page holds."""

import re
from html import unescape
from typing import Any


def seen(answer: Any) -> str:
    """The tag of what the form showed."""
    found = re.search(r'name="seen" value="([^"]*)"', answer.text)
    assert found is not None, answer.text[:500]
    return unescape(found[1])


def faults(answer: Any) -> dict[str, str]:
    """By field: what stands beside it."""
    found = re.findall(r'<p class="fault" id="fault-([^"]*)">(.*?)</p>', answer.text)
    return {unescape(name): unescape(words) for name, words in found}


def value(answer: Any, name: str) -> str:
    """What stands in an input, a text area or a select."""
    escaped = re.escape(name)
    text = re.search(rf'<textarea id="{escaped}"[^>]*>(.*?)</textarea>', answer.text, re.DOTALL)
    if text is not None:
        return unescape(text[1])
    chosen = re.search(rf'<select id="{escaped}".*?</select>', answer.text, re.DOTALL)
    if chosen is not None:
        option = re.search(r'<option value="([^"]*)" selected>', chosen[0])
        return unescape(option[1]) if option else ""
    entry = re.search(rf'<input type="[a-z]*" id="{escaped}"[^>]*?(?: value="([^"]*)")?>', answer.text)
    assert entry is not None, name
    return unescape(entry[1] or "")
