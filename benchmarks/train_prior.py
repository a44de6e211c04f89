"""Trains the prior of the learning curves on LCDB 1.1, and the form for metrics with both bounds on label-limited
curves too, by the log density it gives to later, held-out points.

    python benchmarks/train_prior.py [--data ../shared/data] [--out app/services/curves/data/prior.json] [--seed 0]
        [--forms trained flat]

With w the prior's weights, L a curve's likelihood and D the density of a later point at each node, the gain of one
question is log Σ w L D − log Σ w L: conditional likelihood, which rewards forecasts and not the fit of the past.
A quadratic penalty keeps the log weights near zero; it is light on what depends on one parameter alone.
Same data and seed, same file.
"""

import argparse
import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import label_limited
import lcdb
import numpy as np
from scipy.optimize import minimize

from app.planner.arrays import FloatArray, IntArray
from app.planner.curves.observations import Points
from app.planner.curves.prior import Prior
from app.planner.fitting.batched_grid import grids
from app.planner.fitting.binning import summed, table_of
from app.planner.fitting.fit import data_of
from app.planner.fitting.floor_integral import integrate
from app.planner.fitting.grid import shape_values

NODES = Prior(discrepancies=(0.004, 0.02, 0.06, 0.02, 0.06, 0.3))
"""The nodes of the trained form; the last is for curves that follow no power law."""

FLAT = Prior(
    exponents=(0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0),
    shape=np.array([[4.0, 1.9, 1.9, 1.9, 2.0, 2.2, 2.35, 2.8, 4.1]]),
    noises=(0.003, 0.003, 0.003, 0.012, 0.03, 0.06, 0.15),
    discrepancies=(0.003, 0.02, 0.08, 0.03, 0.03, 0.03, 0.15),
)
"""The nodes of the flat form: losses of open metrics (log loss) can be smoother than error rates."""

FORECASTS = (0.01, 0.025, 0.06, 0.15, 0.4)
"""The scales κ_f that are mixed."""

LIGHT, HEAVY, TILT = 1.0, 10.0, 10.0
"""Penalties on log weights: of one parameter, of combinations, of dependence on level and size."""

WIDENING = ((1.15,), (1.07,))
"""What κ_f is multiplied with after training, for few points and for bins: on data sets not trained on, intervals are
too narrow without; chosen there, once for all."""

SURPRISE = 0.02
"""Least weight of the two largest κ_f together, for the same reason."""

FLOOR_BINS = 16
"""Bins of ρ in which likelihoods are kept."""

CELLS, WORTH = 32, 16.0
"""Cells of a stretch of ρ, to serve narrow bins, and nodes that count (`floor_integral`): more than forecasts need."""

STEPS = 80

FIXED = ("not_started", "starts", "start_exponent")
"""What is not trained and stands in the code alone."""

SHARES = (4, 8, 16)


def training_questions(curves: list[lcdb.Curve], seed: int) -> list[lcdb.Question]:
    """Five points, single splits, three points and dense curves at one share of the final size each, and ideal ones."""
    found = ideal_questions(curves, seed)
    for number, curve in enumerate(curves):
        rng = np.random.default_rng([seed, number])
        for kind in ("five", "single", "three", "dense"):
            last = curve.counts[-1] / rng.choice(SHARES)
            noisy = rng if kind == "single" or (kind == "three" and rng.random() < 0.5) else None
            chosen = (
                lcdb.dense(curve, last) if kind == "dense" else lcdb.doubling(curve, last, 3 if kind == "three" else 5)
            )
            if chosen is not None:
                later = np.flatnonzero(curve.counts > 1.5 * last)
                target = later[-1] if rng.random() < 0.75 else rng.choice(later)
                found.append(lcdb.question(number, curve, chosen, int(target), noisy))
    return found


