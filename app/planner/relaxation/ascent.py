"""The top of a problem whose values all counts move, by sequential quadratic steps (method.md 6).

Tangents alone need tens of rounds to find where they are best taken; SciPy's SLSQP (Kraft 1988) finds it in ten to
thirty looks at V and its gradient. Its answer is allowed and proves nothing: tangents there bound U as any do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array, diags_array, vstack

from app.planner.arrays import FloatArray, IntArray
from app.planner.relaxation.certificate import LEAST_GAIN
from app.planner.relaxation.master import Master

MOST_STEPPED = 120
"""More columns than this are left to the tangents: a step takes time with their cube."""
MOST_ASCENTS = 60
"""So many steps at the most."""
LAST_RISE, LEAST_RISE = 0.1, 1e-14
"""Steps end where U rises by less than the square of the tolerance times the first, as a share of what a column brings:
what tangents leave open goes with the root of the last rise."""
OUTSIDE = 1e-9
"""An answer that misses a row by more than this is none."""


def climb(master: Master, tolerance: float, start: FloatArray | None = None) -> FloatArray | None:
    """Columns [columns] near the top of U over the allowed orders, or of a hill where V is not concave; None where none
    was found.

    tolerance: what tangents there may leave open of the gain, roughly. start [columns]: where the steps begin; None:
    every column at an equal share.
    """
    programme = master.programme
    free = np.r_[programme.at["u"], programme.at["z"].stop : programme.columns]
    if not 0 < len(free) <= MOST_STEPPED:
        return None
    lower, upper = (bound[free] for bound in programme.bounds)
    first = np.clip(np.full(len(free), 1.0 / len(free)) if start is None else start[free], lower, upper)
    found = _Hill(master, free, first).climbed(max(LAST_RISE * tolerance**2, LEAST_RISE))
    if found is None:
        return None
    columns = np.zeros(programme.columns)
    columns[free] = found
    return columns


@dataclass(frozen=True)
class _Rows:
    """low ≤ matrix @ y ≤ high; matrix [R, y]."""

    matrix: FloatArray
    low: FloatArray
    high: FloatArray

    @staticmethod
    def of(master: Master, free: IntArray) -> "_Rows":
        """The programme's rows and the total's over the columns at `free`, the counts bought put in."""
        programme = master.programme
        rows, (total, least, most) = programme.rows, master.total_row()
        bought = csr_array(diags_array(1.0 / programme.reach) @ programme.count_of)
        whole = csr_array(vstack([rows.matrix, total]))
        matrix = (whole + whole[:, programme.at["n"]] @ bought)[:, free].toarray()
        # Of the rows that say what is bought nothing is left.
        used = np.abs(matrix).max(axis=1, initial=0.0) > OUTSIDE
        low, high = np.concatenate([rows.lower, least]), np.concatenate([rows.upper, most])
        return _Rows(matrix[used], low[used], high[used])

    def kept(self, y: FloatArray) -> bool:
        """Whether y keeps them."""
        reached = self.matrix @ y
        return bool(np.all((reached >= self.low - OUTSIDE) & (reached <= self.high + OUTSIDE)))

    def constraints(self, extra: int) -> list[dict[str, Any]]:
        """As the steps take them, over y and `extra` more."""
        matrix = np.concatenate([self.matrix, np.zeros((len(self.matrix), extra))], axis=1)
        same = self.low == self.high
        below, above = ~same & np.isfinite(self.high), ~same & np.isfinite(self.low)
        rows = np.concatenate([-matrix[below], matrix[above]])
        rest = np.concatenate([self.high[below], -self.low[above]])
        found = [_constraint("ineq", lambda x: rest + rows @ x, lambda _: rows)] if len(rows) else []
        if same.any():
            equal, wanted = matrix[same], self.high[same]
            found.append(_constraint("eq", lambda x: equal @ x - wanted, lambda _: equal))
        return found


class _Hill:
    """U over x: the free columns y, and F's own variables, counted from where they stand in units of `scale`."""

    def __init__(self, master: Master, free: IntArray, first: FloatArray) -> None:
        """first [y]: where the steps begin."""
        self.master, self.outer, self.free, self.first = master, master.outer, free, first
        self.rise = master.programme.count_of[:, free].toarray()
        _, gradient = master.values.tangents(master.held + self.rise @ first)
        # Columns run from 0 to 1 at the most: this is about what all of one brings.
        self.scale = max(float(np.abs(gradient @ self.rise).max()), LEAST_GAIN)
        self.seen: tuple[bytes, FloatArray, FloatArray] | None = None

    def climbed(self, rise: float) -> FloatArray | None:
        """y where steps end that raise U by less than `rise`; None where that is not allowed."""
        from scipy.optimize import Bounds, minimize  # here: many plans need no steps, and it weighs 24 MB

        size, extra, outer = len(self.free), self.outer.extra, self.outer
        lower, upper = (bound[self.free] for bound in self.master.programme.bounds)
        endless, rows = np.full(extra, np.inf), _Rows.of(self.master, self.free)
        asked: dict[str, Any] = {
            "method": "SLSQP",
            "jac": lambda x: -outer.objective @ self._slope(x),
            "bounds": Bounds(np.concatenate([lower, -endless]), np.concatenate([upper, endless])),
            "constraints": rows.constraints(extra) + self._constraints(),
            "options": {"ftol": rise, "maxiter": MOST_ASCENTS},
        }
        first = np.concatenate([self.first, np.zeros(extra)])
        found = minimize(self._below, first, **asked)
        y = np.clip(found.x[:size], lower, upper)
        return y if np.all(np.isfinite(y)) and rows.kept(y) else None

    def _below(self, x: FloatArray) -> float:
        """What is to be made least: U, turned over."""
        return -float(self.outer.objective @ self._value(x))

    def _constraints(self) -> list[dict[str, Any]]:
        """F's rows, and the values that must be reached."""
        found, master = [], self.master
        if len(self.outer.rhs):
            rows = self.outer.rows.toarray()
            rest = (self.outer.rhs - rows @ self._stand) / self.scale
            found.append(_constraint("ineq", lambda x: rest - rows @ self._value(x), lambda x: -rows @ self._slope(x)))
        held = np.flatnonzero(np.isfinite(master.floor))
        if len(held):
            least = ((master.floor - master.now) / self.scale)[held]
            found.append(_constraint("ineq", lambda x: self._value(x)[held] - least, lambda x: self._slope(x)[held]))
        return found

    @cached_property
    def _stand(self) -> FloatArray:
        """Where V and F's variables [k + extra] stand: the first of those is a level of values."""
        own = np.zeros(self.outer.extra)
        own[:1] = self.master.start
        return np.concatenate([self.master.now, own])

    def _value(self, x: FloatArray) -> FloatArray:
        """V and F's variables [k + extra]."""
        return self._looked(x)[1]

    def _slope(self, x: FloatArray) -> FloatArray:
        """Their gradients [k + extra, x]."""
        return self._looked(x)[2]

    def _looked(self, x: FloatArray) -> tuple[bytes, FloatArray, FloatArray]:
        key = x.tobytes()
        if self.seen is None or self.seen[0] != key:
            y, own = np.split(x, [len(self.free)])
            value, gradient = self.master.values.tangents(np.maximum(self.master.held + self.rise @ y, 0.0))
            slope = np.zeros((len(value) + len(own), len(x)))
            slope[: len(value), : len(y)] = gradient @ self.rise / self.scale
            slope[len(value) :, len(y) :] = np.eye(len(own))
            self.seen = key, np.concatenate([(value - self.master.now) / self.scale, own]), slope
        return self.seen


def _constraint(
    kind: str, value: Callable[[FloatArray], FloatArray], slope: Callable[[FloatArray], FloatArray]
) -> dict[str, Any]:
    return {"type": kind, "fun": value, "jac": slope}
