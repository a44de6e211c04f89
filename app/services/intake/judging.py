"""A manifest held against the rules: what of it counts, and which rows break which rule.

The body is read twice, row by row: once for what the rules keep of it, once more for the cells of the few rows that are
shown. Beside the body it takes some bytes a row, however many columns there are.
"""

import hashlib
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import Fault, invalid
from app.planner.arrays import BoolArray, IntArray
from app.services.intake.reading import Cells, Kind, read_rows
from app.services.intake.rules import Broken, IntakeRule, Severity, broken, rules_of, told
from app.services.projects.keys import normal_key

MOST_ROWS = 1_000_000
MOST_NUMBERS = 20_000_000
"""Numbers of eight bytes that rules keep of a manifest, all in all."""
SHOWN_ROWS = 20
UNKNOWN = -1
HASH_BYTES = 8

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class ShownRow:
    """A row, counted from 1 below the header, and its item."""

    row: int
    item: str


@dataclass(frozen=True)
class RuleResult:
    """What became of a rule. says: without contents; example: the first row that breaks it, with them."""

    kind: str
    columns: tuple[str, ...]
    severity: Severity
    holds: bool
    violations: int
    share: float
    says: str
    example: str | None
    rows: tuple[ShownRow, ...]


@dataclass(frozen=True)
class Judged:
    """A manifest as the rules see it. groups: group key → (accepted, rejected); rejected for a rule of severity `row`.
    unmapped: rows of no known group, whatever else is wrong with them. held: whether a rule of severity `lot` holds
    all of it back. hashes: of the accepted rows' items, ascending. kept_rules: what it was held against."""

    rows: int
    groups: Mapping[str, tuple[int, int]]
    unmapped: int
    held: bool
    results: tuple[RuleResult, ...]
    hashes: Hashes
    digest: str
    kept_rules: Sequence[Mapping[str, Any]]

    @property
    def passed(self) -> int:
        """Rows of known groups that no rule rejects."""
        return sum(accepted for accepted, _ in self.groups.values())

    @property
    def rejected(self) -> int:
        return sum(rejected for _, rejected in self.groups.values())


