"""A notice as Slack's incoming webhooks take it.

Lengths and escapes are those of Slack's reference: https://docs.slack.dev/reference/block-kit/composition-objects/text-object
and https://docs.slack.dev/messaging/formatting-message-text.
"""

import json
from collections.abc import Mapping

from app.services.notices.words import Notice

LONGEST = 3_000
"""Characters of a text as it is sent."""
HEADLINE, MORE = 1_000, 600
ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
QUOTED = {**ESCAPES, "\n": "\n> "}
TAKEN = b"ok"
"""What Slack answers once it has the message."""


def slack_body(notice: Notice, base_url: str) -> bytes:
    """`text` is what notifications show; the block says that, the rest and a link."""
    headline = escaped(notice.headline, HEADLINE)
    link = f"<{base_url}{notice.path}|Open it in Tranche>"
    lines = [f"{headline}.", escaped(notice.more, MORE)]
    if notice.quote:
        rest = LONGEST - sum(len(line) + 1 for line in [*lines, link])
        lines.append(escaped("\n" + notice.quote, rest, QUOTED).removeprefix("\n"))
    said = "\n".join(filter(None, [*lines, link]))
    block = {"type": "section", "text": {"type": "mrkdwn", "text": said, "verbatim": True}}
    return json.dumps({"text": headline, "blocks": [block]}, ensure_ascii=False).encode()


def escaped(text: str, room: int, escapes: Mapping[str, str] = ESCAPES) -> str:
    """`text` with its marks escaped, cut where that takes more than `room` characters."""
    pieces = [escapes.get(one, one) for one in text]
    if sum(map(len, pieces)) <= room:
        return "".join(pieces)
    kept, length = [], 0
    for piece in pieces:
        length += len(piece)
        if length >= room:
            break
        kept.append(piece)
    return "".join(kept) + "…"
