"""What a set of counts is worth (method.md 5).

Notation, arrays [groups] unless said otherwise: n counts, w weights summing to 1, ℓ = max(f(n), 0) / unit the loss on
the common scale [groups, draws] (unit: the metric's span, or the reference loss where a bound is open), m the benefit,
1 − ℓ or, with an open bound, −ℓ. E is the mean over draws, or over the worst `risk` of them. V(n) is a group's value:

    V = E φ(m),    and for gap V = E m − λ max(0, m̄ − E m);    V'(n) is its slope, U = F(V) (`aggregate`).

Of compromise, with the stakeholders' utilities U_k, the counts held n⁰ and their own best n*_k,

    U = min_k s_k,    s_k = (U_k(n) − U_k(n⁰)) / (U_k(n*_k) − U_k(n⁰)),

a concave function, has at its optimum coefficients c ≥ 0 with which V_g = Σ_k c_kg V_kg + r_g makes Σ V_g as high
there, and nowhere lower than U: the same optimum as a plain sum, which is what is solved (`relaxation.compromise`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.curves.posterior import Posterior
from app.planner.quantiles import quantiles
from app.planner.utility.aggregate import Aggregate, Least, Outer, WeightedSum
from app.planner.utility.benefit import LEAST_BENEFIT, mean
from app.planner.utility.kinds import KINDS, UtilityKind, phi
from app.planner.utility.metric import Metric
from app.planner.utility.objective import Objective
from app.planner.utility.stakeholders import Stakeholder

__all__ = ["LEAST_BENEFIT", "Outer", "Utility", "ValueAndSlope"]

TAIL = 0.03
"""A group's draws beyond these quantiles count as they: the tails of its band are longer than those of real curves'
errors (on training worlds the sd is a fifth too large where 90 % intervals hold 90 %), and a sum shows it."""
MOST_KNOWN = 32
"""Terms at so many counts are kept at hand."""
BLOCK = 30_000
"""Curve values computed at a time."""


@dataclass(frozen=True)
class ValueAndSlope:
    """V and V' at some counts, equal shapes."""

    value: FloatArray
    slope: FloatArray