def judge(
    kind: Kind,
    body: bytes,
    stored: Sequence[Mapping[str, Any]],
    groups: Collection[str],
    project: bytes,
    earlier: Iterable[Hashes],
) -> Judged:
    """`body` against the rules of a project as they are stored. groups: keys that are known. project: salts the hashes
    of items. earlier: those of earlier lots, each ascending.

    Raises Malformed, Invalid for a body that cannot be read, lacks a column, or has no row or too many.
    """
    rules = rules_of(stored)
    wanted = wanted_columns(rules)
    places = {name: at for at, name in enumerate(wanted)}
    views = [(rule, [places[name] for name in rule.columns]) for rule in rules]
    codes = {key: at for at, key in enumerate(groups)}
    group, hashes = array("i"), array("Q")
    salt = hashlib.blake2b(project, digest_size=16).digest()
    most = min(MOST_ROWS, MOST_NUMBERS // max(1, sum(rule.wide for rule in rules)))
    for cells in read_rows(kind, body, wanted):
        if len(group) == most:
            raise invalid(
                Fault("", f"more than {most:,} rows are too many for these rules; send the manifest in parts")
            )
        group.append(codes.get(normal_key(cells[1]), UNKNOWN))
        hashes.append(hash_of(cells[0], salt))
        for rule, at in views:
            rule.see(tuple([cells[place] for place in at]))
    if not group:
        raise invalid(Fault("", "the manifest has no rows"))
    sums = Sums(np.frombuffer(group, dtype=np.int32), np.frombuffer(hashes, dtype=np.uint64))
    return judged(kind, body, stored, list(codes), rules, wanted, sums, earlier)


@dataclass(frozen=True)
class Sums:
    """group [R]: number of each row's group, UNKNOWN for none; hashes [R] of the items."""

    group: NDArray[np.int32]
    hashes: Hashes


def wanted_columns(rules: Sequence[IntakeRule]) -> dict[str, str]:
    """Column → what needs it: the item and the group of every row, and what the project's rules look at."""
    wanted = {"item": "every manifest", "group": "every manifest"}
    for rule in rules:
        for name in rule.columns:
            wanted.setdefault(name, f"the intake rule '{rule.kind}' of {', '.join(rule.columns)}")
    return wanted


def hash_of(item: str, salt: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(item.encode(), digest_size=HASH_BYTES, key=salt).digest(), "little")


def judged(
    kind: Kind,
    body: bytes,
    stored: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
    rules: Sequence[IntakeRule],
    wanted: Mapping[str, str],
    sums: Sums,
    earlier: Iterable[Hashes],
) -> Judged:
    """The sum of what the first reading kept, and the shown rows of a second."""
    size = len(sums.group)
    known = came_before(sums.hashes, earlier)
    fine, mapped = ~known, sums.group != UNKNOWN
    found: dict[int, Broken] = {}
    # A mix is asked of the rows that count: of all that the other rules leave.
    for at, rule in sorted(enumerate(rules), key=lambda one: one[1].kind == "mix"):
        found[at] = rule.judge(fine & mapped)
        if rule.severity == "row":
            fine[found[at].rows] = False
    held = any(found[at].violations and rule.severity == "lot" for at, rule in enumerate(rules))
    texts = shown_texts(kind, body, wanted, [*found.values()], known)
    results = [result_of(rule, found[at], texts, wanted) for at, rule in enumerate(rules)]
    results.insert(2, repeated(known, texts, size))
    passed, rejected = (np.bincount(sums.group[mapped & part], minlength=len(keys)).tolist() for part in (fine, ~fine))
    counts = {key: (good, bad) for key, good, bad in zip(keys, passed, rejected, strict=True) if good or bad}
    return Judged(
        rows=size,
        groups=counts,
        unmapped=int((~mapped).sum()),
        held=held,
        results=tuple(results),
        hashes=np.unique(sums.hashes[fine & mapped]),
        digest=hashlib.sha256(body).hexdigest(),
        kept_rules=stored,
    )


def came_before(hashes: Hashes, earlier: Iterable[Hashes]) -> BoolArray:
    """Whether each item [R] was in an earlier lot."""
    found = np.zeros(len(hashes), dtype=np.bool_)
    for lot in earlier:
        if len(lot):
            found |= lot[np.minimum(np.searchsorted(lot, hashes), len(lot) - 1)] == hashes
    return found


def shown_texts(
    kind: Kind, body: bytes, wanted: Mapping[str, str], found: Sequence[Broken], known: BoolArray
) -> dict[int, Cells]:
    """The cells of the rows that are shown, and of those they are held against."""
    rows = {int(row) for one in found for row in (*one.rows[:SHOWN_ROWS], *one.beside[:1])}
    rows |= set(np.flatnonzero(known)[:SHOWN_ROWS].tolist())
    if not rows:
        return {}
    last, texts = max(rows), {}
    for at, cells in enumerate(read_rows(kind, body, wanted)):
        if at in rows:
            texts[at] = cells
        if at == last:
            break
    return texts


def result_of(rule: IntakeRule, one: Broken, texts: Mapping[int, Cells], wanted: Mapping[str, str]) -> RuleResult:
    places = [list(wanted).index(name) for name in rule.columns]

    def cells(row: int) -> Cells:
        return tuple(texts[row][at] for at in places)

    example = None
    if len(one.rows):
        row, beside = int(one.rows[0]), int(one.beside[0])
        lead = f"{', '.join(rule.columns[:-1])} → {rule.columns[-1]}: " if rule.kind == "determines" else ""
        example = lead + rule.example(row, cells(row), beside, cells(beside))
    return RuleResult(
        kind=rule.kind,
        columns=rule.columns,
        severity=rule.severity,
        holds=not one.violations,
        violations=one.violations,
        share=one.share,
        says=one.said,
        example=example,
        rows=shown(one.rows, texts),
    )


def repeated(known: BoolArray, texts: Mapping[int, Cells], size: int) -> RuleResult:
    """The rule that no item was in an earlier lot."""
    rows = np.flatnonzero(known)
    one = broken(rows, rows, size, "have an item of an earlier lot")
    example = f"{told(texts[int(rows[0])][0])} in row {int(rows[0]) + 1} came in an earlier lot" if len(rows) else None
    return RuleResult(
        "new", ("item",), "row", not len(rows), len(rows), one.share, one.said, example, shown(rows, texts)
    )


def shown(rows: IntArray, texts: Mapping[int, Cells]) -> tuple[ShownRow, ...]:
    return tuple(ShownRow(row + 1, texts[row][0]) for row in rows[:SHOWN_ROWS].tolist())
