"""Signing in: who gets in, for how long, and what a form must prove."""

from datetime import timedelta

import pytest

from app.api.http.runtime import Runtime
from app.services.access.sessions import LIFETIME
from app.settings import Settings
from app.store.db import Database
from tests.api_client import NOW, Api
from tests.conftest import new_key
from tests.web.browser_client import Pages, text_of


def signed_in(pages: Pages) -> bool:
    return pages.get("/").status_code == 200


def test_a_visitor_is_sent_to_sign_in_and_back(api: Api) -> None:
    pages = Pages(api)
    answer = pages.get("/?archived=true")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2F%3Farchived%3Dtrue")
    back = pages.sign_in(api.key or "", "/?archived=true")
    assert (back.status_code, back.headers["location"]) == (303, "/?archived=true")
    assert signed_in(pages)


@pytest.mark.parametrize("elsewhere", [
    "https://evil.example", "//evil.example", "/\\evil.example", "evil", "/\t/evil.example", "javascript:alert(1)",
    "/%0d%0a\r\nSet-Cookie: a=b", "",
])  # fmt: skip
def test_sign_in_leads_to_no_other_site(api: Api, elsewhere: str) -> None:
    assert Pages(api).sign_in(api.key or "", elsewhere).headers["location"] == "/"
    pages = Pages(api)
    pages.sign_in(api.key or "")
    answer = pages.get("/sign-in", params={"next": elsewhere})
    assert answer.status_code == 422 if set(elsewhere) & set("\t\r\n") else answer.headers["location"] == "/"


@pytest.mark.parametrize("wrong", ["", "tranche_0000_nothing", "<script>alert(1)</script>"])
def test_a_wrong_key_opens_nothing_and_says_what_to_do(api: Api, wrong: str) -> None:
    pages = Pages(api)
    answer = pages.sign_in(wrong)
    assert answer.status_code == 401
    assert "tranche key create" in text_of(answer)
    assert "<script>" not in answer.text
    assert pages.cookie("session") is None
    assert not signed_in(pages)


def test_a_revoked_key_ends_its_sessions(api: Api, pages: Pages) -> None:
    other = api.as_key(new_key_of(api))
    assert signed_in(pages)
    assert other.delete(f"/v1/api-keys/{(api.key or '').split('_')[1]}").status_code == 204
    assert not signed_in(pages)


def new_key_of(api: Api, **limits: object) -> str:
    runtime: Runtime = api.app.state.runtime
    return new_key(runtime.database, **limits)


def test_a_key_that_expires_ends_its_sessions(api: Api) -> None:
    pages = Pages(api)
    pages.sign_in(new_key_of(api, expires_at=NOW + timedelta(minutes=5)))
    assert signed_in(pages)
    api.clock.now += timedelta(minutes=5)
    assert not signed_in(pages)
    assert pages.sign_in(api.key or "").status_code == 303


def test_a_session_ends_by_itself(api: Api, pages: Pages) -> None:
    api.clock.now += LIFETIME - timedelta(seconds=1)
    assert signed_in(pages)
    api.clock.now += timedelta(seconds=1)
    assert not signed_in(pages)


def test_signing_out_ends_the_session_on_the_server_too(api: Api, pages: Pages) -> None:
    stolen = Pages(api)
    stolen.cookies.update(pages.cookies)
    assert signed_in(stolen)
    assert pages.post("/sign-out").headers["location"] == "/sign-in"
    assert pages.cookie("session") is None
    assert not signed_in(stolen)


def test_signing_in_makes_a_new_token_whatever_the_browser_brought(api: Api) -> None:
    """A token planted before the sign-in is worth nothing after it."""
    pages = Pages(api)
    pages.cookies.set("tranche-session", "planted", domain="127.0.0.1", path="/")
    pages.sign_in(api.key or "")
    first = pages.cookie("session")
    assert first != "planted"
    again = pages.post("/sign-in", {"key": api.key})
    assert again.status_code == 403, "the form's token was the old session's"
    pages.get("/")
    pages.post("/sign-in", {"key": api.key})
    assert pages.cookie("session") not in (first, None)
    old = Pages(api)
    old.cookies.set("tranche-session", first or "", domain="127.0.0.1", path="/")
    assert not signed_in(old)


