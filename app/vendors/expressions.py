"""JMESPath with a budget: the library's own interpreter, each step counted before it is taken.

A step is a node that is visited, an element that a function looks at or a list takes over, or WRITTEN characters that
are written. What the expressions may take grows with the length of a body and the number of its events alone, so that
none, however it is nested, costs more than about that, in time or in memory.
"""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, JMESPathTypeError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult
from jmespath.visitor import Options, TreeInterpreter

from app.vendors.values import Unusable

MAX_NESTING = 32
LEAST_STEPS, STEPS_PER_BYTE, STEPS_PER_EVENT = 20_000, 1, 30
COMPARED, WRITTEN = 64, 8
"""Characters that are compared, and that are written, in the time and memory of one step."""
SCOPES = ("subexpression", "index_expression", "pipe", "projection", "filter_projection", "value_projection", "flatten")
"""Nodes whose first child alone sees what they see; the others see what came of it."""

Node = Any
"""Of the parsed tree: a dict with `type`, `value` and `children`."""


def compiled(expression: str) -> ParsedResult:
    """Raises ValueError where `expression` is none, or too deep."""
    if sum(expression.count(bracket) for bracket in "[{(") > MAX_NESTING:
        raise ValueError(f"more than {MAX_NESTING} opening brackets")
    try:
        return jmespath.compile(expression)
    except RecursionError:
        raise ValueError("no JMESPath expression: it is nested too deeply") from None
    except JMESPathError as problem:
        raise ValueError(f"no JMESPath expression: {str(problem).splitlines()[0][:200]}") from None


def check(expression: ParsedResult) -> None:
    """Raises ValueError for what no body can mend: an unknown function, a wrong number of arguments, and work that
    passes the least budget where there is nothing to work on."""
    nodes = [expression.parsed]
    while nodes:
        node = nodes.pop()
        nodes += children(node)
        if node["type"] == "function_expression":
            check_call(node["value"], len(node["children"]))
    try:
        Evaluation(b"").of_event(expression, {"event": None, "body": None})
    except TooDear:
        raise ValueError(f"it takes more than {LEAST_STEPS:,} steps on an empty body; make it simpler") from None
    except Unusable:
        return


def check_call(name: str, given: int) -> None:
    """Raises ValueError."""
    known = Functions.FUNCTION_TABLE.get(name)
    if known is None:
        raise ValueError(f"JMESPath has no function {name[:50]}()")
    needed, variadic = len(known["signature"]), any(one.get("variadic") for one in known["signature"])
    if given < needed or (given > needed and not variadic):
        more = "or more " if variadic else ""
        raise ValueError(f"the function {name}() takes {needed} {more}arguments, not {given}")


class TooDear(Unusable):
    """An evaluation that would pass its budget."""


class Budget:
    def __init__(self, steps: int) -> None:
        self.steps = self.left = steps

    def spend(self, steps: int) -> None:
        """Raises TooDear, and does so again at every later call."""
        self.left -= steps
        if self.left < 0:
            raise TooDear(f"the expressions take more than {self.steps:,} steps, the most for a body of this size")

    def spend_on(self, value: Any, characters: int) -> int:
        """The steps of walking through `value` and all that is in it, each text as long as it is. Raises TooDear."""
        before, waiting = self.left, [value]
        while waiting:
            one = waiting.pop()
            self.spend(1 + length(one, characters))
            if isinstance(one, dict):
                waiting += chain(one, one.values())
            elif isinstance(one, list):
                waiting += one
        return before - self.left


def length(value: Any, characters: int) -> int:
    """Steps to look at each element of `value`, or at so many of its characters at a time."""
    if isinstance(value, str):
        return len(value) // characters
    return len(value) if isinstance(value, list | dict) else 0


class Evaluation:
    """The expressions of one delivery, which share a budget. What sees only the `body` is evaluated once."""

    def __init__(self, body: bytes) -> None:
        self.interpreter = Interpreter(Budget(LEAST_STEPS + STEPS_PER_BYTE * len(body)))

    def of_body(self, expression: ParsedResult, document: Any) -> Any:
        """Raises Unusable, TooDear among it."""
        return self.search(expression, document)

    def found(self, events: int) -> None:
        """So many events are to be read."""
        budget = self.interpreter.budget
        budget.steps += STEPS_PER_EVENT * events
        budget.left += STEPS_PER_EVENT * events

    def of_event(self, expression: ParsedResult, document: Mapping[str, Any]) -> Any:
        """document: `{"event": …, "body": …}`, of one body. Raises Unusable, TooDear among it."""
        self.interpreter.document = document
        return self.search(expression, document)

    def search(self, expression: ParsedResult, document: Any) -> Any:
        """Raises Unusable."""
        try:
            return self.interpreter.visit(expression.parsed, document)
        except TooDear:
            raise
        except (
            JMESPathError,
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ) as p:
            raise Unusable(reason(p)) from None


