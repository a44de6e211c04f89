"""Secrets in addresses: taken out of the path and the query of a call before anything notes them.

The address that a labeling vendor calls ends in a token, which is all that keeps others from calling it. An API key is
in an address only by mistake, but stays valid all the same.
"""

import re
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote, unquote

Scope = MutableMapping[str, Any]

PLACE = "tranche.hook_token"
HIDDEN = "{token}"
ELSEWHERE = "{token}/{rest}"
"""In place of what is no address of a hook, but has the beginning of one: no route answers it."""
# Not of what is below another route: a group may be called v1/hooks.
HOOK = re.compile(
    r"^(?P<root>(?!/+v1/+(?!/|hooks)|/projects/).*?)/+(?:v1/+)?hooks/+(?P<rest>.+)$", re.IGNORECASE | re.DOTALL
)
KEY = re.compile(r"(tranche_[0-9a-f]{16}_)[\w-]+")
MOST_DECODINGS = 4


def hide_secrets(scope: Scope) -> bool:
    """Take the secrets out of the call's address, in place; a hook's token then stands apart in the scope, for
    `hook_token`. False, always: nothing here keeps a call from being watched."""
    if scope["type"] == "http" and PLACE not in scope:
        path = decoded(scope["path"])
        if "hooks" in path.lower():
            hide_token(scope, path)
        if KEY.search(path):
            put_path(scope, KEY.sub(r"\1…", path))
        query = scope.get("query_string", b"")
        if query and KEY.search(decoded(query.decode("latin-1"))):
            scope["query_string"] = KEY.sub(r"\1…", decoded(query.decode("latin-1"))).encode()
    return False


def decoded(text: str) -> str:
    """Without percent-encoding, however often it was encoded."""
    for _ in range(MOST_DECODINGS):
        if "%" not in text:
            break
        text = unquote(text)
    return text


def hide_token(scope: Scope, path: str) -> None:
    found = HOOK.match(path)
    if found is None:
        return
    root, rest = found["root"], found["rest"].removesuffix("/")
    # Under which root the service is found is the routes' to say.
    is_hook = path.startswith(f"{root}/v1/hooks/{rest}") and "/" not in rest
    scope[PLACE] = rest if is_hook else None
    put_path(scope, f"{root}/v1/hooks/{HIDDEN if is_hook else ELSEWHERE}")
    # Vendors say nothing by it that is read here, and some would sign it.
    scope["query_string"] = b""


def put_path(scope: Scope, path: str) -> None:
    scope["path"], scope["raw_path"] = path, quote(path).encode()


def hook_token(scope: Scope, shown: str) -> str:
    """The token of the hook that is called. shown: what the path says, the token itself where it was not hidden."""
    return str(scope.get(PLACE) or shown)