def test_the_token_is_stored_as_a_hash_alone(api: Api, pages: Pages, database: Database) -> None:
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM page_sessions").all()
    assert len(rows) == 1
    assert pages.cookie("session") not in str(rows)


def cookies_set(api: Api, host: str) -> list[str]:
    pages = Pages(api, host)
    return pages.sign_in(api.key or "").headers.get_list("set-cookie")


def test_the_cookie_is_out_of_the_reach_of_scripts_and_other_sites(api: Api) -> None:
    session = next(one for one in cookies_set(api, "https://tranche.example") if "session=" in one)
    assert session.startswith("__Host-tranche-session=")
    for flag in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert flag in session
    assert "Domain" not in session


def test_only_this_machine_may_do_without_tls(api: Api) -> None:
    for host in ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"):
        assert not any("Secure" in one for one in cookies_set(api, host)), host
    pages = Pages(api, "http://tranche.example")
    page = pages.get("/sign-in")
    assert "Secure" in page.headers["set-cookie"]
    assert "needs HTTPS" in text_of(page)


def test_a_proxy_that_does_the_tls_is_named_by_the_public_url(settings: Settings, database: Database) -> None:
    behind = Api(settings.model_copy(update={"public_url": "https://tranche.example"}), new_key(database))
    pages = Pages(behind, "http://tranche.example")
    page = pages.get("/sign-in")
    assert "needs HTTPS" not in text_of(page)
    assert page.headers["set-cookie"].startswith("__Host-")
    behind.close()


@pytest.mark.parametrize("said", ["", "0" * 64, "é"])
@pytest.mark.parametrize("path", ["/sign-out", "/sign-in"])
def test_a_form_without_the_sessions_token_does_nothing(pages: Pages, said: str, path: str) -> None:
    answer = pages.send("POST", path, data={"csrf": said, "key": pages.api.key})
    assert answer.status_code == 403
    assert "out of date" in text_of(answer)
    assert signed_in(pages)


def test_the_token_of_another_session_is_refused(api: Api, pages: Pages) -> None:
    other = Pages(api)
    other.sign_in(api.key or "")
    other.get("/")
    assert pages.send("POST", "/sign-out", data={"csrf": other.csrf}).status_code == 403


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
])  # fmt: skip
def test_a_form_of_another_site_is_refused_even_with_the_token(pages: Pages, headers: dict[str, str]) -> None:
    assert pages.post("/sign-out", headers=headers).status_code == 403
    assert pages.post("/sign-out", headers={"Origin": pages.host, "Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_every_page_forbids_what_is_not_ours(api: Api, pages: Pages) -> None:
    for answer in (pages.get("/"), pages.get("/nowhere", headers={"Accept": "text/html"}), Pages(api).get("/sign-in")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert " style=" not in answer.text
        assert "<style" not in answer.text


def test_what_is_not_there_is_a_page_to_browsers_and_a_problem_to_clients(pages: Pages) -> None:
    browser = pages.get("/nowhere", headers={"Accept": "text/html,*/*"})
    assert (browser.status_code, browser.headers["content-type"]) == (404, "text/html; charset=utf-8")
    client = pages.get("/v1/nowhere", headers={"Accept": "text/html,*/*"})
    assert (client.status_code, client.headers["content-type"]) == (404, "application/problem+json")


def test_files_are_kept_for_ever_under_the_hash_of_their_release(pages: Pages) -> None:
    page = pages.get("/").text
    address = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    sheet = pages.get(address)
    assert (sheet.status_code, sheet.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in sheet.headers["cache-control"]
    assert pages.get("/static/old/style.css").headers["cache-control"] == "no-cache"
    assert pages.get("/static/old/secrets.txt").status_code == 404


def test_an_error_that_nobody_foresaw_is_a_page_without_its_trace(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the inside of it")

    monkeypatch.setattr("app.web.projects.projects_of_workspace", fail)
    answer = pages.get("/")
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert "the inside" not in answer.text
