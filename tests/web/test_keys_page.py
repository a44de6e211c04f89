"""API keys on a page: seen and revoked by admin keys alone."""

from datetime import timedelta

from app.store.db import Database
from tests.api_client import NOW, Api
from tests.conftest import new_key
from tests.web.browser_client import Pages, text_of


def id_of(token: str) -> str:
    return token.split("_")[1]


def test_keys_are_listed_without_their_secrets_and_revoked(api: Api, pages: Pages, database: Database) -> None:
    token = new_key(database, "read,buy", name="<b>ana</b>", expires_at=NOW + timedelta(days=3))
    other = Pages(api)
    assert other.sign_in(token).status_code == 303
    page = pages.get("/keys")
    assert "&lt;b&gt;ana&lt;/b&gt;" in page.text
    assert "in use buy, read all" in text_of(page)
    assert token.split("_", 2)[2] not in page.text
    assert "<b>ana</b>" not in page.text
    assert f"{id_of(api.key or '')} yours –" in text_of(page)
    assert pages.post(f"/keys/{id_of(token)}/revoke").status_code == 303
    assert f"The key {id_of(token)} is revoked." in text_of(pages.get("/keys"))
    assert api.as_key(token).get("/v1/projects").status_code == 401
    assert other.get("/").headers["location"].startswith("/sign-in"), "its sessions end with it"
    assert pages.post("/keys/0000000000000000/revoke").status_code == 404


def test_who_is_no_admin_neither_sees_nor_revokes_keys(api: Api, database: Database) -> None:
    token = new_key(database, "read,write,buy")
    visitor = Pages(api)
    visitor.sign_in(token)
    assert visitor.get("/keys").status_code == 403
    assert 'href="/keys"' not in visitor.get("/").text
    assert visitor.post(f"/keys/{id_of(api.key or '')}/revoke").status_code == 403
    assert api.get("/v1/projects").status_code == 200


def test_revoking_the_own_key_signs_out(pages: Pages, database: Database, api: Api) -> None:
    pages.get("/keys")
    assert pages.post(f"/keys/{id_of(api.key or '')}/revoke").status_code == 303
    assert pages.get("/keys").headers["location"].startswith("/sign-in")
