"""Which transfer weights the observations speak for (method.md 3, "Transfer").

Candidates lie on a grid of weights w and saturations κ; each has prior mass times the evidence of
`transfer_evidence`. Three forms, by what the observed compositions can tell apart:
pairs    one w per helping group, and κ: the grid is searched best first, a coordinate at a time;
alike    w_gh = w η^d, d the number of attributes in which g and h differ: the whole grid, with one η and one κ;
none     the other groups' counts do not vary apart from the group's own: transfer is off.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.planner.arrays import BoolArray, FloatArray, IntArray
from app.planner.borrowing.transfer_evidence import Compositions, log_evidence

HELP = np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3, 1.7])
HARM = np.array([-0.02, -0.05, -0.12, -0.3])
WEIGHTS = np.concatenate([[0.0], HELP, HARM])
OFF_MASS = 0.7
"""Prior mass on no transfer into a group at all."""
HARM_MASS = 0.05
"""Of the rest, the mass below 0."""

SATURATIONS = np.array([0.0625, 0.25, 0.7, 2.0, np.inf])
"""κ, as shares of the largest count of another group."""
RETENTIONS = np.array([1.0, 0.6, 0.3])
"""η."""

MOST_PAIRED = 6
"""With more groups than this, one weight per group (method.md 3)."""
LEAST_RUNS = 6
RUNS_PER_WEIGHT = 3
"""A weight per pair needs LEAST_RUNS + RUNS_PER_WEIGHT × pairs distinct compositions."""
APART = 0.1
"""Counts vary apart from others if this share of them is left when a line in the others is taken out."""

EXPANSIONS, CANDIDATE_BATCH = 28, 4
"""At most so many candidates have all their neighbours tried, so many at a time."""
FIRST = 2
"""So many rounds follow the best candidate of each κ."""
NEGLIGIBLE = 3e-3
"""Candidates with a smaller share of the mass are not followed."""

CONCENTRATED = 0.3
"""One candidate with more mass than this: its grid is too coarse."""
LATTICE_STEP, LATTICE_HALVINGS = 0.2, 5
"""The refined lattice's first step in log w and log κ."""
UNBOUNDED = 8.0
"""κ of so many times the largest count stands for no saturation there."""


@dataclass(frozen=True)
class Weighed:
    """Posterior of one group's weights: candidates T with weights [T, k], κ [T] and probability [T]."""

    weights: FloatArray
    kappa: FloatArray
    probability: FloatArray

    @property
    def off(self) -> float:
        """Posterior mass on no transfer into the group."""
        return float(self.probability[~self.weights.any(axis=1)].sum())


def nothing(groups: int) -> Weighed:
    """Certainty that no group's data moves this one."""
    return Weighed(np.zeros((1, groups)), np.full(1, np.inf), np.ones(1))


def weight_prior(size: int) -> FloatArray:
    """Log prior of WEIGHTS for each of `size` independent weights, all 0 together with OFF_MASS."""
    zero = OFF_MASS ** (1.0 / max(size, 1))
    help_, harm = (1.0 - HARM_MASS) / len(HELP), HARM_MASS / len(HARM)
    rest = np.repeat([help_, harm], [len(HELP), len(HARM)])
    return np.asarray(np.log(np.concatenate([[zero], (1.0 - zero) * rest])))


def weigh(data: Sequence[Compositions | None], differences: IntArray) -> list[Weighed]:
    """Per group the posterior of its transfer weights; None for a group without observed compositions.

    differences [k, k]: the number of attributes in which two groups differ.
    """
    groups = len(data)
    found = [nothing(groups) for _ in data]
    alike = []
    for g, one in enumerate(data):
        helpers = _varied(one) if one is not None else np.zeros(groups, dtype=np.bool_)
        if one is None or not helpers.any():
            continue
        if groups <= MOST_PAIRED and _told_apart(one, helpers):
            found[g] = _search(one, np.flatnonzero(helpers))
        else:
            alike.append(g)
    chosen = [one for g in alike if (one := data[g]) is not None]
    for g, weighed in zip(alike, _alike(chosen, differences[alike]), strict=True):
        found[g] = weighed
    return found


def _varied(data: Compositions) -> BoolArray:
    """The groups [k] whose counts vary by more than a line in the group's own counts explains."""
    size = np.sqrt((data.others**2).mean(axis=0))
    left = np.sqrt((_without_own(data) ** 2).mean(axis=0))
    enough = len(_distinct(data)) >= LEAST_RUNS
    return np.asarray(enough & (left > APART * size) & (size > 0.0))


