"""Slice Tuner (Tae and Whang 2021) as a policy: power laws, loss plus λ times the gap, and a limit on imbalance.

Per group i a power law b_i n^(−a_i) is fitted to the point estimate of its curve; with n_i samples held, d_i bought,
prices C_i and A_i the mean loss of the other groups now, a constant,

    minimise   Σ_i b_i (n_i + d_i)^(−a_i) + λ Σ_i max(0, b_i (n_i + d_i)^(−a_i) / A_i − 1)
    subject to Σ_i C_i d_i = B,  d ≥ 0.

Groups count alike, whatever their weights. The program is separable: with the budget's multiplier μ each group goes
where its marginal gain per cost is μ, or stops at the kink where its loss is A_i. What one round buys may change the
imbalance max n / min n by no more than LIMIT; the rest of the money is kept for later rounds, after new measurements.
"""

from dataclasses import dataclass

import numpy as np

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.posterior import Posterior, point_estimate
from app.planner.policies.fill_orders import Shelves, sample_prices
from app.planner.policies.heuristics import highest
from app.planner.policies.policy import Policy
from app.planner.problem.market import Market

LAMBDA = 1.0
LIMIT = 1.0
"""T of their algorithm in its first iteration; a round here is one iteration."""
SIZES = 10
"""Their number of measured sizes per curve."""
EXPONENT_NODES = np.linspace(0.0, 5.0, 251)
GOLDEN = 0.5 * (5.0**0.5 - 1.0)
SEARCHES = 60
SEARCH_HALVINGS = 100
LEAST_EXPONENT = 1e-9
"""A curve this flat gains nothing."""


@dataclass(frozen=True)
class PowerLaws:
    """Losses b n^(−a) of the groups, arrays [groups]."""

    a: FloatArray
    b: FloatArray

    def loss(self, counts: FloatArray) -> FloatArray:
        """At counts [groups], at least 1 each."""
        return np.asarray(self.b * counts**-self.a)


def slice_tuner(posterior: Posterior, market: Market, held: FloatArray, space: FloatArray | None = None) -> IntArray:
    """Orders [S] of one round."""
    shelves = Shelves(market, space)
    price = sample_prices(market)
    served = np.isfinite(price)
    laws = power_laws(point_estimate(posterior), held)
    most = np.where(served, shelves.offered(), 0.0)
    counts = np.maximum(held, 1.0)
    bought = solve(laws, counts, price, most, float(market.budget), LAMBDA)
    wished = scaled_to_limit(counts, bought, LIMIT)
    return _nearest(market, shelves, wished)


def power_laws(point: Posterior, held: FloatArray) -> PowerLaws:
    """The weighted least-squares fit, weights n, to the curve at SIZES even sizes up to the counts held [groups]."""
    top = np.maximum(held, point.reference)
    sizes = np.maximum(top[:, None] * np.arange(1, SIZES + 1) / SIZES, 1.0)
    return fit_power_laws(sizes, np.maximum(point.loss(sizes)[:, :, 0], 0.0))


def fit_power_laws(sizes: FloatArray, losses: FloatArray) -> PowerLaws:
    """min Σ n (y − b n^(−a))² over a, b ≥ 0, per group, of losses at sizes, both [groups, points].

    b is linear and eliminated; a is searched on a grid and then by golden section round its best node.
    """

    def misfit(a: FloatArray) -> FloatArray:
        off = losses - _scale(sizes, losses, a)[:, None] * _falling(sizes, a)
        return np.asarray((off**2 * sizes).sum(axis=1))

    grid = np.stack([misfit(np.full(len(sizes), node)) for node in EXPONENT_NODES], axis=1)
    best = grid.argmin(axis=1)
    low, high = EXPONENT_NODES[np.maximum(best - 1, 0)], EXPONENT_NODES[np.minimum(best + 1, len(EXPONENT_NODES) - 1)]
    for _ in range(SEARCHES):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        nearer = misfit(left) <= misfit(right)
        low, high = np.where(nearer, low, left), np.where(nearer, right, high)
    a = 0.5 * (low + high)
    return PowerLaws(a, _scale(sizes, losses, a) * sizes.min(axis=1) ** a)


