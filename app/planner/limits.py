"""Bounds of groups and limits over sets as the rows of a region (planner.md 4)."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from app.planner.arrays import FloatArray
from app.planner.market import Market
from app.planner.problem import Limit
from app.planner.region import Bound, Region


def region_of(
    market: Market,
    keys: Sequence[str],
    raw: FloatArray,
    least: FloatArray | None,
    most: FloatArray | None,
    limits: Sequence[Limit],
) -> Region:
    """The rows over the market's sources. raw [groups]: accepted counts that are there or on their way.

    least, most [groups]: bounds on the raw counts after buying, nan = none. The limits' members are positions in the
    market, or among the groups.
    """
    parts = [_groups(market, keys, raw, least, most)]
    for limit in limits:
        parts += [_limit(market, raw, limit, share) for share in _shares(limit)]
    return Region.joined(parts, len(market.sources))


def _groups(
    market: Market, keys: Sequence[str], raw: FloatArray, least: FloatArray | None, most: FloatArray | None
) -> Region:
    none = np.full(len(keys), np.nan)
    low = (none if least is None else least) - raw
    # What is there beyond a bound stays: no more of it may be bought.
    high = np.maximum((none if most is None else most) - raw, 0.0)
    low, high = np.where(low > 0.0, low, -np.inf), np.where(np.isnan(high), np.inf, high)
    rows = np.flatnonzero(np.isfinite(low) | np.isfinite(high))
    bounds = tuple(
        Bound(f"group:{keys[at]}:min_count", f"group:{keys[at]}:max_count", offset=float(raw[at]), group=at)
        for at in rows.tolist()
    )
    empty = csr_array((len(rows), len(market.sources)))
    return Region(csr_array(market.delivered[rows]), empty, low[rows], high[rows], bounds)


def _shares(limit: Limit) -> list[tuple[float | None, float | None, float | None]]:
    """(share, minimum, maximum) of each row a limit needs: one, or for shares one per side."""
    if not limit.is_share:
        return [(None, limit.minimum, limit.maximum)]
    found: list[tuple[float | None, float | None, float | None]] = []
    if limit.minimum is not None:
        found.append((limit.minimum, 0.0, None))
    if limit.maximum is not None:
        found.append((limit.maximum, None, 0.0))
    return found


def _limit(
    market: Market, raw: FloatArray, limit: Limit, row: tuple[float | None, float | None, float | None]
) -> Region:
    share, minimum, maximum = row
    size = len(market.sources) if limit.over == "sources" else market.groups
    members, whole = np.zeros(size), np.zeros(size)
    members[list(limit.members)] = 1.0
    whole[list(range(size) if limit.share_of is None else limit.share_of)] = 1.0
    weights = members - (share or 0.0) * whole
    by_group = limit.over == "groups"
    offset = float(weights @ raw) if by_group else 0.0
    unit = float(max(market.budget, 1)) if limit.measure == "cost" else 1.0
    low = -np.inf if minimum is None else (minimum - offset) / unit
    high = np.inf if maximum is None else (maximum - offset) / unit
    line = csr_array((weights @ market.delivered if by_group else weights).reshape(1, -1))
    empty = csr_array(line.shape)
    samples, costs = (empty, line) if limit.measure in ("cost", "cost_share") else (line, empty)
    name = f"set:{limit.name}"
    bound = Bound(
        name,
        name,
        unit,
        offset,
        share,
        whole=np.asarray(whole @ market.delivered if by_group else whole),
        whole_held=float(whole @ raw) if by_group else 0.0,
        of_money=limit.measure in ("cost", "cost_share"),
    )
    return Region(samples, costs, np.array([low]), np.array([high]), (bound,))