def _told_apart(data: Compositions, helpers: BoolArray) -> bool:
    """Whether there are compositions enough for one weight each, and no helper's counts follow from the others'."""
    pairs = int(helpers.sum())
    if len(_distinct(data)) < LEAST_RUNS + RUNS_PER_WEIGHT * pairs:
        return False
    left = _without_own(data)[:, helpers]
    values = np.linalg.svd(left / np.linalg.norm(left, axis=0), compute_uv=False)
    return bool(values[-1] > APART * values[0])


def _distinct(data: Compositions) -> FloatArray:
    return np.asarray(np.unique(np.column_stack([data.own, data.others]), axis=0))


def _without_own(data: Compositions) -> FloatArray:
    """The other groups' counts [P, k] less their regression on the group's own."""
    design = np.column_stack([np.ones(len(data.own)), data.own / max(data.own.max(), 1.0)])
    line = np.linalg.lstsq(design, data.others, rcond=None)[0]
    return np.asarray(data.others - design @ line)


def _saturations(data: Compositions) -> FloatArray:
    return np.asarray(SATURATIONS * data.others.max())


def _search(data: Compositions, helpers: IntArray) -> Weighed:
    """One weight per helper: best first on the grid, refined where a single candidate holds the mass."""
    weights, kappa, log_mass = _coarse(data, helpers)
    coarse = Weighed(weights, kappa, _normalised(log_mass))
    best = int(np.argmax(coarse.probability))
    if coarse.probability[best] < CONCENTRATED or not weights[best].any():
        return coarse
    return _refined(data, coarse, weights[best], float(kappa[best]))