def _falling(sizes: FloatArray, a: FloatArray) -> FloatArray:
    """(n / n_min)^(−a): of the order of 1 whatever the sizes."""
    return np.asarray((sizes / sizes.min(axis=1, keepdims=True)) ** -a[:, None])


def _scale(sizes: FloatArray, losses: FloatArray, a: FloatArray) -> FloatArray:
    shape = _falling(sizes, a)
    return np.asarray((sizes * losses * shape).sum(axis=1) / (sizes * shape**2).sum(axis=1))


def solve(
    laws: PowerLaws, counts: FloatArray, price: FloatArray, most: FloatArray, budget: float, lambda_: float
) -> FloatArray:
    """d [groups] of the program above, at most `most`; price inf: not for sale. All but rounding of the budget is spent
    unless everything for sale is bought or no group can gain."""
    loss = laws.loss(counts)
    others = (loss.sum() - loss) / max(len(loss) - 1, 1)
    others = np.where(others > 0.0, others, np.inf)
    buyable = np.isfinite(price) & (laws.a > LEAST_EXPONENT) & (laws.b > 0.0) & (most > 0.0)
    if not buyable.any():
        return np.zeros_like(counts)
    a, b = np.where(buyable, laws.a, 1.0), np.where(buyable, laws.b, 1.0)
    cost = np.where(buyable, price, 1.0)
    kink = np.exp(np.minimum((np.log(b) - np.log(others)) / a, 690.0))

    def bought(log_mu: float) -> FloatArray:
        def reach(weight: FloatArray) -> FloatArray:
            return np.asarray(np.exp(np.minimum((np.log(a * b * weight / cost) - log_mu) / (a + 1.0), 690.0)))

        behind = reach(1.0 + lambda_ / others)
        goal = np.where(behind <= kink, behind, np.maximum(kink, reach(np.ones_like(a))))
        return np.where(buyable, np.clip(goal - counts, 0.0, most), 0.0)

    gains = np.log(a * b * (1.0 + lambda_ / others) / cost) - (a + 1.0) * np.log(counts)
    low, high = float(gains[buyable].min()) - 700.0, float(gains[buyable].max())
    spend = np.where(buyable, price, 0.0)
    if float(spend @ bought(low)) <= budget:
        return bought(low)
    for _ in range(SEARCH_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if float(spend @ bought(middle)) > budget else (low, middle)
    less, more = bought(high), bought(low)
    paid, over = float(spend @ less), float(spend @ more)
    return less + (more - less) * ((budget - paid) / (over - paid) if over > paid else 0.0)


def scaled_to_limit(counts: FloatArray, bought: FloatArray, limit: float) -> FloatArray:
    """The largest share of `bought` [groups] that changes max n / min n by at most `limit`, all of it where it can."""

    def change(share: float) -> float:
        after = counts + share * bought
        return float(after.max() / after.min() - counts.max() / counts.min())

    whole = change(1.0)
    if abs(whole) <= limit:
        return bought
    target, low, high = float(np.sign(whole)) * limit, 0.0, 1.0
    for _ in range(SEARCH_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if abs(change(middle)) < abs(target) else (low, middle)
    return low * bought


def _nearest(market: Market, shelves: Shelves, wished: FloatArray) -> IntArray:
    """Whole orders [S] for the counts wished [groups]: rounded down, then fractions of a half and more, largest first.

    Dearer tiers and fixed costs are not in the program: what they would cost too much is given up evenly.
    """
    orders = shelves.fill(wished * highest(market, 1.0, lambda share: shelves.fill(share * wished)))
    brought = market.effective.T @ np.ones(market.groups)
    step = np.where(orders > 0, market.lot, market.least)
    part = (wished - market.added(orders))[market.group] / (brought * step)
    ranked = np.argsort(-part, kind="stable")
    return shelves.top_up(orders, ranked[part[ranked] >= 0.5].tolist())


SLICE_TUNER = Policy(
    key="slice_tuner",
    label="Slice Tuner",
    rule="Slice Tuner's method",
    reason="The policy weighs loss and gap at fitted power laws, and limits how much the imbalance changes.",
    orders=lambda form, _: slice_tuner(form.utility.posterior, form.market, form.held, form.space),
    needs_curves=True,
    unspent="It is kept for later rounds: one round may change the imbalance by no more than 1.",
)
