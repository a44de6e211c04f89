"""What the example project is made of. All of it is made up: no vendor, price or measurement stands for a real one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np

from app.services.curves.readings import Reading
from app.services.observations.drafts import Draft

NAME = "Example: skin lesion triage"
SEED = 20_260
TONES = {"I-II": (0.952, 0.90), "III-IV": (0.935, 1.05), "V-VI": (0.915, 1.30)}
"""Tone → what endless samples reach, and how far the first sample is from it."""
AGES = {"0-17": -0.010, "18-39": 0.004, "40-64": 0.0, "65+": -0.018}
"""Age → what it adds to what endless samples reach."""
EXPONENT = 0.36
HELD = {"I-II": (620, 1480, 1760, 1310), "III-IV": (390, 870, 960, 640), "V-VI": (110, 240, 260, 150)}
"""Tone → what is held at the start, by age."""
TARGETS = {"I-II": None, "III-IV": 0.87, "V-VI": 0.85}
EVALUATED = {"I-II": 420, "III-IV": 300, "V-VI": 210}
NOISE = 0.006
"""Standard deviation of what the seed of a training run does to a value."""


def key_of(tone: str, age: str) -> str:
    return f"tone{tone}_age{age.replace('+', 'plus')}"


KEYS = tuple(key_of(tone, age) for tone in TONES for age in AGES)
GROUPS: tuple[dict[str, Any], ...] = tuple(
    {
        "key": key_of(tone, age),
        "name": f"Skin tone {tone}, age {age}",
        "weight": 1.0,
        "target": TARGETS[tone],
        "initial_count": held,
        "min_count": None,
        "max_count": None,
        "reference_loss": None,
        "assumed_curve": None,
        "attributes": {"skin tone": tone, "age": age},
        "parent": None,
    }
    for tone in TONES
    for age, held in zip(AGES, HELD[tone], strict=True)
)
PROJECT: Mapping[str, Any] = {
    "external_id": None,
    "content_hash": None,
    "name": NAME,
    "currency": "EUR",
    "metric_name": "sensitivity",
    "metric_kind": "proportion",
    "metric_goal": "maximize",
    "metric_lower": 0.0,
    "metric_upper": 1.0,
    "objective": {"kind": "utilitarian"},
    "stakeholders": [],
    "set_limits": [{"name": "own clinics", "measure": "cost_share", "sources": ["clinics"], "max": 0.5}],
    "population": [],
    "licence_rule": None,
    "intake_rules": [],
    "value_per_utility": None,
    "smallest_gain": None,
    "approval_threshold": Decimal(20_000),
    "verdict_thresholds": None,
    "budget_total": Decimal(120_000),
    "budget_rounds": 6,
    "recipe": "default",
    "model": "separate",
}
QUALITY = 0.25
"""Clean samples that a synthetic one is worth."""
PANEL = dict(zip(KEYS, (0.12, 0.13, 0.13, 0.10, 0.08, 0.09, 0.08, 0.06, 0.06, 0.06, 0.05, 0.04), strict=True))
SOURCES: tuple[dict[str, Any], ...] = (
    {
        "key": "panel",
        "name": "Patient panel of all skin tones",
        "yields": PANEL,
        "unit_cost": Decimal("6.20"),
        "price_tiers": [{"from": 2000, "unit_cost": "5.40"}, {"from": 5000, "unit_cost": "4.85"}],
        "lot_size": 10,
        "min_order": 200,
        "acceptance_rate": 0.84,
        "quality": 1.0,
        "lead_time_days": 21,
    },
    {
        "key": "clinics",
        "name": "Dermatology clinics, dark skin",
        "yields": dict(zip(KEYS[8:], (0.2, 0.3, 0.3, 0.2), strict=True)),
        "unit_cost": Decimal("14.50"),
        "price_tiers": [{"from": 500, "unit_cost": "12.75"}],
        "fixed_cost": Decimal(900),
        "acceptance_rate": 0.95,
        "quality": 1.0,
        "lead_time_days": 35,
    },
    {
        "key": "teleconsult",
        "name": "Teleconsultations, medium skin",
        "yields": dict(zip(KEYS[4:8], (0.15, 0.35, 0.3, 0.2), strict=True)),
        "unit_cost": Decimal("8.90"),
        "acceptance_rate": 0.9,
        "quality": 1.0,
        "lead_time_days": 14,
    },
    {
        "key": "synthetic",
        "name": "Synthetic images",
        "yields": dict.fromkeys(KEYS[4:], 0.125),
        "unit_cost": Decimal("0.845"),
        "billed": "accepted",
        "acceptance_rate": 0.98,
        "quality": QUALITY,
        "max_total": 6000,
        "lead_time_days": 2,
    },
    {
        "key": "registry",
        "name": "Paediatric registry",
        "yields": dict(zip(KEYS[::4], (0.4, 0.35, 0.25), strict=True)),
        "unit_cost": Decimal(22),
        "fixed_cost": Decimal(450),
        "lot_size": 5,
        "max_order": 400,
        "acceptance_rate": 0.97,
        "quality": 1.0,
        "lead_time_days": 28,
    },
)
WORDS = {f"{tone} / {age}": key_of(tone, age) for tone in TONES for age in AGES}
"""The panel's words for the groups, and which they mean."""
NOT_MAPPED = ("V-VI / 0-17", "V-VI / 65+")