def _coarse(data: Compositions, helpers: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weights [T, k], κ [T] and log mass [T] of the candidates tried: every coordinate of the best of each κ first,
    so that no κ is missed for weights that suit another; then of the best of all."""
    prior, saturations = weight_prior(len(helpers)), _saturations(data)
    shape = (len(WEIGHTS),) * len(helpers) + (len(SATURATIONS),)
    index = np.zeros((0, len(shape)), dtype=np.int64)
    weights, log_mass, expanded = np.zeros((0, data.others.shape[1])), np.zeros(0), np.zeros(0, dtype=np.bool_)
    fresh = _lines(np.zeros((1, len(shape)), dtype=np.int64), shape)
    fresh = np.concatenate([fresh, _across(fresh, len(SATURATIONS))])
    for step in range(EXPANSIONS):
        fresh = _unseen(fresh, index, shape)
        if not len(fresh):
            break
        candidates = np.zeros((len(fresh), data.others.shape[1]))
        candidates[:, helpers] = WEIGHTS[fresh[:, :-1]]
        value = log_evidence(data, candidates, saturations[fresh[:, -1]]) + prior[fresh[:, :-1]].sum(axis=1)
        index, weights = np.concatenate([index, fresh]), np.concatenate([weights, candidates])
        log_mass = np.concatenate([log_mass, value])
        expanded = np.concatenate([expanded, np.zeros(len(fresh), dtype=np.bool_)])
        open_mass = np.where(expanded, 0.0, _normalised(log_mass))
        best = _best_of_each(open_mass, index[:, -1]) if step < FIRST else _worth_following(open_mass, expanded)
        expanded[best] = True
        fresh = _lines(index[best], shape)
    return weights, saturations[index[:, -1]], log_mass


def _across(index: IntArray, saturations: int) -> IntArray:
    """The rows of `index` with every κ."""
    copies = np.repeat(index, saturations, axis=0)
    copies[:, -1] = np.tile(np.arange(saturations), len(index))
    return np.unique(copies, axis=0)


def _best_of_each(mass: FloatArray, saturation: IntArray) -> IntArray:
    """The candidate of most mass among those of each κ."""
    order = np.lexsort((-mass, saturation))
    first = np.unique(saturation[order], return_index=True)[1]
    return np.asarray(order[first], dtype=np.int64)


def _refined(data: Compositions, coarse: Weighed, weights: FloatArray, kappa: float) -> Weighed:
    """The mass on transfer spread over a lattice in log |w| and log κ about the best candidate, fine enough for it."""
    moved = np.flatnonzero(weights)

    def candidates(at: FloatArray) -> tuple[FloatArray, FloatArray]:
        found = np.zeros((len(at), len(weights)))
        found[:, moved] = np.sign(weights[moved]) * np.exp(at[:, :-1])
        return found, np.exp(at[:, -1])

    at = np.log(np.append(np.abs(weights[moved]), min(kappa, UNBOUNDED * data.others.max())))[None]
    mass = np.ones(1)
    for step in LATTICE_STEP * 0.5 ** np.arange(LATTICE_HALVINGS):
        at, log_mass = _climb(lambda found: log_evidence(data, *candidates(found)), mass @ at, step)
        mass = _normalised(log_mass)
        if mass.max() < CONCENTRATED:
            break
    off = ~coarse.weights.any(axis=1)
    found, saturation = candidates(at)
    return Weighed(
        np.concatenate([coarse.weights[off], found]),
        np.concatenate([coarse.kappa[off], saturation]),
        np.concatenate([coarse.probability[off], (1.0 - coarse.off) * mass]),
    )


def _climb(
    evidence: Callable[[FloatArray], FloatArray], centre: FloatArray, step: float
) -> tuple[FloatArray, FloatArray]:
    """Points [T, d] of the lattice of `step` about `centre` [d], log evidence [T]; the best's neighbours first."""
    unit = np.eye(len(centre))
    # More weight with earlier saturation is the ridge along which candidates are hard to tell apart.
    ridge = np.append(np.ones(len(centre) - 1), -1.0)
    moves = np.concatenate([unit, -unit, [ridge, -ridge]])
    index, fresh = np.zeros((0, len(centre))), np.zeros((1, len(centre)))
    log_mass, expanded = np.zeros(0), np.zeros(0, dtype=np.bool_)
    for _ in range(EXPANSIONS):
        index = np.concatenate([index, fresh])
        log_mass = np.concatenate([log_mass, evidence(centre + step * fresh)])
        expanded = np.concatenate([expanded, np.zeros(len(fresh), dtype=np.bool_)])
        best = _worth_following(_normalised(log_mass), expanded)
        expanded[best] = True
        around = np.unique((index[best][:, None] + moves).reshape(-1, len(centre)), axis=0)
        fresh = around[~(around[:, None] == index).all(axis=2).any(axis=1)]
        if not len(fresh):
            break
    return centre + step * index, log_mass


def _worth_following(mass: FloatArray, expanded: BoolArray) -> IntArray:
    """The few candidates of most mass that are not expanded yet."""
    open_mass = np.where(expanded, 0.0, mass)
    best = np.argsort(-open_mass, kind="stable")[:CANDIDATE_BATCH]
    return np.asarray(best[open_mass[best] > NEGLIGIBLE], dtype=np.int64)


def _lines(index: IntArray, shape: tuple[int, ...]) -> IntArray:
    """All grid points that differ from a row of `index` in at most one coordinate."""
    rows = []
    for axis, length in enumerate(shape):
        line = np.repeat(index, length, axis=0)
        line[:, axis] = np.tile(np.arange(length), len(index))
        rows.append(line)
    return np.unique(np.concatenate(rows), axis=0) if len(index) else index


def _unseen(candidates: IntArray, seen: IntArray, shape: tuple[int, ...]) -> IntArray:
    codes = np.ravel_multi_index(tuple(candidates.T), shape)
    return candidates[~np.isin(codes, np.ravel_multi_index(tuple(seen.T), shape))]


def _alike(data: Sequence[Compositions], differences: IntArray) -> list[Weighed]:
    """w per group; η and κ's share weighted by the evidence of all the groups of this form together."""
    tables = [_table(one, row) for one, row in zip(data, differences, strict=True)]
    together = [np.logaddexp.reduce(table, axis=0) for table in tables]
    total = np.sum(together, axis=0) if tables else np.zeros(0)
    found = []
    for one, row, table, own in zip(data, differences, tables, together, strict=True):
        w, eta, share = np.unravel_index(np.arange(table.size), table.shape)
        weights = WEIGHTS[w][:, None] * RETENTIONS[eta][:, None] ** row
        weights *= one.others.any(axis=0)
        found.append(Weighed(weights, _saturations(one)[share], _normalised((table + total - own).ravel())))
    return found


def _table(data: Compositions, differences: IntArray) -> FloatArray:
    """Log of prior times evidence [weights, η, κ] of a group that differs from the others in `differences` [k]."""
    known = data.others.any(axis=0)
    # Without attributes every η says the same.
    etas = len(RETENTIONS) if len(set(differences[known])) > 1 else 1
    shape = (len(WEIGHTS), etas, len(SATURATIONS))
    w, eta, share = np.unravel_index(np.arange(int(np.prod(shape))), shape)
    weights = np.asarray(WEIGHTS[w][:, None] * RETENTIONS[eta][:, None] ** differences * known, dtype=np.float64)
    table = log_evidence(data, weights, _saturations(data)[share]).reshape(shape)
    full = np.broadcast_to(table, (len(WEIGHTS), len(RETENTIONS), len(SATURATIONS)))
    return np.asarray(full + weight_prior(1)[:, None, None])


def _normalised(log_mass: FloatArray) -> FloatArray:
    mass = np.exp(log_mass - log_mass.max())
    return np.asarray(mass / mass.sum())