def ideal_questions(curves: list[lcdb.Curve], seed: int) -> list[lcdb.Question]:
    """Per curve one that follows the family exactly, at its level, with noise that is stated."""
    found = []
    for number, curve in enumerate(curves):
        rng = np.random.default_rng([seed, number, 1])
        last, level = np.exp(rng.uniform(np.log(100.0), np.log(1e5))), float(curve.errors[len(curve.errors) // 2])
        c, rho = np.exp(rng.normal(np.log(0.5), 0.6)), rng.uniform()
        delta = rng.exponential(0.3) if rng.random() < 0.3 else 0.0
        counts = last / 2.0 ** np.arange(rng.integers(3, 8))[::-1]
        target = last * rng.choice(SHARES)
        f = level * (rho + (1.0 - rho) * ((np.append(counts, target) / last + delta) / (1.0 + delta)) ** -c)
        f *= min(1.0, 0.95 / max(f[0], 1e-9))
        stderrs = np.exp(rng.uniform(np.log(0.002), np.log(0.05))) * f[:-1]
        losses = np.clip(f[:-1] + stderrs * rng.normal(size=len(counts)), 0.0, 1.0)
        points = Points(counts, losses, stderrs, np.arange(len(counts)))
        found.append(lcdb.Question(number, points, float(target), float(f[-1]), 0.0))
    return found


@dataclass(frozen=True)
class Evidence:
    """For each question: x [Q, 2], likelihood L [Q, N, S R], and L D [Q, F, N, S R], each scaled to at most
    1; R bins of ρ.

    binned, curve [Q]: whether its points were averaged into bins, and its curve's number.
    """

    x: FloatArray
    likelihood: np.ndarray
    joint: np.ndarray
    binned: IntArray
    curve: IntArray

    def select(self, keep: np.ndarray) -> "Evidence":
        return Evidence(*(getattr(self, field.name)[keep] for field in fields(self)))

    def joined(self, other: "Evidence") -> "Evidence":
        """The questions of both."""
        return Evidence(
            *(np.concatenate([getattr(one, field.name) for one in (self, other)]) for field in fields(self))
        )


def evidence(asked: list[lcdb.Question], prior: Prior) -> Evidence:
    """Likelihoods and densities at every node and bin of ρ, for the nodes of `prior`, whose weights must be flat."""
    observed = lcdb.observations(asked)
    table = table_of(observed.points)
    data = data_of(observed, table, prior, 1.0)
    target, truth, stderr = (np.array([getattr(one, name) for one in asked]) for name in ("target", "truth", "stderr"))
    size = len(prior.noise_nodes[0]), len(prior.shape_nodes[0]) * FLOOR_BINS
    likelihood = np.zeros((len(asked), *size), dtype=np.float32)
    joint = np.zeros((len(asked), len(prior.forecasts), *size), dtype=np.float32)
    for groups, _, _, nodes, level in grids(data, prior, 300):
        floors = integrate(nodes, level, prior, data.covariates[groups], CELLS, WORTH)
        of, gamma = floors.group, floors.gamma
        place = ((1.0 - gamma) * FLOOR_BINS).astype(np.int64).clip(max=FLOOR_BINS - 1)
        place += floors.shape * FLOOR_BINS + floors.noise * size[1] + of * size[0] * size[1]
        p = shape_values(target[groups], data.n_ref[groups], prior)[of, floors.shape]
        phi, precision = 1.0 + gamma * (p - 1.0), floors.nodes.precision(gamma)
        y, error = truth[groups] / data.units[groups], stderr[groups] / data.units[groups]
        off = (y[of] - phi * floors.nodes.weighted(gamma) / precision) ** 2
        spread = phi**2 / precision + error[of] ** 2
        doublings = np.log2(target[groups] / data.n_ref[groups])[of]
        variances = [spread + kappa**2 * doublings for kappa in prior.forecasts]
        logs = np.stack([-0.5 * (np.log(variance) + off / variance) for variance in variances])
        logs -= np.maximum.reduceat(logs.max(axis=(0, 1)), floors.start[:-1])[of]
        values = [floors.weights, *(floors.weights * np.exp(logs))]
        sums = [summed(place.ravel(), one.ravel(), len(groups) * size[0] * size[1]) for one in values]
        past, *both = (one.reshape(len(groups), *size) for one in sums)
        likelihood[groups], joint[groups] = past, np.stack(both, axis=1)
    scale = likelihood.max(axis=(1, 2))[:, None, None]
    curve = np.array([one.curve for one in asked])
    return Evidence(data.covariates, likelihood / scale, joint / scale[:, None], table.binned, curve)


@dataclass(frozen=True)
class Layout:
    """How the parameters lie in one vector: tables over (c, δ, ρ) and noise, for 1 and for each covariate; κ_f."""

    sizes: tuple[int, int, int]
    noises: int
    forecasts: int
    knots: FloatArray

    @property
    def blocks(self) -> list[tuple[str, tuple[int, ...], float]]:
        c, d, r = self.sizes
        single = [("c", (c, 1, 1)), ("d", (1, d, 1)), ("r", (1, 1, r))]
        pairs = [("cd", (c, d, 1)), ("cr", (c, 1, r)), ("dr", (1, d, r))]
        found = [(name, shape, LIGHT) for name, shape in single]
        found += [(name, shape, HEAVY) for name, shape in pairs]
        for j in ("0", "1"):
            found += [(name + j, shape, TILT) for name, shape in single]
        found += [("n", (self.noises,), LIGHT), ("n0", (self.noises,), TILT), ("n1", (self.noises,), TILT)]
        return [*found, ("f", (2, 1, self.forecasts), LIGHT), ("nf", (2, self.noises, self.forecasts), LIGHT)]

    def split(self, theta: FloatArray) -> dict[str, FloatArray]:
        parts, at = {}, 0
        for name, shape, _ in self.blocks:
            size = int(np.prod(shape))
            parts[name] = theta[at : at + size].reshape(shape)
            at += size
        return parts

    @property
    def penalties(self) -> FloatArray:
        return np.concatenate([np.full(int(np.prod(shape)), penalty) for _, shape, penalty in self.blocks])

    def tables(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log weights of shapes and bins of ρ [3, SR], of noise [3, N], for 1 and the covariates; of κ_f [2, N, F]."""
        parts = self.split(theta)
        shape = [sum(parts[name] for name in ("c", "d", "r", "cd", "cr", "dr"))]
        shape += [parts["c" + j] + parts["d" + j] + parts["r" + j] for j in ("0", "1")]
        noise = np.stack([parts["n"], parts["n0"], parts["n1"]])
        return np.stack([(table @ self.knots).ravel() for table in shape]), noise, parts["f"] + parts["nf"]

    def pull(self, shape: FloatArray, noise: FloatArray, ahead: FloatArray) -> FloatArray:
        """Gradients by the tables turned into gradients by the parameters."""
        parts = {"n": noise[0], "n0": noise[1], "n1": noise[2], "f": ahead, "nf": ahead}
        cubes = shape.reshape(3, *self.sizes[:2], -1) @ self.knots.T
        found = []
        for name, size, _ in self.blocks:
            cube = parts[name] if name in parts else cubes[int(name[-1]) + 1 if name[-1] in "01" else 0]
            axes = tuple(i for i, length in enumerate(size) if length == 1 and cube.shape[i] > 1)
            found.append(cube.sum(axis=axes).ravel())
        return np.concatenate(found)


def _softmax(table: FloatArray) -> FloatArray:
    raw = np.exp(table - table.max(axis=-1, keepdims=True))
    return raw / raw.sum(axis=-1, keepdims=True)


def objective(theta: FloatArray, data: Evidence, layout: Layout) -> tuple[float, FloatArray]:
    """Mean loss −(log Σ w L D − log Σ w L) with the penalty per question, and its gradient."""
    shape, noise, ahead = layout.tables(theta)
    x = np.column_stack([np.ones(len(data.x)), data.x])
    w_shape, w_noise, w_ahead = _softmax(x @ shape), _softmax(x @ noise), _softmax(ahead)
    q, mix = len(x), np.swapaxes(w_ahead, 1, 2)[data.binned]
    wide = w_shape.astype(np.float32)[:, :, None]
    past = (data.likelihood @ wide)[:, :, 0].astype(np.float64)
    both = (data.joint.reshape(q, -1, wide.shape[1]) @ wide).reshape(mix.shape).astype(np.float64)
    z_past = (w_noise * past).sum(axis=1)
    mixed = (both * mix).sum(axis=1)
    z_both = (w_noise * mixed).sum(axis=1)
    gain = np.log(np.maximum(z_both, 1e-30)) - np.log(z_past)
    # d gain / d log w: posterior shares with the later point, less those without it.
    at_noise = w_noise * (mixed / z_both[:, None] - past / z_past[:, None])
    by_both = (w_noise / z_both[:, None])[:, None, :] * mix
    each = np.swapaxes(by_both * both, 1, 2)
    at_ahead = np.stack([each[data.binned == flag].sum(axis=0) for flag in (0, 1)])
    at_ahead -= w_ahead * at_ahead.sum(axis=2, keepdims=True)
    by_both = by_both.astype(np.float32).reshape(q, 1, -1)
    by_past = (w_noise / z_past[:, None]).astype(np.float32)[:, None, :]
    at_shape = (by_both @ data.joint.reshape(q, by_both.shape[2], -1) - by_past @ data.likelihood)[:, 0]
    at_shape = at_shape.astype(np.float64) * w_shape
    gradient = layout.pull(x.T @ at_shape, x.T @ at_noise, at_ahead)
    penalty = layout.penalties
    value = -gain.sum() + 0.5 * float(penalty @ theta**2)
    return value / q, (-gradient + penalty * theta) / q


def train(data: Evidence, prior: Prior, flat: bool = False) -> Prior:
    """The prior with the weights that forecast `data` best; `flat`: of noise and κ_f alone, whatever level and size."""
    layout = layout_of(prior)
    start = np.zeros(len(layout.penalties))
    free = [
        name in ("n", "f", "nf") or not flat for name, shape, _ in layout.blocks for _ in range(int(np.prod(shape)))
    ]
    bounds = [(None, None) if moves else (0.0, 0.0) for moves in free]
    found = minimize(objective, start, (data, layout), "L-BFGS-B", jac=True, bounds=bounds, options={"maxiter": STEPS})
    parts = layout.split(np.round(found.x, 3))
    ahead = layout.tables(found.x)[2]
    (s, d, r), pair = layout.sizes, np.zeros(layout.sizes)
    for name in ("c", "d", "r", "cd", "cr", "dr"):
        pair = pair + parts[name]
    tilts = [(parts["c" + j] + parts["d" + j])[:, :, 0].ravel() for j in ("0", "1")]
    return replace(
        prior,
        shape=prior.shape + pair.reshape(s * d, r),
        shape_tilt=np.stack(tilts),
        floor_tilt=np.stack([parts["r" + j].ravel() for j in ("0", "1")]),
        noise=parts["n"],
        noise_tilt=np.stack([parts["n0"], parts["n1"]]),
        ahead=_with_surprise(ahead),
        widening=np.array(WIDENING),
    )


def layout_of(prior: Prior) -> Layout:
    """The parameters of the nodes of `prior`."""
    sizes = len(prior.exponents), len(prior.offsets), len(prior.floors)
    knots = prior.knots.reshape(len(prior.floors), FLOOR_BINS, -1).mean(axis=2)
    return Layout(sizes, len(prior.noise_nodes[0]), len(prior.forecasts), knots)


def _with_surprise(ahead: FloatArray) -> FloatArray:
    """Log weights of κ_f with SURPRISE of the weight moved to the two largest."""
    largest = np.zeros(ahead.shape[-1])
    largest[-2:] = 0.5
    return np.round(np.log((1.0 - SURPRISE) * _softmax(ahead) + SURPRISE * largest), 3)


def blank(asked: list[lcdb.Question], nodes: Prior) -> Prior:
    """The flat prior on the grid of `nodes`, with the covariates' centre and spread taken from the questions."""
    data = _levels(asked)
    return replace(
        nodes, forecasts=FORECASTS, centre=np.round(data.mean(axis=0), 3), spread=np.round(data.std(axis=0), 3)
    )


def _levels(asked: list[lcdb.Question]) -> FloatArray:
    observed = lcdb.observations(asked)
    flat = replace(Prior(), reach=np.inf)
    return data_of(observed, table_of(observed.points), flat, 1.0).covariates


def numbers(prior: Prior) -> dict[str, object]:
    """The prior as numbers of a data file."""
    names = [field.name for field in fields(prior) if field.name not in FIXED]
    return {name: np.asarray(getattr(prior, name)).tolist() for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with lcdb/curves.jsonl.gz")
    parser.add_argument("--out", type=Path, default=Path("app/services/curves/data/prior.json"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--forms", nargs="+", choices=("trained", "flat"), default=["trained", "flat"])
    arguments = parser.parse_args()
    curves = lcdb.load(arguments.data / "lcdb" / "curves.jsonl.gz")
    asked = training_questions(curves, arguments.seed)
    out: Path = arguments.out
    forms = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    for form in arguments.forms:
        prior = blank(asked, NODES if form == "trained" else FLAT)
        data = evidence(asked, prior)
        if form == "trained":
            scored, _ = label_limited.curves(arguments.data, arguments.seed)
            limited = label_limited.questions(scored, len(curves), arguments.seed + 1)
            data = data.joined(evidence(limited, prior))
        forms[form] = numbers(train(data, prior, flat=form == "flat"))
        print(f"{form}: {len(data.curve)} questions")
    out.write_text(json.dumps(forms, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
