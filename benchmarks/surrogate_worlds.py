"""The surrogate of polygenic scores: worlds of three populations whose curves help each other, with a known truth."""

import numpy as np

from app.planner.arrays import FloatArray
from app.planner.curves.posterior import Diagnostics, Posterior
from app.planner.curves.transfer import Transfer
from app.planner.simulation.worlds import CurveWorld


def hyperbolas(
    keys: tuple[str, ...], top: FloatArray, half: FloatArray, weights: FloatArray, kappa: float, start: FloatArray
) -> Posterior:
    """Curves of scores with the upper bound 1 that grow as A n/(n + m), in one draw.

    n is the effective size n_g + Σ_h w_gh n_h/(1 + n_h/κ). top A and half m [groups], weights w [groups, groups] with a
    diagonal of 0, start [groups]. The loss is 1 − A + A m/(n + m).
    """
    groups = len(keys)
    column = np.ones((groups, 1))
    return Posterior(
        keys=keys,
        asymptote=(1.0 - top)[:, None],
        excess=(top * half)[:, None],
        anchor=column,
        exponent=column,
        offset=half[:, None],
        knot=np.zeros((groups, 1)),
        reference=np.ones(groups),
        noise=np.zeros(groups),
        discrepancy=np.zeros((groups, 1)),
        threshold=np.zeros((groups, 1)),
        diagnostics=(Diagnostics(0, 0, 0.0, 0),) * groups,
        residuals=(np.zeros(0),) * groups,
        warnings=(),
        transfer=Transfer.of_fit(weights[:, :, None], kappa * column, start, np.zeros(groups), ((),) * groups),
    )


POLYGENIC_KEYS = ("YRI", "CEU", "CHB")
POLYGENIC_TRANSFER = np.array([[0.0, 0.17, 0.18], [0.19, 0.0, 0.45], [0.20, 0.44, 0.0]])


def polygenic_surrogate(start: FloatArray, seed: int) -> CurveWorld:
    """A world of three populations whose curves were read off polygenic scores over simulated genomes.

    R² of YRI, CEU and CHB, the holdout's error .03 and a run's own .01.
    """
    truth = hyperbolas(
        POLYGENIC_KEYS,
        np.array([0.96, 0.92, 0.90]),
        np.array([523.0, 402.0, 368.0]),
        POLYGENIC_TRANSFER,
        1500.0,
        start,
    )
    return CurveWorld(truth, start, np.full(3, 0.03), np.full(3, 0.01), seed)
