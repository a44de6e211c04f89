"""The page on personal data says what the settings do, of every table that is pruned."""

import re
from pathlib import Path

from app.settings import Settings
from app.store.models.metadata import metadata
from app.store.upkeep.retention import ANSWERS, RULES, SESSIONS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "privacy.md").read_text()
SETTINGS = {name: f"TRANCHE_{name.upper()}" for name in Settings.model_fields if name.endswith("_retention_days")}


def terms() -> list[tuple[set[str], str, str]]:
    """Tables, setting and days of each line."""
    lines = re.findall(r"^\| (`\w+`[^|]*) \| (`TRANCHE_\w+`)? ?\| ([\d.]*) ?\|", PAGE, re.MULTILINE)
    return [(set(re.findall(r"`(\w+)`", tables)), setting.strip("`"), days) for tables, setting, days in lines]


def test_every_setting_stands_there_with_its_default() -> None:
    told = {(setting, days) for _, setting, days in terms() if setting}
    assert told == {(variable, f"{getattr(Settings(), name):g}") for name, variable in SETTINGS.items()}


def test_every_table_that_is_pruned_stands_there_under_its_setting() -> None:
    told: dict[str, set[str]] = {}
    for tables, setting, _ in terms():
        told.setdefault(setting, set()).update(tables)
    for name, rules in RULES.items():
        kinds = {rule.kind.__tablename__ for rule in rules}
        assert kinds <= told[SETTINGS[name]], name
    assert {ANSWERS.kind.__tablename__, SESSIONS.kind.__tablename__} <= told[""]


def test_every_table_that_it_names_is_there() -> None:
    named = {name for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", PAGE) if not name.startswith("group_map")}
    assert named <= metadata.tables.keys()


def test_the_page_of_operations_says_the_same() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    told = dict(re.findall(r"^\| `(TRANCHE_\w+_RETENTION_DAYS)` \| `([\d.]+)` \|", page, re.MULTILINE))
    assert told == {variable: f"{getattr(Settings(), name):g}" for name, variable in SETTINGS.items()}
