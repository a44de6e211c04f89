"""What a plan is compared with: the best that others could have had (method.md 5 and 6).

Regret compares with each weight vector's own best plan, a stakeholder's share with the stakeholder's. The compromise,
the largest least share, is a game of plans against parties: with shares s_k concave in the counts,

    max_n min_k s_k(n) = min_c max_n Σ_k c_k·V_k(n) + r

over what the parties' linear bounds c allow (Sion). A few plans and bounds are kept. A linear programme over them gives
the parties' coefficients; the plan that is best for these joins the plans, and every party's bound at it, and at the
mixture of plans that the programme holds against the parties, joins the bounds. By concavity the mixture's own least
share is no lower than the programme says.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csr_array

from app.planner.arrays import FloatArray
from app.planner.errors import SolverError
from app.planner.problem.canonical import Canonical
from app.planner.problem.linear import Linear, maximise
from app.planner.relaxation.certificate import LEAST_GAIN, Relaxation
from app.planner.relaxation.relax import Divisible, relax
from app.planner.utility.utility import Utility

COMPROMISE = (
    "The best plan for the weights at which the stakeholders' least share is decided bounds every other plan's."
)
MOST_PLANS, MOST_CLASHING_PLANS = 80, 12
"""So many plans at most, and fewer where groups clash and each is dear."""
SHARE_TOLERANCE = 1e-6
"""The least share is found to this; it is at most 1."""
KEPT = 0.7
"""How much of the best coefficients so far new ones keep: those of the programme alone swing to and fro."""


def prepared(form: Canonical) -> tuple[Canonical, Divisible]:
    """`with_base`, and the divisible optimum. Raises SolverError."""
    if form.utility.kind.needs_stakeholders:
        return _Game.of(form).settled()
    form = with_base(form)
    return form, relax(form, form.utility)


def with_base(form: Canonical) -> Canonical:
    """The problem with what is known of the best plans of others: regret's V*, and what a compromise's stakeholders
    can gain and how they count. Raises SolverError.
    """
    utility = form.utility
    if utility.kind.needs_stakeholders:
        return prepared(form)[0]
    if utility.objective.kind != "robust" or utility.objective.mode != "regret":
        return form
    best = [relax(form, utility.mix(vector)).relaxation.utility for vector in range(len(utility.vectors))]
    return replace(form, utility=replace(utility, base=np.array(best)))


@dataclass(frozen=True)
class Party:
    """A stakeholder: U_k on the problem's curves, U_k(n⁰), what it can gain, and the plan that is best for it alone."""

    utility: Utility
    start: float
    span: float
    own: Relaxation

    @classmethod
    def of(cls, form: Canonical, part: Utility) -> "Party":
        """The stakeholder of a utility in the problem. Raises SolverError."""
        alone = with_base(replace(form, utility=replace(part, posterior=form.utility.posterior)))
        own = relax(alone, alone.utility).relaxation
        start = alone.values.total(form.held)
        return cls(alone.utility, start, own.utility - start, own)

    def share(self, value: FloatArray) -> float:
        """s_k at its values V_k [groups]."""
        return (self.utility.total(value) - self.start) / self.span


def parties_of(form: Canonical) -> list[Party]:
    """The problem's stakeholders in their order, those too who can gain nothing. Raises SolverError."""
    return [Party.of(form, part) for part in form.utility.parts]


def shares(form: Canonical, parties: list[Party], counts: FloatArray) -> list[float | None]:
    """Of each party s_k at counts [groups]; None where it can gain nothing."""
    found: list[float | None] = []
    for one in parties:
        value = replace(form, utility=one.utility).values.at(counts)
        found.append(one.share(value) if one.span > LEAST_GAIN else None)
    return found


