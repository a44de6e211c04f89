"""What is wrong with a table of text, and where."""

from dataclasses import dataclass

MOST_FAULTS = 1_000


@dataclass(frozen=True)
class SheetFault:
    """`detail` says what to change; `column` is None where the line as a whole is meant."""

    line: int
    column: str | None
    detail: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.detail}" if self.column else f"line {self.line}: {self.detail}"


class SheetError(Exception):
    """The table cannot be read at all; the message says why."""


class SheetFaults(Exception):
    """Lines that cannot be read, in their order."""

    def __init__(self, faults: list[SheetFault]) -> None:
        self.faults = faults[:MOST_FAULTS]
        super().__init__("\n".join(map(str, self.faults)))
