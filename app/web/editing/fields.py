"""One field of an editor: what is shown in it of what is stored, and what is read from it for a body of the API."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.money import grouped
from app.web.site.typed import THOUSANDTHS, typed_count, typed_money, typed_real


@dataclass(frozen=True)
class Reader:
    """read: what is typed, never empty, as JSON has it; it raises ValueError. show: a value that is not None, as one
    would type it. Whatever is shown reads back as what it was."""

    read: Callable[[str], Any] = str
    show: Callable[[Any], str] = str
    type: str = "text"
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Field:
    """`name`: where it stands in the API's body, steps parted by points. options: what can be chosen, as value and
    words."""

    name: str
    label: str
    reader: Reader = Reader()
    hint: str = ""
    options: Sequence[tuple[str, str]] | None = None
    required: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pointer(self) -> str:
        return "/" + self.name.replace(".", "/")

    @property
    def written(self) -> dict[str, Any]:
        """The attributes of its input."""
        return {**self.reader.attributes, **self.attributes}


def read_lines(text: str, read: Callable[[str, str], Any]) -> list[Any]:
    """Each line 'name: value', read; a name may hold colons. Raises ValueError naming the line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        name, mark, value = line.rpartition(":")
        if not line.strip():
            continue
        if not mark or not name.strip() or not value.strip():
            raise ValueError(f"line {number}: write a name, a colon and a value")
        try:
            found.append(read(name.strip(), value.strip()))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return found


def pairs_of(text: str, read: Callable[[str], Any]) -> dict[str, Any]:
    """Raises ValueError, also for a name that stands twice."""
    found = read_lines(text, lambda name, value: (name, read(value)))
    names = [name for name, _ in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"'{twice[:100]}' stands twice")
    return dict(found)


def lined(pairs: Mapping[str, Any], show: Callable[[Any], str] = str) -> str:
    return "\n".join(f"{name}: {show(value)}" for name, value in pairs.items())


def money_text(value: Any) -> str:
    """With thousands apart; three decimals get a fourth, as they could be thousands themselves."""
    text = grouped(Decimal(value))
    return f"{text}0" if len(text.partition(".")[2]) == THOUSANDTHS else text


def real_text(value: float) -> str:
    """Exact, without an exponent, and with no decimals that say nothing."""
    text = f"{Decimal(repr(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent_text(value: float) -> str:
    """0.07 → 7 %."""
    text = f"{Decimal(repr(value)) * 100:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def read_quality(text: str) -> Any:
    """A share, or two with 'to' between them. Raises ValueError."""
    low, mark, high = text.partition(" to ")
    return {"p05": typed_real(low), "p95": typed_real(high)} if mark else typed_real(text)


def show_quality(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{percent_text(value['p05'])} to {percent_text(value['p95'])}"
    return percent_text(value)


TEXT = Reader()
LONG = Reader(type="textarea", attributes={"class": "prose"})
COUNT = Reader(typed_count, lambda value: f"{value:,}", attributes={"inputmode": "numeric"})
REAL = Reader(typed_real, real_text, attributes={"inputmode": "decimal"})
SHARE = Reader(typed_real, percent_text, attributes={"inputmode": "decimal"})
QUALITY = Reader(read_quality, show_quality)
YES_NO = Reader(lambda text: {"true": True, "false": False}.get(text, text), lambda value: str(value).lower())
LINES = Reader(
    lambda text: [line.strip() for line in text.splitlines() if line.strip()],
    "\n".join,
    "textarea",
    {"spellcheck": "false"},
)
ATTRIBUTES = Reader(lambda text: pairs_of(text, str), lined, "textarea", {"spellcheck": "false"})
SHARES = Reader(
    lambda text: pairs_of(text, typed_real), lambda value: lined(value, percent_text), "textarea", LINES.attributes
)
WEIGHTS = Reader(
    lambda text: pairs_of(text, typed_real), lambda value: lined(value, real_text), "textarea", LINES.attributes
)


def money(currency: str) -> Reader:
    def read(text: str) -> str:
        return f"{typed_money(text, currency):f}"

    return Reader(read, money_text, attributes={"inputmode": "decimal"})


def point_money(currency: str) -> Reader:
    """Of a hundredth of what the field holds."""
    whole = money(currency)

    def read(text: str) -> str:
        return f"{Decimal(whole.read(text)) * 100:f}"

    return Reader(read, lambda value: money_text(Decimal(value) / 100), attributes=whole.attributes)


def tiers(currency: str) -> Reader:
    """Lines of 'from: price'."""

    def read(start: str, price: str) -> dict[str, Any]:
        return {"from": typed_count(start), "unit_cost": f"{typed_money(price, currency):f}"}

    def show(value: Sequence[Mapping[str, Any]]) -> str:
        return "\n".join(f"{one['from']:,}: {money_text(one['unit_cost'])}" for one in value)

    return Reader(lambda text: read_lines(text, read), show, "textarea", {"spellcheck": "false"})
