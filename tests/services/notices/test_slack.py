"""Slack's incoming webhooks: escapes and lengths as its reference says."""

import json
from typing import Any

from app.services.notices.slack import slack_body
from app.services.notices.words import Notice

BASE = "https://tranche.example.com"


def body(headline: str = "Ana proposed it", more: str = "", quote: str = "") -> dict[str, Any]:
    read: dict[str, Any] = json.loads(slack_body(Notice(headline, more, quote, "/projects/1"), BASE))
    return read


def test_the_notification_and_the_message_say_the_same() -> None:
    sent = body(more="It waits.", quote="Ana: for\nthe audit")
    assert sent == {
        "text": "Ana proposed it",
        "blocks": [
            {
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": "Ana proposed it.\nIt waits.\n> Ana: for\n> the audit\n"
                    f"<{BASE}/projects/1|Open it in Tranche>",
                    "verbatim": True,
                },
            }
        ],
    }


def test_nobody_is_called_by_a_name_or_a_note() -> None:
    """`<!channel>` rings for everybody, `<@U1>` for one, and `<https://…|…>` is a link."""
    sent = body("<!channel> & <@U1>", quote="<https://evil.example|here>")
    assert sent["text"] == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
    text = sent["blocks"][0]["text"]["text"]
    assert text.count("<") == 1
    assert "\n> &lt;https://evil.example|here&gt;\n" in text


def test_no_text_is_longer_than_slack_takes_and_none_is_cut_within_an_escape() -> None:
    sent = body("&" * 900, "<" * 900, "Ana: " + ">\n" * 2_000)
    text = sent["blocks"][0]["text"]["text"]
    assert 2_900 < len(text) <= 3_000
    assert text.endswith(f"…\n<{BASE}/projects/1|Open it in Tranche>")
    for escape in ("&amp;", "&lt;", "&gt;"):
        text = text.replace(escape, "")
    assert "&" not in text
    assert len(sent["text"]) <= 1_000


def test_what_fits_is_not_cut() -> None:
    assert body("a" * 1_000)["text"] == "a" * 1_000
    assert body("a" * 1_001)["text"] == "a" * 999 + "…"
