"""A browser without a screen: keeps cookies, reads forms, and sends them as a page would."""

import re
from html import unescape
from typing import Any

import httpx

from tests.api_client import Api, run_apart

CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


class Pages:
    """Visits the pages of the service behind `api`."""

    def __init__(self, api: Api, host: str = "http://127.0.0.1:8000") -> None:
        self.api = api
        self.host = host
        self.cookies = httpx.Cookies()
        self.csrf = ""

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.api.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=self.host, cookies=self.cookies) as client:
                answer = await client.request(method, path, **options)
                self.cookies = client.cookies
                return answer

        answer = run_apart(once())
        found = CSRF.search(answer.text) if "html" in answer.headers.get("content-type", "") else None
        self.csrf = found.group(1) if found else self.csrf
        return answer

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.send("GET", path, **options)

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> httpx.Response:
        """Sends a form with the token of the page seen last."""
        return self.send("POST", path, data={"csrf": self.csrf, **(data or {})}, **options)

    def sign_in(self, key: str, wanted: str = "/") -> httpx.Response:
        self.get("/sign-in")
        return self.post("/sign-in", {"key": key, "next": wanted})

    def cookie(self, what: str) -> str | None:
        return next((cookie.value for cookie in self.cookies.jar if cookie.name.endswith(what)), None)


def text_of(answer: httpx.Response) -> str:
    """The words of a page, without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())
