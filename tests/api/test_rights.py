"""What a key may do: every operation of the API and every page, asked with every kind of key."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.api import jobs
from app.api.rights import Operation, as_markdown, operations_of
from app.main import create_app
from app.services.access.keys import SCOPES
from app.settings import Settings
from tests.everything import HERE, Everything, ask_of, everything_in

ROOT = Path(__file__).parents[2]
APP = create_app(Settings(database_url="sqlite:///unused.db"))
OPERATIONS = [one for one in operations_of(APP) if not one.path.startswith(("/docs", "/redoc"))]
ASKED = [pytest.param(one, id=f"{one.method} {one.path}") for one in OPERATIONS if one.right is not None]
OPEN = {
    "GET /healthz", "GET /readyz", "POST /v1/hooks/{token}",
    "GET /sign-in", "POST /sign-in", "POST /sign-out",
    "GET /static/{named_release}/{name}",
}  # fmt: skip
"""What asks for no key. A vendor's webhook is told by the token in its address and by its signature."""
ENDED = ("none", "unknown", "revoked", "expired")
BY_STATE = "/rounds/{number}/cancel"
"""A proposal is withdrawn with `write`, what was accepted with `buy`: here it is a proposal."""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Everything]:
    with everything_in(tmp_path_factory.mktemp("everything"), sqlite_template) as made:
        yield made


@pytest.fixture(autouse=True)
def short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LONGEST_S", 0.0)


def test_what_asks_for_no_key_is_known() -> None:
    assert {f"{one.method} {one.path}" for one in OPERATIONS if one.right is None} == OPEN


def test_rights_name_scopes_that_there_are() -> None:
    for one in OPERATIONS:
        assert one.right is None or (one.right.scopes and set(one.right.scopes) <= set(SCOPES)), one


def expected(operation: Operation, who: str, places: dict[str, str]) -> int | None:
    """The status of a refusal; None where the key may."""
    right = operation.right
    assert right is not None
    names_something = "{" in operation.path.replace("/projects/new/{name}", "")
    scopes = {"limited": set(SCOPES) - {"admin"}}.get(who, {who} if who in SCOPES else set(SCOPES))
    limited = who.startswith("limited") or who == "elsewhere"
    if who in ENDED:
        return 303 if operation.is_page else 401
    if not scopes & {*right.scopes, "admin"} or (limited and right.whole_workspace):
        return 403
    if limited and (operation.method, operation.path) == ("POST", "/v1/projects"):
        return 403
    if who in ("stranger", "elsewhere") and names_something:
        return 404
    if who == "limited" and ask_of(operation).at.get("project_id"):
        return 404
    if operation.path.endswith(BY_STATE) and who == "buy":
        return 403
    return None


KINDS = (*ENDED, "stranger", "elsewhere", "limited", "limited admin", "owner", *SCOPES)
DEAR = ("/report", "/measurement-plan", "/tables.xlsx")
ALIKE = ("limited admin", "owner", "admin")
"""Who gets what others get too, where it takes long."""


@pytest.mark.parametrize("operation", ASKED)
def test_every_kind_of_key_gets_what_the_table_says(operation: Operation, everything: Everything) -> None:
    for who in KINDS:
        if who in ALIKE and operation.path.endswith(DEAR):
            continue
        answer = everything.send(operation, who)
        wanted = expected(operation, who, everything.places)
        if wanted is None:
            assert answer.status_code not in (401, 403, 404), (who, answer.status_code, answer.text[:300])
            assert answer.status_code < 500, (who, answer.text[:300])
            assert not answer.headers.get("location", "").startswith("/sign-in")
        else:
            assert answer.status_code == wanted, (who, answer.status_code, answer.text[:300])
            assert wanted != 303 or answer.headers["location"].startswith("/sign-in")
        if who in ENDED or who in ("stranger", "elsewhere"):
            assert leaks(everything, operation, answer) == []


def leaks(everything: Everything, operation: Operation, answer: httpx.Response) -> list[str]:
    """What the answer says of the workspace beyond what was asked."""
    marks = [HERE, *(place for place in everything.places.values() if len(place) > 10)]
    sent = str(answer.request.url) + str(answer.request.content)
    return [mark for mark in marks if mark in answer.text and mark not in sent]


@pytest.mark.parametrize("who", ["limited admin", "elsewhere"])
def test_a_limited_admin_has_no_hold_on_what_is_the_whole_workspaces(everything: Everything, who: str) -> None:
    api, places = everything.api.as_key(everything.keys[who]), everything.places
    for kind in ("api-keys", "webhook-endpoints"):
        whole = places["owner"] if kind == "api-keys" else places["whole_endpoint"]
        shown = [one["id"] for one in api.get(f"/v1/{kind}").json()["items"]]
        assert whole not in shown
        assert (places["key_id" if kind == "api-keys" else "endpoint_id"] in shown) == (who == "limited admin")
        path = f"/v1/{kind}/{whole}"
        for answer in (api.get(path), api.patch(path, json={}), api.delete(path)):
            assert answer.status_code == 404, answer.text
    page, form = everything.browsers[who], f"/keys/{places['owner']}/revoke"
    assert places["owner"] not in page.get("/keys").text
    assert page.post(form).status_code == 404
    assert everything.api.get("/v1/api-keys").status_code == 200
    refused = api.get("/v1/vendor-connections").json()
    assert "limited to named projects" in refused["detail"]


def test_the_published_table_is_what_the_routes_ask() -> None:
    """`make rights` writes it anew."""
    published = (ROOT / "docs" / "operations.md").read_text()
    assert published.partition("<!-- rights -->\n")[2].partition("<!-- end of rights -->")[0].strip() == as_markdown(
        APP
    )


def test_the_contract_names_the_scopes_and_what_limited_keys_are_refused() -> None:
    paths = APP.openapi()["paths"]
    for one in OPERATIONS:
        if one.is_page or one.right is None:
            continue
        said = paths[one.path][one.method.lower()]
        assert said["security"] == [{"HTTPBearer": [scope]} for scope in one.right.scopes]
        assert said.get("x-whole-workspace", False) == one.right.whole_workspace
