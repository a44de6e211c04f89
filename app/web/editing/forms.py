"""Forms that change what is stored: what was typed becomes a body of the API, and its faults stand beside the fields.

A form carries a tag of what it showed. Where that is no longer what is stored, nothing is changed: the form comes back
with what was typed and, beside each field that differs, what stands there now.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter

from app.api.http.bulk import validated
from app.api.http.etags import etag_of
from app.errors import Fault, Invalid, PreconditionFailed, TrancheError, refuse
from app.web.editing.fields import Field
from app.web.site.visit import Answer, Visit

Body = TypeVar("Body")
Values = dict[str, str]
"""What stands in the fields, by their names."""
CHANGED = "Somebody changed this after you looked. Nothing of yours is stored: what differs is told beside its field."
SAID_AT_ONCE = 6
UNREAD: dict[str, Any] = {}
"""In the place of what cannot be read."""


@dataclass(frozen=True)
class Part:
    legend: str
    fields: Sequence[Field]
    note: str = ""


@dataclass(frozen=True)
class Form:
    parts: Sequence[Part]

    @property
    def fields(self) -> list[Field]:
        return [one for part in self.parts for one in part.fields]

    def shown(self, document: Mapping[str, Any]) -> Values:
        """What is to stand in the fields, of a document as the API has it."""
        found = {one.name: at(document, one.name) for one in self.fields}
        return {one.name: "" if found[one.name] is None else one.reader.show(found[one.name]) for one in self.fields}

    def typed(self, visit: Visit, shown: Values) -> Values:
        """What was sent; fields that the form did not have are as they are."""
        return {name: clean(visit.said(name)) if name in visit.form else value for name, value in shown.items()}

    def read(self, typed: Values, shown: Values | None = None) -> dict[str, Any]:
        """The body of what was typed: null what is empty, and beside what is `shown` only what differs from it. Raises
        Invalid."""
        document, faults = self.collected(typed, shown)
        refuse(faults)
        return document

    def collected(self, typed: Values, shown: Values | None = None) -> tuple[dict[str, Any], list[Fault]]:
        """As `read`, with what cannot be read in place of an error."""
        wanted = {step(one.name) for one in self.fields if shown is None or typed[one.name] != shown[one.name]}
        document: dict[str, Any] = {}
        faults = []
        for one in self.fields:
            if step(one.name) in wanted:
                try:
                    put(document, one.name, one.reader.read(typed[one.name]) if typed[one.name] else None)
                except ValueError as error:
                    put(document, one.name, UNREAD)
                    faults.append(Fault(one.pointer, str(error)))
        return document, faults

    def body(self, adapter: TypeAdapter[Body], typed: Values, shown: Values | None = None) -> Body:
        """As `read`, in its shape. Raises Invalid."""
        found: Body = all_told(adapter, *self.collected(typed, shown))
        return found

    def beside(self, faults: Sequence[Fault]) -> list[Fault]:
        """The faults with the pointers of their fields, where there is one; the rest as they are."""
        return [self.placed(fault) for fault in faults]

    def placed(self, fault: Fault) -> Fault:
        for one in self.fields:
            if fault.pointer.startswith(f"{one.pointer}/"):
                return Fault(one.pointer, f"{part_words(fault.pointer[len(one.pointer) + 1 :])}: {fault.detail}")
        first = next((one for one in self.fields if one.pointer.startswith(f"{fault.pointer}/")), None)
        return fault if first is None or not fault.pointer else Fault(first.pointer, fault.detail)

    def differences(self, before: Values, after: Values) -> str:
        """What changed, in words."""
        said = [
            f"{one.label}: {words_of(one, before[one.name])} → {words_of(one, after[one.name])}"
            for one in self.fields
            if before[one.name] != after[one.name]
        ]
        more = f"; {len(said) - SAID_AT_ONCE} more" if len(said) > SAID_AT_ONCE else ""
        return f"Saved. {'; '.join(said[:SAID_AT_ONCE])}{more}." if said else "Nothing was changed."


def all_told(adapter: TypeAdapter[Any], document: dict[str, Any], faults: Sequence[Fault]) -> Any:
    """The document in its shape. Raises Invalid with the `faults` of what was typed, in whose places UNREAD stands, and
    with those of the rest."""
    try:
        found = validated(adapter, document)
    except Invalid as error:
        known = tuple(one.pointer for one in faults)
        refuse([*faults, *(one for one in error.faults if not one.pointer.startswith(known))])
        raise
    refuse(faults)
    return found


def step(name: str) -> str:
    return name.partition(".")[0]


def at(document: Mapping[str, Any], name: str) -> Any:
    here: Any = document
    for one in name.split("."):
        here = here.get(one) if isinstance(here, Mapping) else None
    return here


def put(document: dict[str, Any], name: str, value: Any) -> None:
    *steps, last = name.split(".")
    for one in steps:
        document = document.setdefault(one, {})
    document[last] = value


def clean(text: str) -> str:
    """As it was shown: browsers send line ends of their own."""
    return text.replace("\r\n", "\n")


def words_of(one: Field, text: str) -> str:
    chosen = dict(one.options or ()).get(text, text)
    return (chosen if len(chosen) <= 60 else f"{chosen[:60]}…").replace("\n", ", ") or "nothing"


def part_words(rest: str) -> str:
    """2/unit_cost → line 3, unit_cost."""
    first, _, more = rest.partition("/")
    head = f"line {int(first) + 1}" if first.isdecimal() else first.replace("~1", "/").replace("~0", "~")
    return f"{head}, {more}" if more else head


def tag_of(shown: Values) -> str:
    return etag_of(repr(sorted(shown.items())).encode())


def refuse_changed(visit: Visit, form: Form, typed: Values, shown: Values) -> None:
    """Raises PreconditionFailed where the form's tag is not of what is `shown` now."""
    if visit.said("seen") not in ("", tag_of(shown)):
        now = [
            Fault(one.pointer, f"is now {words_of(one, shown[one.name])}")
            for one in form.fields
            if typed[one.name] != shown[one.name]
        ]
        raise PreconditionFailed(CHANGED, tuple(now))


@dataclass(frozen=True)
class Editor:
    """A form at its `path`, with the page's heading. more: what else its template shows."""

    visit: Visit
    form: Form
    path: str
    heading: str
    template: str = "edit.html"
    more: Mapping[str, Any] | None = None

    def show(self, values: Values, shown: Values, error: TrancheError | None = None) -> Answer:
        faults = self.form.beside(error.faults) if error else []
        known = {one.pointer for one in self.form.fields}
        return self.visit.render(
            self.template,
            error=error,
            form=self.form,
            values=values,
            seen=tag_of(shown),
            faults_beside=faults,
            faults_above=[one for one in faults if one.pointer not in known],
            action=self.path,
            heading=self.heading,
            **(self.more or {}),
        )

    def change(self, shown: Values, step: Callable[[Values], tuple[str, str]]) -> Answer:
        """Make the change and go where `step` says, with the words that it says, or show the form again with what was
        typed."""
        typed = self.form.typed(self.visit, shown)
        try:
            refuse_changed(self.visit, self.form, typed, shown)
            with self.visit.trying():
                there, words = step(typed)
        except TrancheError as error:
            if error.passes:
                raise
            return self.show(typed, shown, error)
        return self.visit.redirect(there, words)
