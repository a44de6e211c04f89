"""Pages and their forms, as a browser that is signed in would ask for them, and then changed."""

import re
from html import unescape
from random import Random
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI
from starlette.routing import BaseRoute

from app.web.site.visit import PageRoute
from tests.fuzz.asking import Answer, Request, ask
from tests.fuzz.mutating import SEGMENTS, TEXTS, broken, percent
from tests.fuzz.world import World

FORM = re.compile(r'<form[^>]*method="post"[^>]*action="([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)
FIELD = re.compile(r'<(?:input|select|textarea|button)[^>]*\sname="([^"]*)"(?:[^>]*\svalue="([^"]*)")?')
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')
MOST_FORMS = 200
VALUES = [b"1", b"true", b"optimal", b"-1", b"99999999999999999999", b"%00", b"%ff"]
HOST = (b"Host", b"127.0.0.1:8000")


def routes_of(app: FastAPI) -> list[PageRoute]:
    found: list[PageRoute] = []
    waiting: list[BaseRoute] = list(app.routes)
    while waiting:
        one = waiting.pop(0)
        found += [one] if isinstance(one, PageRoute) else []
        inner: Any = getattr(getattr(one, "original_router", None), "routes", ())
        waiting += inner
    return found


class Visitor:
    def __init__(self, app: FastAPI, world: World) -> None:
        self.app = app
        self.world = world
        self.routes = routes_of(app)
        self.cookie = ""
        self.csrf = ""
        self.forms: dict[str, list[tuple[str, str]]] = {}

    async def sign_in(self) -> None:
        """Raises RuntimeError where that fails."""
        first = await ask(self.app, Request("GET", b"/sign-in", headers=(HOST,)))
        self.learn(first)
        body = urlencode({"csrf": self.csrf, "key": self.world.key, "next": "/"}).encode()
        entered = await ask(self.app, Request("POST", b"/sign-in", headers=self.headers(), body=body))
        if entered.status != 303:
            raise RuntimeError(f"sign-in: {entered.status} {entered.body[:300]!r}")
        self.learn(entered)
        self.learn(await ask(self.app, Request("GET", b"/", headers=self.headers())))

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        form = (b"Content-Type", b"application/x-www-form-urlencoded")
        return (HOST, form, (b"Cookie", self.cookie.encode()), (b"Accept", b"text/html"))

    def learn(self, answer: Answer) -> None:
        for one in answer.cookies:
            name, _, value = one.partition(";")[0].partition("=")
            if value.strip('"') and not name.endswith("flash"):
                self.cookie = f"{name}={value}"
        text = answer.body.decode("utf-8", "replace") if answer.media_type == "text/html" else ""
        found = CSRF.search(text)
        self.csrf = found[1] if found else self.csrf
        for action, inside in FORM.findall(text):
            fields = [(unescape(name), unescape(value)) for name, value in FIELD.findall(inside)]
            self.forms[unescape(action)] = fields
        while len(self.forms) > MOST_FORMS:
            del self.forms[next(iter(self.forms))]

    def request(self, rng: Random) -> Request:
        sent = [action for action in self.forms if "sign-" not in action and "/keys/" not in action]
        if sent and rng.random() < 0.4:
            return self.post(rng.choice(sent), rng)
        route = rng.choice([one for one in self.routes if "POST" not in (one.methods or ())])
        project, parts = self.world.project(rng), []
        for part in route.path.split("/"):
            known = self.world.named(route.path, part.strip("{}"), project) if "{" in part else []
            if "{" not in part:
                parts.append(part.encode())
            elif rng.random() < 0.1:
                parts.append(rng.choice(SEGMENTS))
            elif "{format}" in part or "{ending}" in part or "." in part:
                parts.append(rng.choice((b"plan.json", b"curves.svg", b"groups.csv", b"allocation.xlsx", b"x.csv")))
            else:
                parts.append(percent(rng.choice(known or ["1", "x"])))
        return Request(
            rng.choice(("GET", "GET", "GET", "HEAD")), b"/".join(parts), self.query(route, rng), self.headers()
        )

    def query(self, route: PageRoute, rng: Random) -> bytes:
        names = [one.alias for one in route.dependant.query_params] or ["x"]
        names += [one.alias for inner in route.dependant.dependencies for one in inner.query_params]
        asked = rng.sample(names, min(len(names), rng.choice((0, 0, 1, 2))))
        return b"&".join(
            name.encode() + b"=" + rng.choice([*VALUES, percent(rng.choice(TEXTS))[:3000]]) for name in asked
        )

    def post(self, action: str, rng: Random) -> Request:
        fields = [(name, value or rng.choice(("1", "x", "100", ""))) for name, value in self.forms[action]]
        fields = [(name, self.csrf if name == "csrf" and rng.random() < 0.97 else value) for name, value in fields]
        if fields and rng.random() < 0.6:
            at = rng.randrange(len(fields))
            name = fields[at][0] if rng.random() < 0.8 else rng.choice(TEXTS)
            fields[at] = (name, rng.choice(TEXTS) if name != "csrf" else self.csrf)
        body = urlencode(
            [(a.encode("utf-8", "surrogatepass"), b.encode("utf-8", "surrogatepass")) for a, b in fields]
        ).encode()
        if rng.random() < 0.05:
            body = broken(body, rng)
        return Request("POST", action.encode(), b"", self.headers(), body)
