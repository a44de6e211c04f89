"""The process that draws: what is asked on its standard input it answers on its standard output, until that ends."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import IO, Any

from app.charts import render

LENGTH = 4
"""Bytes before each question and each answer, which say how long it is."""
GOOD, BAD = b"+", b"-"

DRAWS: Mapping[str, Callable[[Any, int], bytes]] = {
    "svg": lambda spec, _: render.svg(spec).encode(),
    "png": render.png,
}


def answer(question: bytes) -> bytes:
    """The drawing, or why there is none."""
    asked = json.loads(question)
    try:
        return GOOD + DRAWS[asked["kind"]](asked["spec"], asked["scale"])
    except render.DrawingError as error:
        return BAD + str(error).encode()


def send(pipe: IO[bytes], content: bytes) -> None:
    pipe.write(len(content).to_bytes(LENGTH) + content)
    pipe.flush()


def receive(pipe: IO[bytes]) -> bytes | None:
    """None at the end of the pipe, wherever in a message it comes."""
    length = pipe.read(LENGTH)
    if len(length) < LENGTH:
        return None
    content = pipe.read(int.from_bytes(length))
    return content if len(content) == int.from_bytes(length) else None


def main() -> None:
    # What the drawing library prints is no answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while (question := receive(sys.stdin.buffer)) is not None:
        send(answers, answer(question))


if __name__ == "__main__":
    main()
