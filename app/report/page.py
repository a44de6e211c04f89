"""The report as one page that needs nothing else: its style and its charts are in it, it has no script, and its own
policy lets it load nothing, wherever it is opened."""

import json
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from app.charts.words import number as three_digits
from app.report import words
from app.report.charts import COLUMNS, CURVES, drawn, spec_of
from app.report.content import content_of
from app.report.names import marked
from app.services.computing import Work, computed
from app.services.exports.charts import Asked
from app.services.exports.dossier import Dossier

CELLS = 100_000
"""A drawing is let in as what takes as long to compute."""


@dataclass(frozen=True)
class Report:
    """`policy`: the Content-Security-Policy that the page was written for, and carries itself."""

    html: str
    policy: str


def report_of(dossier: Dossier, software_version: str) -> Report:
    """Raises as the dossier's allocation."""
    content = content_of(dossier)
    address = f"/v1/projects/{dossier.project.id}/report?{urlencode(content['query'])}"
    curves_shown = min(CURVES, len(dossier.groups))
    html = templates().get_template("report.html").render(
        **content,
        charts=charts_of(dossier, content),
        curves_shown=curves_shown,
        columns=COLUMNS,
        version=software_version,
        address=address,
        style=style(),
        content_policy=policy(),
    )  # fmt: skip
    return Report(html, policy())


def short(value: float | None) -> str:
    """Three significant digits; nothing → an en dash."""
    return "–" if value is None else three_digits(value)


def charts_of(dossier: Dossier, content: dict[str, Any]) -> dict[str, str]:
    """Those that have something to show, as markup; all that they need is read before the first is drawn."""
    known, rounds = content["known"], bool(content["money"].spent or content["money"].committed)
    wanted = {
        "standing": known,
        "margins": known,
        "curves": known,
        "utility": known,
        "targets": known and content["has_targets"] and not content["targets_same"],
        "scenarios": known,
        "spending": rounds,
        "progress": rounds,
    }
    asked = Asked(dossier, f"data version {dossier.project.data_version}")
    specs = {name: spec_of(name, asked) for name, there in wanted.items() if there}
    key = ("report", json.dumps(specs, sort_keys=True, default=str))
    return computed(dossier.session, key, Work(CELLS * len(specs), lambda: drawn(specs)))


@cache
def style() -> str:
    return (files("app.report") / "style.css").read_text("utf-8")


@cache
def policy() -> str:
    """Nothing but the page's own style, named by its hash."""
    mark = b64encode(sha256(style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{mark}'; img-src data:; form-action 'none'; base-uri 'none'"


def environment(package: str) -> Environment:
    """The templates of a package, to which nothing gets unescaped or unsaid."""
    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"money": words.money, "figure": words.figure, "price": words.price, "marked": marked}
    made.filters |= {"number": words.number, "instant": words.instant, "short": short}
    return made


@cache
def templates() -> Environment:
    return environment("app.report")
