"""Secrets are taken out of addresses, and what remains is answered as before."""

from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.telemetry.addresses import HIDDEN, hide_secrets, hook_token
from tests.api_client import Api
from tests.conftest import one_database

TOKEN = "Zk3-x_Qw81"
KEY = "tranche_0123456789abcdef_s3cr3t-S3CR3T_x"


def scope_of(raw: str, query: str = "", root: str = "") -> dict[str, Any]:
    """As uvicorn makes it: the path decoded once, the raw one as it came."""
    return {
        "type": "http",
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "root_path": root,
    }


@pytest.mark.parametrize(
    "raw",
    [
        f"/v1/hooks/{TOKEN}",
        f"/v1/hooks/{TOKEN}/",
        f"/v1/hooks/{TOKEN.replace('_', '%5F')}",
        f"/v1%2Fhooks%2F{TOKEN}",
        f"/v1/hooks%252F{TOKEN}",
        f"/v1/%2568ooks/{TOKEN}",
    ],
)
@pytest.mark.parametrize("root", ["", "/tranche", "/teams/plan"])
def test_a_hook_keeps_its_route_and_loses_its_token(raw: str, root: str) -> None:
    scope = scope_of(root + raw, "signature=abc", root)
    assert not hide_secrets(scope)
    assert (scope["path"], scope["query_string"]) == (f"{root}/v1/hooks/{HIDDEN}", b"")
    assert TOKEN not in str({name: one for name, one in scope.items() if name != "tranche.hook_token"})
    assert hook_token(scope, HIDDEN) == TOKEN


@pytest.mark.parametrize(
    "raw",
    [
        f"/v1/hooks/{TOKEN}/more",
        f"//v1//hooks//{TOKEN}",
        f"/V1/Hooks/{TOKEN}",
        f"/hooks/{TOKEN}",
    ],
)
def test_a_mistaken_address_leads_nowhere_and_shows_no_token(raw: str) -> None:
    scope = scope_of(raw)
    hide_secrets(scope)
    assert TOKEN not in str(scope)
    assert not scope["path"].endswith(f"/v1/hooks/{HIDDEN}")


@pytest.mark.parametrize(
    "path", ["/v1/projects/1/groups/v1%2Fhooks%2Fx", "/projects/1/groups/hooks/x", "/v1/hooks", "/v1/webhooks/1", "/"]
)
def test_other_paths_are_left_alone(path: str) -> None:
    scope = scope_of(path, "limit=2")
    before = dict(scope)
    hide_secrets(scope)
    assert scope == before


@given(st.text(st.characters(codec="utf-8", exclude_characters="?#"), max_size=30), st.booleans())
def test_no_path_is_too_strange(text: str, encoded: bool) -> None:
    raw = "/" + quote(text, safe="" if encoded else "/%;")
    scope = scope_of(raw, quote(text))
    hide_secrets(scope)
    hide_secrets(scope)
    assert scope["path"].startswith("/")
    assert isinstance(scope["raw_path"], bytes)


@pytest.mark.parametrize("place", [KEY, quote(KEY, safe="").replace("_", "%5F"), f"a{KEY}/b"])
def test_an_api_key_in_an_address_is_cut_short(place: str) -> None:
    scope = scope_of(f"/v1/projects/{place}", f"api_key={place}")
    hide_secrets(scope)
    assert "s3cr3t" not in str(scope)
    assert "0123456789abcdef" in scope["path"]


@one_database
def test_a_group_may_be_called_like_a_hook(api: Api) -> None:
    path = api.project(groups=[{"key": "v1/hooks/x", "initial_count": 1, "unit_cost": "1"}])
    answer = api.get(f"{path}/groups/v1%2Fhooks%2Fx")
    assert (answer.status_code, answer.json()["key"]) == (200, "v1/hooks/x")
