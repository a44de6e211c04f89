"""YAML as JSON would say it: mappings, lists, texts, numbers, true, false and null, each with its line and column.

Scalars are read by the JSON schema of YAML 1.2, so that `no` is a text, 010 no number and 6000.10 exact money. Tags are
refused. An alias may repeat what an anchor names; what it would unfold to is counted.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from app.errors import Malformed
from app.strict_json import Number

MAX_NODES = 1_000_000
MAX_DEPTH = 50
INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}

Position = tuple[int, int]


@dataclass(frozen=True)
class Document:
    """What was read, and by JSON pointer the line and column, from 1, of what stands there."""

    value: Any
    positions: Mapping[str, Position]

    def place(self, pointer: str) -> Position:
        """Of what `pointer` names or, where it is not there itself, of what it should stand in."""
        while pointer and pointer not in self.positions:
            pointer = pointer.rpartition("/")[0]
        return self.positions.get(pointer, (1, 1))


@dataclass(frozen=True)
class Node:
    """A value and how many nodes it is made of."""

    value: Any
    size: int


@dataclass
class Reader:
    """Builds one document of a stream's events."""

    events: Iterator[Any]
    positions: dict[str, Position] = field(default_factory=dict)
    anchors: dict[str, Node | None] = field(default_factory=dict)
    size: int = 0

    def node(self, event: Any, at: str, depth: int) -> Node:
        """The node that begins with `event`. Raises Malformed."""
        self.positions[at] = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.tag is not None:
            raise refused(event, f"has the tag {event.tag[:100]}; write plain values, without tags")
        if depth > MAX_DEPTH:
            raise refused(event, f"is nested more than {MAX_DEPTH} deep")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        before = self.size
        self.count(event, 1)
        value = self.value(event, at, depth)
        found = Node(value, self.size - before)
        if event.anchor is not None:
            self.anchors[event.anchor] = found
        return found

    def value(self, event: Any, at: str, depth: int) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items = self.until(yaml.SequenceEndEvent)
            return [self.node(item, f"{at}/{index}", depth + 1).value for index, item in enumerate(items)]
        return self.mapping(at, depth)

    def mapping(self, at: str, depth: int) -> dict[str, Any]:
        """Raises Malformed where a name is no text or stands twice."""
        members: dict[str, Any] = {}
        for key in self.until(yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent) or key.tag is not None:
                raise refused(key, "is no name of a field")
            if key.value in members:
                raise refused(key, f"names '{key.value[:100]}' a second time; keep one of them")
            self.count(key, 1)
            pointer = f"{at}/{key.value.replace('~', '~0').replace('/', '~1')}"
            members[key.value] = self.node(next(self.events), pointer, depth + 1).value
        return members

    def alias(self, event: Any) -> Node:
        """What the anchor of that name stands for. Raises Malformed where it is not there or stands in itself."""
        named = self.anchors.get(event.anchor)
        if named is None:
            raise refused(
                event, f"is the alias *{event.anchor[:100]}, and no anchor of that name is complete before it"
            )
        self.count(event, named.size)
        return named

    def count(self, event: Any, nodes: int) -> None:
        """Raises Malformed where the document unfolds to too much."""
        self.size += nodes
        if self.size > MAX_NODES:
            raise refused(event, f"makes the document unfold to more than {MAX_NODES:,} values")

    def until(self, end: type[Any]) -> Iterator[Any]:
        while not isinstance(event := next(self.events), end):
            yield event


def scalar(event: Any) -> Any:
    """Raises Malformed for a number that cannot be kept."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in WORDS:
        return WORDS[text]
    read: Callable[[str], Any] | None = int if INTEGER.fullmatch(text) else Number if NUMBER.fullmatch(text) else None
    try:
        return text if read is None else read(text)
    except ValueError as error:
        raise refused(event, "has too many digits" if "digits" in str(error) else str(error)) from None


def refused(event: Any, why: str) -> Malformed:
    return at_mark(event.start_mark, f"this {why}")


def at_mark(mark: Any, why: str) -> Malformed:
    place = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
    return Malformed(f"{place}{why}")


def read_yaml(body: bytes) -> Document:
    """The one document of a file. Raises Malformed saying where and why."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise Malformed(f"line {line}: this is not UTF-8") from None
    try:
        return one_document(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Malformed(f"line {line}: this is not YAML: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        raise at_mark(error.problem_mark, f"this is not YAML: {error.problem}") from None


def one_document(text: str) -> Document:
    """Raises Malformed, yaml.YAMLError."""
    # What is safe is not the loader alone: only its events are read, and no object is ever made by a tag.
    events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    reader = Reader(events)
    value = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            if reader.positions:
                raise refused(event, "begins a second document; a file holds one")
            value = reader.node(next(events), "", 1).value
    return Document(value, reader.positions)
