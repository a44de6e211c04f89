"""Requests to operations: of the contract's examples and schemas, with what answers named so far, and then changed."""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from tests.fuzz.asking import Request
from tests.fuzz.contract import Contract, Operation
from tests.fuzz.mutating import SEGMENTS, TEXTS, as_json, broken, mutated, percent, word
from tests.fuzz.world import World, resource

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
CHARTS = [
    "curves",
    "curve",
    "marginal-utility",
    "budget-utility",
    "budget-targets",
    "progress",
    "spending",
    "utility",
    "x",
]
TABLES = [
    "allocation", "sources", "groups", "warnings", "budgets", "rounds", "round-groups", "orders", "spending", "ledger",
    "source-values", "observations", "manifests", "measurement-plan", "provenance", "x",
]  # fmt: skip
FEW_DRAWS = 50
MOST_DEPTH = 4


class Maker:
    def __init__(self, contract: Contract, world: World) -> None:
        self.contract = contract
        self.world = world
        self.calm = True

    def odd(self, rng: Random, chance: float) -> bool:
        """Whether something is to be wrong; never in a calm request."""
        return rng.random() < chance and not self.calm

    def request(self, operation: Operation, rng: Random, calm: bool) -> Request:
        """calm: with nothing changed, so that there is something to change."""
        self.calm = calm
        project = self.world.project(rng, operation.path)
        path, known = self.path(operation, rng, project)
        query, headers, body = self.query(operation, rng), self.headers(operation, path, rng), b""
        if operation.bodies:
            kind, body = self.body(operation, rng, project)
            headers.append((b"Content-Type", kind))
        method = operation.method
        if self.odd(rng, 0.02):
            known, method = False, rng.choice(("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "POST", "BREW"))
        elif method == "GET" and self.odd(rng, 0.03):
            method = "HEAD"
        return Request(method, path, query, tuple(headers), body, operation if known else None)

    # The address.

    def path(self, operation: Operation, rng: Random, project: Any) -> tuple[bytes, bool]:
        """And whether it still is the operation's."""
        odd = self.odd(rng, 0.1)
        names = [part for part in operation.path.split("/") if "{" in part]
        changed = rng.choice(names) if odd and names else None
        parts = []
        for part in operation.path.encode().split(b"/"):
            text = part.decode()
            if text == changed:
                parts.append(rng.choice(SEGMENTS))
            elif "{" in text:
                parts.append(self.segment(operation, text, rng, project))
            else:
                parts.append(part)
        path = b"/".join(parts)
        if odd and rng.random() < 0.2:
            path = rng.choice((path + b"/", path + b"/%00", b"/" + path, path.replace(b"/", b"//", 2), path.upper()))
            return path, False
        # A part that was lost, or is another route's, leads elsewhere; so does one that a name with a dot was made of.
        return path, changed is None

    def segment(self, operation: Operation, part: str, rng: Random, project: Any) -> bytes:
        if part == "{name}.{format}":
            kinds = TABLES if "/tables/" in operation.path else CHARTS
            ends = ["csv", "xlsx"] if "/tables/" in operation.path else ["json", "svg"]
            return f"{rng.choice(kinds)}.{rng.choice(ends)}".encode()
        known = self.world.named(operation.path, part.strip("{}"), project)
        return percent(rng.choice(known) if known else rng.choice(("1", "x", "00000000-0000-0000-0000-000000000000")))

    def query(self, operation: Operation, rng: Random) -> bytes:
        pairs = []
        for one in operation.parameters("query"):
            name = one["name"]
            if name == "draws":
                pairs.append((b"draws", str(FEW_DRAWS).encode()))
            elif name == "cursor" and self.world.cursors and rng.random() < 0.5:
                pairs.append((b"cursor", self.world.cursor(operation.path, rng)))
            elif rng.random() < 0.25:
                pairs.append((name.encode(), percent(as_text(self.value(one["schema"], rng)))))
        if pairs and self.odd(rng, 0.15):
            name, value = rng.choice(pairs)
            odd = rng.choice(
                (b"%00", b"%ff", b"\xff", b"", b"%FF%FE", percent(rng.choice(TEXTS))[:3000], b"99999999999999999999")
            )
            # Many draws are dear, and right.
            pairs[pairs.index((name, value))] = (name, odd)
            if rng.random() < 0.3:
                pairs.append((name, value))
        if self.odd(rng, 0.04):
            pairs.append((rng.choice((b"x", b"%00", b"limit", b"")), rng.choice((b"1", b"%zz", b"\xc3\xa9"))))
        return b"&".join(name + b"=" + value for name, value in pairs)

    def headers(self, operation: Operation, path: bytes, rng: Random) -> list[tuple[bytes, bytes]]:
        world, headers = self.world, [(b"Host", b"127.0.0.1:8000")]
        kind = rng.random() if self.odd(rng, 1) else 0.0
        key = (
            world.key if kind < 0.93 else rng.choice([*world.other_keys, "", "tranche_0_0", "x", "Bearer", "\x00", "é"])
        )
        if kind < 0.985:
            headers.append((b"Authorization", b"Bearer " + key.encode()))
        wanted = {one["name"] for one in operation.parameters("header")}
        tags = world.tags.get(resource(path), [])
        if "if-match" in wanted and rng.random() < (0.6 if tags else 0.1):
            odd = rng.choice(("*", '"x"', "", "W/x", "\x00", "é" * 300))
            tag = odd if self.odd(rng, 0.2) or not tags else tags[-1]
            headers.append((b"If-Match", tag.encode()))
        if "if-none-match" in wanted and self.odd(rng, 0.1):
            headers.append((b"If-None-Match", rng.choice([*tags, "*", '"x"', "\x01"]).encode()))
        if "idempotency-key" in wanted and rng.random() < 0.6:
            odd = rng.choice(("once", "", " ", "a" * 255, "a" * 256, "é", "a\tb", "a\x00", "\x7f"))
            name = odd if self.odd(rng, 0.1) else word(rng)
            headers.append((b"Idempotency-Key", name.encode()))
        if self.odd(rng, 0.02):
            headers.append(
                rng.choice(
                    [
                        (b"Content-Encoding", b"gzip"),
                        (b"X-A", b"\x00"),
                        (b"Accept", b"text/html"),
                        (b"Cookie", b"\xff=\x01"),
                        (b"Content-Length", b"x"),
                    ]
                )
            )
        return headers

    # The body.

    def body(self, operation: Operation, rng: Random, project: Any) -> tuple[bytes, bytes]:
        kind = rng.choice(list(operation.bodies))
        content = operation.bodies[kind]
        if kind == CSV:
            text = content.get("example") or self.world.table(rng)
            body = text.encode() if "/manifests" in operation.path else self.world.table(rng).encode()
        else:
            value = self.document(operation, content, rng, project)
            while self.odd(rng, 0.55):
                value = mutated(value, rng)
            lines = value if isinstance(value, list) else [value]
            body = b"\n".join(map(as_json, lines)) if kind == NDJSON else as_json(value)
        if self.odd(rng, 0.1):
            body = broken(body, rng)
        if self.odd(rng, 0.03):
            kind = rng.choice(
                (
                    "",
                    "text/plain",
                    "application/x-www-form-urlencoded",
                    "application/json; charset=utf-16",
                    "a/b\x01",
                    CSV,
                    NDJSON,
                    JSON,
                )
            )
        return kind.encode(), body

    def document(self, operation: Operation, content: Mapping[str, Any], rng: Random, project: Any) -> Any:
        """A body as a caller would send it."""
        known = self.world.sensible(operation.path, operation.method, rng, project)
        if known is not None and not self.odd(rng, 0.3):
            return known
        if "example" in content and rng.random() < 0.7:
            return content["example"]
        return self.value(content.get("schema", {}), rng)

    def value(self, schema: Mapping[str, Any], rng: Random, depth: int = 0) -> Any:
        """Something that the schema allows, or nearly."""
        schema = self.contract.schema(schema)
        examples: Sequence[Any] = schema.get("examples", ())
        if examples and rng.random() < 0.6:
            return json.loads(json.dumps(rng.choice(examples)))
        for word_ in ("anyOf", "oneOf"):
            if word_ in schema:
                return self.value(rng.choice(schema[word_]), rng, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return rng.choice(schema["enum"])
        make = {"object": self.thing, "array": self.things, "string": self.text, "null": lambda *_: None,
                "boolean": lambda *_: rng.random() < 0.5, "integer": self.number, "number": self.number}  # fmt: skip
        return make.get(schema.get("type", "object"), self.thing)(schema, rng, depth)

    def thing(self, schema: Mapping[str, Any], rng: Random, depth: int) -> Any:
        if depth > MOST_DEPTH:
            return {}
        required = schema.get("required", ())
        members = {
            name: self.value(one, rng, depth + 1)
            for name, one in schema.get("properties", {}).items()
            if name in required or rng.random() < 0.3
        }
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            members |= {name: self.value(more, rng, depth + 1) for name in rng.sample(self.world.words, 2)}
        return members

    def things(self, schema: Mapping[str, Any], rng: Random, depth: int) -> Any:
        if depth > MOST_DEPTH:
            return []
        return [self.value(schema.get("items", {}), rng, depth + 1) for _ in range(rng.choice((1, 1, 2, 3, 0)))]

    def text(self, schema: Mapping[str, Any], rng: Random, _: int) -> str:
        if schema.get("format") == "uuid":
            return rng.choice(self.world.ids or ["00000000-0000-0000-0000-000000000000"])
        if schema.get("format") == "date-time":
            return rng.choice(
                ("2026-11-20T10:00:00Z", "2026-11-20", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00")
            )
        if "pattern" in schema:
            return rng.choice(("1", "12.50", "0", "USD", "A-1"))
        return rng.choice((word(rng), rng.choice(self.world.words), rng.choice(TEXTS)))

    def number(self, schema: Mapping[str, Any], rng: Random, _: int) -> float:
        least, most = schema.get("minimum", 0), schema.get("maximum", 1000)
        return rng.choice((least, least + 1, min(most, least + 50), most if most < 1000 else least, least - 1))


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