@dataclass(frozen=True)
class Utility:
    """U over the posterior's draws. weights sum to 1; unit > 0; bounded: both of the metric's bounds are given.

    goal [groups]: ℓ at the target, inf = none. reference: m̄ of `gap`. vectors [vectors, groups], each summing to 1,
    and base V* [vectors]: of `robust`. parts [k]: the stakeholders' utilities, whose own curves are not used; of
    `compromise` their coefficients c are the vectors, rest is r [groups], base U_k(n⁰) and span [k] what each can gain.
    `Utility.of` derives them all from a problem's own numbers.
    """

    objective: Objective
    weights: FloatArray
    unit: FloatArray
    bounded: bool
    posterior: Posterior
    goal: FloatArray = field(default_factory=lambda: np.full(1, np.inf))
    reference: float = 0.0
    vectors: FloatArray = field(default_factory=lambda: np.zeros((0, 1)))
    base: FloatArray = field(default_factory=lambda: np.zeros(0))
    parts: tuple["Utility", ...] = ()
    span: FloatArray = field(default_factory=lambda: np.zeros(0))
    rest: FloatArray = field(default_factory=lambda: np.zeros(1))

    @classmethod
    def of(
        cls,
        objective: Objective,
        weights: FloatArray,
        metric: Metric,
        reference_loss: FloatArray | None,
        targets: FloatArray,
        held: FloatArray,
        posterior: Posterior,
        order: IntArray,
        stakeholders: Sequence[Stakeholder] = (),
    ) -> "Utility":
        """U of a problem whose groups are taken in `order`; the arrays [groups] are in the problem's own.

        weights: not all 0. reference_loss: of every group where a bound is open. targets: metric values, nan = none.
        held: the counts at which `gap` takes m̄. Regret's V* is 0 until it is known, and the stakeholders count for
        equally much, whatever they can gain.
        """
        scaled = weights[order] / weights.max()
        unit = np.full(len(order), metric.span or 1.0)
        if metric.span is None and reference_loss is not None:
            unit = reference_loss[order]
        vectors = np.array(objective.weight_vectors, dtype=np.float64).reshape(-1, len(order))[:, order]
        vectors = vectors / vectors.max(axis=1, keepdims=True, initial=0.0)
        goal = metric.to_loss(targets[order]) / unit
        utility = cls(
            objective=objective,
            weights=scaled / scaled.sum(),
            unit=unit,
            bounded=metric.span is not None,
            posterior=replace(posterior.select(order), remembers=True),
            goal=np.where(np.isnan(goal), np.inf, goal),
            vectors=vectors / vectors.sum(axis=1, keepdims=True),
            base=np.zeros(len(vectors)),
        )
        if utility.kind.lags:
            utility = replace(utility, reference=utility.mean_benefit(held[order]))
        if not stakeholders:
            return utility
        parts = tuple(
            cls.of(one.objective, one.weighing(weights), metric, reference_loss, targets, held, posterior, order)
            for one in stakeholders
        )
        if not utility.kind.needs_stakeholders:
            return replace(utility, parts=parts)
        count = len(parts)
        equally = np.array([part.emphasis for part in parts]) / count
        return replace(utility, parts=parts, vectors=equally, base=np.zeros(count), span=np.full(count, np.nan))

    @property
    def kind(self) -> UtilityKind:
        """The row of the objective's kind."""
        return KINDS[self.objective.kind]

    @property
    def is_level(self) -> bool:
        """Whether U is the least value instead of the weighted sum."""
        return self.kind.aggregate is Least

    @property
    def rests(self) -> bool:
        """Whether `stop_ratio` leaves groups at rest: the answer is a rule's resting point, not an optimum."""
        return self.is_level and self.objective.stop_ratio > 0.0

    @property
    def is_additive(self) -> bool:
        """Whether U = Σ w V."""
        return self.kind.aggregate is WeightedSum

    @cached_property
    def is_smooth(self) -> bool:
        """Whether every V has a continuous slope."""
        if self.kind.needs_stakeholders:
            return all(part.is_smooth for part in self.own_parts)
        objective = self.objective
        jumps = self.kind.has_kinks(objective)
        jumps |= objective.risk is not None and objective.risk < 1.0 and self.posterior.draws > 1
        # A loss below 0 counts as 0.
        return not jumps and bool((self.posterior.asymptote >= 0.0).all())

    @cached_property
    def counted(self) -> BoolArray:
        """The groups U depends on [groups]."""
        if self.kind.needs_stakeholders:
            return np.asarray(np.any([part.counted for part in self.parts], axis=0))
        if self.kind.needs_vectors:
            return np.asarray(self.vectors.any(axis=0))
        if self.kind.needs_target:
            return (self.weights > 0) & np.isfinite(self.goal)
        return self.weights > 0

    @cached_property
    def emphasis(self) -> FloatArray:
        """What a group's value counts for at the margin where F does not choose: its weight, 1 where F is a minimum."""
        return self.aggregate.emphasis

    @cached_property
    def aggregate(self) -> Aggregate:
        """F."""
        weights = np.ones_like(self.weights) if self.kind.needs_stakeholders else self.weights
        return self.kind.aggregate(self.objective, weights, self.counted, self.vectors, self.base)

    @property
    def outer(self) -> Outer:
        """F as a linear programme."""
        return self.aggregate.outer()

    def terms(self, counts: FloatArray) -> ValueAndSlope:
        """V and V' at counts [groups] or [groups, sizes]; where V has a kink, V' is the slope beyond it."""
        if counts.ndim > 1:
            return self.worked_out(counts)
        # Solvers, rules and reasons ask at the same counts, one after the other.
        key = counts.tobytes()
        found = self._known_terms.get(key)
        if found is None:
            found = self.worked_out(counts)
            found.value.flags.writeable = found.slope.flags.writeable = False
            if len(self._known_terms) == MOST_KNOWN:
                del self._known_terms[next(iter(self._known_terms))]
            self._known_terms[key] = found
        return found

    @cached_property
    def _known_terms(self) -> dict[bytes, ValueAndSlope]:
        """The last terms that were asked, by the counts' bytes."""
        return {}

    def worked_out(self, counts: FloatArray) -> ValueAndSlope:
        """`terms`, whatever is kept."""
        if self.kind.needs_stakeholders:
            found = [part.worked_out(counts) for part in self.own_parts]
            value, gain = (self.blended([getattr(one, name) for one in found]) for name in ("value", "slope"))
            return ValueAndSlope(value + (self.rest if counts.ndim == 1 else self.rest[:, None]), gain)
        if len(self._blocks) > 1 and counts.ndim == 1:
            found = [part.worked_out(counts[rows]) for rows, part in self._blocks]
            value, gain = (np.concatenate([getattr(one, name) for one in found]) for name in ("value", "slope"))
            return ValueAndSlope(value, gain)
        if self.posterior.draws == 1:
            value, gain = self._known(counts)
        else:
            loss, slope = self.posterior.loss_and_slope(counts)
            unit = self._like(loss, self.unit)
            fall = np.where(loss > 0.0, -slope, 0.0)
            each, worth = phi(self.objective, np.maximum(loss, 0.0) / unit, self.bounded, self._like(loss, self.goal))
            value, gain = mean(each, worth * fall, self.objective.risk)
            gain = gain / unit[..., 0]
        return ValueAndSlope(*self.lagged(value, gain))

    @cached_property
    def own_parts(self) -> tuple["Utility", ...]:
        """The stakeholders' utilities on these curves."""
        return tuple(replace(part, posterior=self.posterior) for part in self.parts)

    def blended(self, each: Sequence[FloatArray]) -> FloatArray:
        """Σ_k c_kg of the stakeholders' arrays [groups, …]."""
        like = (..., *(None,) * (each[0].ndim - 1))
        return np.asarray(sum(share[like] * one for share, one in zip(self.vectors, each, strict=True)))

    def worth(self, loss: FloatArray) -> FloatArray:
        """−dφ/dℓ [groups, draws] at losses [groups, draws] in the metric's units."""
        if self.kind.needs_stakeholders:
            return self.blended([part.worth(loss) for part in self.parts])
        scaled = np.maximum(loss, 0.0) / self.unit[:, None]
        return phi(self.objective, scaled, self.bounded, self.goal[:, None])[1]

    def shares(self, counts: FloatArray) -> FloatArray:
        """s_k [k] at counts [groups], of compromise."""
        return np.array([part.at(counts) for part in self.own_parts] - self.base) / self.span

    @cached_property
    def _blocks(self) -> list[tuple[slice, "Utility"]]:
        """The groups some at a time, whose draws stay in the processor's cache; one entry where that is all of them."""
        groups, draws = self.posterior.asymptote.shape
        step = max(1, BLOCK // max(draws, 1))
        # The mean of the worst draws is a matrix product, whose last digits hang on how many rows it has.
        is_plain = self.posterior.transfer is None and self.objective.risk in (None, 1.0)
        if draws == 1 or groups < 2 * step or not is_plain:
            return [(slice(None), self)]
        rows = [slice(at, min(at + step, groups)) for at in range(0, groups, step)]
        return [(one, self.select(one)) for one in rows]

    def lagged(self, value: FloatArray, slope: FloatArray) -> tuple[FloatArray, FloatArray]:
        """V and its slope from those of E φ, which they are but for a kind that lags: value [groups, …], slope of equal
        shape or with an axis more."""
        if not self.kind.lags:
            return value, slope
        behind, lambda_ = self.reference - value, self.objective.lambda_
        factor = np.asarray(1.0 + lambda_ * (behind > 0.0)).reshape(value.shape + (1,) * (slope.ndim - value.ndim))
        return value - lambda_ * np.maximum(behind, 0.0), np.asarray(slope * factor)

    def _known(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """E φ and its slope where one draw is all there is: the mean of it is itself, whatever `risk` says."""
        loss, slope = self.posterior.known(counts)
        flat = loss <= 0.0
        if np.count_nonzero(flat):
            loss, slope = np.where(flat, 0.0, loss), np.where(flat, 0.0, slope)
        unit, goal = (self.unit, self.goal) if loss.ndim == 1 else (self.unit[:, None], self.goal[:, None])
        value, worth = phi(self.objective, loss / unit, self.bounded, goal)
        return value, worth * -slope / unit

    def total(self, value: FloatArray) -> float:
        """U from the groups' values."""
        return self.aggregate.total(value)

    def gradient(self, value: FloatArray) -> FloatArray:
        """dU/dV [groups] at the groups' values; where F has a kink, one of its supergradients."""
        return self.aggregate.gradient(value)

    def at(self, counts: FloatArray) -> float:
        """U at counts [groups]."""
        return self.total(self.terms(counts).value)

    def level(self, counts: FloatArray) -> float:
        """U at counts [groups], as `at`; of compromise the least share itself, above which the sum lies."""
        if self.kind.needs_stakeholders and np.isfinite(self.span).all():
            return float(self.shares(counts).min())
        return self.at(counts)

    def mean_benefit(self, counts: FloatArray) -> float:
        """Σ w E m at counts [groups]."""
        plain = replace(self, objective=Objective("utilitarian", risk=self.objective.risk))
        return plain.at(counts)

    def draws(self, counts: FloatArray) -> FloatArray:
        """U in every draw of the curves [draws], F taken as linear round the expected values."""
        if self.kind.needs_stakeholders:
            part, base, span = self._least(counts)
            return (part.draws(counts) - base) / span
        each = self._each(self.posterior.loss(counts))
        return self._by_draw(each, each)[0]

    def outcomes(self, counts: FloatArray) -> tuple[float, FloatArray]:
        """The mean of `draws`, and U in every draw [draws] as it may turn out: with what strays from the curves."""
        if self.kind.needs_stakeholders:
            part, base, span = self._least(counts)
            level, found = part.outcomes(counts)
            return (level - base) / span, (found - base) / span
        loss, band = self.posterior.loss_and_band(counts)
        low, high = quantiles(band, (TAIL, 1.0 - TAIL))
        held = np.clip(band, low[:, None], high[:, None], out=band)
        each = self._each(loss)
        expected, found = self._by_draw(each, each, self._each(held))
        return float(expected.mean()), found

    def _least(self, counts: FloatArray) -> tuple["Utility", float, float]:
        """The stakeholder with the least share, its U_k(n⁰) and what it can gain."""
        k = int(np.argmin(self.shares(counts)))
        span = float(self.span[k])
        return self.own_parts[k], float(self.base[k]), span if span > 0.0 else 1.0

    def _each(self, loss: FloatArray) -> FloatArray:
        """φ [groups, draws] of losses."""
        scaled = np.maximum(loss, 0.0) / self._like(loss, self.unit)
        return phi(self.objective, scaled, self.bounded, self._like(loss, self.goal))[0]

    def _by_draw(self, expected: FloatArray, *outcomes: FloatArray) -> list[FloatArray]:
        """U [draws] from φ [groups, draws] of each of the outcomes, F being linear round the `expected` values."""
        first, _ = mean(expected, expected, self.objective.risk)
        value, _ = self.lagged(first, first)
        if self.kind.lags:
            behind = (first < self.reference)[:, None]
            outcomes = tuple(each + self.objective.lambda_ * behind * (each - self.reference) for each in outcomes)
        share = self.gradient(value)
        rest = self.total(value) - float((share * value).sum())
        return [np.asarray((share[:, None] * each).sum(axis=0)) + rest for each in outcomes]

    def select(self, indices: IntArray | slice) -> "Utility":
        """The same utility's terms for the groups at `indices` alone."""
        posterior = self.posterior.part(indices)
        goal = self.goal[indices] if len(self.goal) > 1 else self.goal
        weights, unit, vectors = self.weights[indices], self.unit[indices], self.vectors[:, indices]
        rest = self.rest[indices] if len(self.rest) > 1 else self.rest
        parts = self.parts and tuple(part.select(indices) for part in self.parts)
        chosen = replace(self, weights=weights, unit=unit, posterior=posterior, goal=goal, vectors=vectors)
        return replace(chosen, rest=rest, parts=parts) if parts else chosen

    def mix(self, vector: int) -> "Utility":
        """Σ w_kg V_g for weight vector k of `robust` alone: the utility whose optimum is V*_k."""
        plain = Objective("utilitarian", risk=self.objective.risk)
        return replace(self, objective=plain, weights=self.vectors[vector])

    def based(self, other: "Utility") -> "Utility":
        """The same with what `other` knows of the best plans of others: regret's V*, and how the stakeholders count."""
        return replace(self, vectors=other.vectors, base=other.base, span=other.span, rest=other.rest)

    @staticmethod
    def _like(loss: FloatArray, values: FloatArray) -> FloatArray:
        """[groups] made to broadcast with losses [groups, (sizes,) draws]."""
        return values[:, None] if loss.ndim == 2 else values[:, None, None]