@dataclass(frozen=True)
class Came:
    """A delivery: `shares` of an order's quantity that were accepted and rejected, so many days ago. pending: delivered
    and not looked at."""

    days: int
    accepted: float
    rejected: float
    pending: float = 0.0


@dataclass(frozen=True)
class Episode:
    """A round. Days are counted back from today; closed: None while it is collecting."""

    orders: Mapping[str, int]
    proposed: int
    accepted: int
    came: Mapping[str, Sequence[Came]]
    closed: int | None


ROUNDS = (
    Episode(
        {"panel": 1200, "clinics": 300},
        80,
        79,
        {"panel": [Came(62, 0.40, 0.09), Came(55, 0.43, 0.08)], "clinics": [Came(50, 0.96, 0.04)]},
        49,
    ),
    Episode(
        {"teleconsult": 500, "synthetic": 1800, "registry": 150},
        42,
        41,
        {
            "teleconsult": [Came(30, 0.88, 0.11)],
            "synthetic": [Came(39, 0.97, 0.03)],
            "registry": [Came(18, 0.96, 0.02)],
        },
        17,
    ),
    Episode(
        {"panel": 1500, "clinics": 400},
        12,
        11,
        {"panel": [Came(6, 0.22, 0.04), Came(2, 0.17, 0.05)], "clinics": [Came(3, 0.21, 0.01, 0.06)]},
        None,
    ),
)
MADE = 90
"""Days ago."""
RUNS = {88: (0.1, 0.2, 0.35, 0.5, 0.7, 1.0), 47: (0.6, 0.8, 1.0), 15: (0.75, 1.0)}
"""Days ago → the shares of what was held then that training runs were given."""


def runs_of(days: int, held: Mapping[str, int], synthetic: Mapping[str, int]) -> list[Draft]:
    """The training runs of that day, by what was held and how much of it is synthetic; the same each time."""
    random = np.random.default_rng(SEED + days)
    return [
        _run(f"run-{days:03d}-{number}", share, held, synthetic, random) for number, share in enumerate(RUNS[days], 1)
    ]


def _run(
    name: str, share: float, held: Mapping[str, int], synthetic: Mapping[str, int], random: np.random.Generator
) -> Draft:
    counts = {key: max(1, round(share * held[key])) for key in KEYS}
    origin = {key: round(share * count) for key, count in synthetic.items() if count}
    metrics = {}
    for (tone, (reach, first)), (age, more) in product(TONES.items(), AGES.items()):
        key = key_of(tone, age)
        clean = counts[key] - (1.0 - QUALITY) * origin.get(key, 0)
        value = reach + more - first * clean**-EXPONENT + float(random.normal(0.0, NOISE))
        metrics[key] = Reading(round(value, 4), eval_size=EVALUATED[tone])
    return Draft(f"/{name}", name, counts, metrics, {"synthetic": origin} if origin else {})