@dataclass
class _Game:
    """Plans and bounds so far, of the parties who can gain. values [plan][party][groups]; bounds: of which party,
    q [groups] and a, so that s_k ≤ q · V_k + a.
    """

    form: Canonical
    parties: list[Party]
    plans: list[Relaxation] = field(default_factory=list)
    values: list[list[FloatArray]] = field(default_factory=list)
    bounds: list[tuple[int, FloatArray, float]] = field(default_factory=list)

    @classmethod
    def of(cls, form: Canonical) -> "_Game":
        parties = [one for one in parties_of(form) if one.span > LEAST_GAIN]
        known = form.utility.span
        if np.isfinite(known).all() and len(known) == len(parties):
            # What each can gain was said before, with other money.
            rows = zip(parties, form.utility.base.tolist(), known.tolist(), strict=True)
            parties = [replace(one, start=start, span=span) for one, start, span in rows]
        game = cls(form, parties)
        for one in parties:
            game.add(one.own)
        return game

    def settled(self) -> tuple[Canonical, Divisible]:
        """The problem with the coefficients whose best plan is the compromise, and the compromise."""
        if not self.parties:
            return self.form, relax(self.form, self.form.utility)
        best: tuple[FloatArray, float] | None = None
        upper, least = np.inf, -np.inf
        most = MOST_CLASHING_PLANS if self.form.values.clashes else MOST_PLANS
        while True:
            coefficients, rest, mixture = self.solved()
            if best is not None:
                coefficients = KEPT * best[0] + (1.0 - KEPT) * coefficients
                rest = KEPT * best[1] + (1.0 - KEPT) * rest
            form = self.weighed(coefficients, rest)
            divisible = relax(form, form.utility)
            reply = divisible.relaxation
            if reply.bound < upper:
                upper, best, answer = reply.bound, (coefficients, rest), (form, divisible)
            here = replace(
                reply,
                orders=np.tensordot(mixture, np.array([plan.orders for plan in self.plans]), axes=1),
                counts=np.tensordot(mixture, np.array([plan.counts for plan in self.plans]), axes=1),
            )
            value = self.values_at(here.counts)
            for one, there in ((here, value), (reply, self.values_at(reply.counts))):
                level = min(party.share(own) for party, own in zip(self.parties, there, strict=True))
                if level > least:
                    least, chosen = level, one
            if upper - least <= SHARE_TOLERANCE or len(self.plans) >= most:
                break
            self.add(reply)
            self.bound(value)
        form, divisible = answer
        terms = form.values.moved(chosen.counts).terms(chosen.counts)
        gap = max(upper - least, 0.0)
        found = replace(
            chosen,
            terms=terms,
            utility=least,
            bound=least + gap,
            residual=gap / max(least, LEAST_GAIN),
            multiplier=divisible.relaxation.multiplier,
        )
        return form, replace(divisible, relaxation=found, method="compromise", proof=COMPROMISE, master=None)

    def values_at(self, counts: FloatArray) -> list[FloatArray]:
        """V_k [groups] of every party at counts [groups]."""
        return [replace(self.form, utility=one.utility).values.at(counts) for one in self.parties]

    def add(self, plan: Relaxation) -> None:
        """One more plan, and the parties' bounds there."""
        value = self.values_at(plan.counts)
        self.plans.append(plan)
        self.values.append(value)
        self.bound(value)

    def bound(self, values: list[FloatArray]) -> None:
        """The parties' bounds where their values are these, each once."""
        for k, (one, value) in enumerate(zip(self.parties, values, strict=True)):
            slope = one.utility.gradient(value)
            level = one.utility.total(value) - float(slope @ value) - one.start
            slope, level = slope / one.span, level / one.span
            if not any(j == k and np.array_equal(q, slope) and a == level for j, q, a in self.bounds):
                self.bounds.append((k, slope, level))

    def solved(self) -> tuple[FloatArray, float, FloatArray]:
        """c [k, groups] and r of the bounds that hold the plans down most, and the mixture [plans] against them.

        Raises SolverError.
        """
        table = np.array([[q @ values[k] + a for values in self.values] for k, q, a in self.bounds])
        rows, plans = table.shape
        # max −t over (π, t): Σ π_b table[b, plan] ≤ t, Σ π = 1.
        against = np.hstack([table.T, np.full((plans, 1), -1.0)])
        whole = np.append(np.ones(rows), 0.0)
        low, high = np.append(np.full(plans, -np.inf), 1.0), np.append(np.zeros(plans), 1.0)
        lower, upper = np.append(np.zeros(rows), -np.inf), np.append(np.ones(rows), np.inf)
        objective = np.append(np.zeros(rows), -1.0)
        found = maximise(Linear(objective, csr_array(np.vstack([against, whole])), low, high, lower, upper))
        if found.columns is None:
            raise SolverError(
                "the stakeholders' gains lie too far apart for the solver; state other weights or budgets"
            )
        share = np.maximum(found.columns[:rows], 0.0)
        coefficients = np.zeros((len(self.parties), len(self.form.keys)))
        for weight, (k, q, _) in zip(share, self.bounds, strict=True):
            coefficients[k] += weight * q
        mixture = np.maximum(found.duals[:plans], 0.0)
        return coefficients, float(share @ [a for _, _, a in self.bounds]), mixture / max(mixture.sum(), LEAST_GAIN)

    def weighed(self, coefficients: FloatArray, rest: float) -> Canonical:
        """The problem with these coefficients c [k, groups], and r in all."""
        groups = len(self.form.keys)
        utility = replace(
            self.form.utility,
            parts=tuple(one.utility for one in self.parties),
            vectors=coefficients,
            base=np.array([one.start for one in self.parties]),
            span=np.array([one.span for one in self.parties]),
            rest=np.full(groups, rest / groups),
        )
        return replace(self.form, utility=utility)
