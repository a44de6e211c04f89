"""The provenance card as Markdown, to be kept beside a data set."""

import re
from collections.abc import Mapping

from app.report.words import instant, number
from app.services.ledger.provenance import Card, Lot
from app.store.models.projects import Project, Source

SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&:])")
STATES = ("accepted", "rejected", "pending")


def card_markdown(card: Card, project: Project, made: str) -> str:
    """made: when and by what, one line."""
    kept = {lot.source.key: lot.source for lot in card.lots if lot.source is not None}
    parts = [
        f"# Provenance of {plain(project.name)}",
        f"{plain(made)}. Data version {project.data_version}.",
        "## What is held",
        table(
            ("Group", "At the start", "Collected", "In all"),
            [
                (plain(one.group), number(one.initial), number(one.collected), number(one.initial + one.collected))
                for one in card.totals
            ],
        ),
        verdict(card),
        "## Sources",
        *(source_part(source) for _, source in sorted(kept.items())),
        *([] if kept else ["Nothing was bought yet."]),
        "## Lots",
        table(
            ("Round", "Kind", "Source", "Licence", "Recorded", "Samples", "Note"),
            [lot_row(lot) for lot in card.lots],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def verdict(card: Card) -> str:
    """Whether the lots add up to the ledger."""
    if card.adds_up:
        return "The lots below add up to what the ledger says was collected, group by group."
    wrong = ", ".join(
        f"{plain(one.group)} ({number(one.collected)}, ledger {number(one.ledger)})"
        for one in card.totals
        if one.collected != one.ledger
    )
    return f"**The lots below do not add up to the ledger:** {wrong}."


def source_part(source: Source) -> str:
    """What a source says of itself; what it does not say is left out."""
    terms = Lot("delivery", {}, source=source, license=source.license).terms
    said: Mapping[str, str | None] = {
        "Licence": source.license or "not stated",
        "Text": source.license_url or terms.source,
        "Commercial use": terms.commercial,
        "Derivatives": terms.derivatives,
        "Redistribution": terms.redistribution,
        "Attribution": duty(terms.attribution),
        "Share alike": duty(terms.share_alike),
        "Method": source.method,
        "Collected from": source.collected_from,
        "Collected to": source.collected_to,
        "Derived from": ", ".join(source.derived_from) or None,
        "Consent": source.consent,
        "Provenance": source.provenance,
    }
    lines = [f"- {name}: {plain(value)}" for name, value in said.items() if value is not None]
    return "\n".join([f"### {plain(source.name or source.key)}", "", *lines])


def duty(asked: bool | None) -> str:
    return "unspecified" if asked is None else "required" if asked else "not required"


def lot_row(lot: Lot) -> tuple[str, ...]:
    counts = [
        f"{plain(key)}: " + ", ".join(f"{number(by_state[state])} {state}" for state in STATES if by_state.get(state))
        for key, by_state in lot.groups.items()
    ]
    counts += [f"{number(lot.unmapped)} unmapped"] if lot.unmapped else []
    return (
        "–" if lot.round is None else str(lot.round),
        lot.kind,
        "–" if lot.source is None else plain(lot.source.key),
        "–" if lot.source is None else plain(lot.license or "not stated"),
        instant(lot.created_at),
        "; ".join(counts) or "–",
        plain(lot.note or ""),
    )


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


def plain(text: str) -> str:
    """The text on one line, none of its signs read as Markdown."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))
