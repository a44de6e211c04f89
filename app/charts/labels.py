"""Where labels go that would stand on each other."""

from collections.abc import Sequence

GAP = 13.0
"""Pixels between two lines of text."""


def spread(heights: Sequence[float], gap: float = GAP) -> list[float]:
    """By how much to move each label, in pixels, so that all stand `gap` apart in their order and, over all, as near
    to their places as squares can tell: isotonic regression by pooling neighbours.

    heights: where the labels belong, in pixels, from the top or from the bottom.
    """
    order = sorted(range(len(heights)), key=lambda at: heights[at])
    pools: list[tuple[float, int]] = []
    for place, at in enumerate(order):
        mean, size = heights[at] - place * gap, 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, size = (before * many + mean * size) / (many + size), many + size
        pools.append((mean, size))
    placed = [mean for mean, size in pools for _ in range(size)]
    moved = [0.0] * len(heights)
    for place, at in enumerate(order):
        moved[at] = placed[place] + place * gap - heights[at]
    return moved


def end_offsets(values: Sequence[float], low: float, high: float, height: float) -> list[float]:
    """Vega's `dy` of labels at `values` on an axis from `low` to `high` of `height` pixels: downwards is positive."""
    scale = height / (high - low) if high > low else 0.0
    return spread([(high - value) * scale for value in values])