def reason(problem: Exception) -> str:
    """What went wrong, without the value that it went wrong with: that can be large, or no text at all."""
    if isinstance(problem, JMESPathTypeError):
        wanted = " or ".join(problem.expected_types)
        return f"{problem.function_name}() takes {wanted}, not {problem.actual_type}"
    if isinstance(problem, RecursionError):
        return "the expression is nested too deeply"
    said = str(problem).splitlines()
    return ascii(said[0][:200])[1:-1] if said else type(problem).__name__


class Interpreter(TreeInterpreter):
    def __init__(self, budget: Budget) -> None:
        super().__init__(Options(custom_functions=CountedFunctions(budget)))
        self.budget = budget
        self.plain = TreeInterpreter()
        self.document: Mapping[str, Any] | None = None
        self.of_bodies: dict[int, Any] = {}
        self.sees_event: dict[int, bool] = {}

    def visit(self, node: Node, value: Any) -> Any:
        self.budget.spend(1)
        if value is not self.document or value is None or self.needs_event(node):
            return super().visit(node, value)
        if id(node) not in self.of_bodies:
            self.of_bodies[id(node)] = super().visit(node, value)
        return self.of_bodies[id(node)]

    def needs_event(self, node: Node) -> bool:
        """Whether the node, of an expression that sees the event and its body, looks at more than the body."""
        known = self.sees_event.get(id(node))
        if known is None:
            known = self.sees_event[id(node)] = looks_at_event(node, self.needs_event)
        return known

    def visit_comparator(self, node: Node, value: Any) -> Any:
        left, right = (self.visit(child, value) for child in node["children"])
        self.spend_on_comparing(left, right)
        return self.plain.visit(of_constants(node, left, right), None)

    def spend_on_comparing(self, left: Any, right: Any) -> None:
        if isinstance(left, str) and isinstance(right, str):
            self.budget.spend(min(len(left), len(right)) // COMPARED)
        elif isinstance(left, list | dict) and type(left) is type(right) and len(left) == len(right):
            self.budget.spend_on(left, COMPARED)

    def visit_flatten(self, node: Node, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if isinstance(base, list):
            for element in base:
                self.budget.spend(1 + (len(element) if isinstance(element, list) else 0))
        return self.plain.visit(of_constants(node, base), None)

    def visit_slice(self, node: Node, value: Any) -> Any:
        self.budget.spend(length(value, COMPARED))
        return super().visit_slice(node, value)


def of_constants(node: Node, *values: Any) -> Node:
    """The node with what came of its children in their place."""
    return {**node, "children": [{"type": "literal", "value": value, "children": []} for value in values]}


def children(node: Node) -> list[Node]:
    return [child for child in node["children"] if isinstance(child, dict)]


def looks_at_event(node: Node, inner: Callable[[Node], bool]) -> bool:
    match node["type"]:
        case "field":
            return bool(node["value"] == "event")
        case "literal" | "expref":
            return False
        case "current" | "identity" | "index" | "slice":
            return True
        case kind if kind in SCOPES:
            return inner(node["children"][0])
    return any(inner(child) for child in children(node))


class CountedFunctions(Functions):
    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    def call_function(self, function_name: str, resolved_args: Any) -> Any:
        for argument in resolved_args:
            self.budget.spend(length(argument, COMPARED))
        self.spend_on_result(function_name, resolved_args)
        return super().call_function(function_name, resolved_args)

    def spend_on_result(self, name: str, arguments: list[Any]) -> None:
        """What the function costs beyond one look at each element of its arguments."""
        match name, arguments:
            case "to_string", [list() | dict() as value]:
                self.budget.spend_on(value, WRITTEN)
            case "join", [str() as separator, list() as parts]:
                written = sum(len(part) for part in parts if isinstance(part, str)) + len(separator) * len(parts)
                self.budget.spend(written // WRITTEN)
            case "reverse", [str() as text]:
                self.budget.spend(len(text) // WRITTEN)
            case "contains", [list() as subject, searched]:
                self.budget.spend(len(subject) * self.budget.spend_on(searched, COMPARED))
            case "sort" | "sort_by" | "max" | "min" | "max_by" | "min_by", [list() as some, *_]:
                looked_at = len(some) + sum(len(one) // COMPARED for one in some if isinstance(one, str))
                self.budget.spend(looked_at * len(some).bit_length())
