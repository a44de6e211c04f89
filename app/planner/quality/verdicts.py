"""Whether a source's samples are worth their price beside the other ways to its groups (method.md 6, "Quality").

An ordered sample of source s is worth what the clean samples that it brings cost from the cheapest other source,

    q_s Σ_g y_sg α_s min_{t ≠ s} price_t / (y_tg α_t q_t),

prices without fixed costs and in their first tier. Where that is the price lies the break-even. The verdict asks it of
the ends of what is known of the qualities: it is `buy` where even the lower end is worth the price, `leave` where even
the upper end is not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from app.planner.problem.sources import Source
from app.planner.quality.worth import Quality

Verdict = Literal["buy", "leave", "undecided"]


class Ends(NamedTuple):
    """A quantity at what is expected, and at its least and its most; millionths."""

    mean: float
    least: float
    most: float


@dataclass(frozen=True)
class Judged:
    """break_even: millionths per billed sample at which the source is worth its price, by the qualities' means, None
    where no other source serves one of its groups; least, most: by the ends of what is known."""

    verdict: Verdict
    break_even: Ends | None
    quality: Quality


def judged(sources: Sequence[Source], qualities: Mapping[str, Quality]) -> dict[str, Judged]:
    """Every source by its key; `qualities` has each. Sources that can deliver nothing further are no other way."""
    offers: dict[int, list[tuple[float, str, Ends]]] = {}
    for source in sources:
        if source.cap == 0:
            continue
        for group, share in source.yields:
            price = _per_clean(source, share, qualities[source.key])
            offers.setdefault(group, []).append((price.mean, source.key, price))
    # Two are enough: the cheapest, and for itself the next.
    cheapest = {group: sorted(found)[:2] for group, found in offers.items()}
    return {source.key: _judge(source, qualities[source.key], cheapest) for source in sources}


def _per_clean(source: Source, share: float, quality: Quality) -> Ends:
    """Price of a clean sample of a group of which the source delivers `share`."""
    price = source.unit_cost * source.billed_share / (share * source.acceptance_rate)
    mean, best, worst = (
        price / one if one > 0.0 else np.inf for one in (quality.mean, quality.p95, quality.p05)
    )  # fmt: skip
    return Ends(mean, best, worst)


def _judge(source: Source, quality: Quality, cheapest: Mapping[int, list[tuple[float, str, Ends]]]) -> Judged:
    rivals = [
        (share, next((price for _, key, price in cheapest.get(group, []) if key != source.key), None))
        for group, share in source.yields
    ]
    known = [(share, price) for share, price in rivals if price is not None and np.isfinite(price.mean)]
    if len(known) < len(rivals):
        alone: Verdict = "buy" if quality.p05 > 0.0 else "undecided" if quality.p95 > 0.0 else "leave"
        return Judged(alone, None, quality)
    brought = source.acceptance_rate / source.billed_share

    def even(worth: float, end: int) -> float:
        total = sum(share * price[end] for share, price in known)
        return float(worth * brought * total) if worth else 0.0

    low, high = quality.p05, quality.p95
    found = Ends(even(quality.mean, 0), even(low, 1 if low > 0.0 else 0), even(high, 2 if high > 0.0 else 0))
    if source.unit_cost <= found.least and low > 0.0:
        return Judged("buy", found, quality)
    verdict: Verdict = "leave" if source.unit_cost > found.most or high <= 0.0 else "undecided"
    return Judged(verdict, found, quality)
