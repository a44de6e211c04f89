"""Curves that a user states for the sake of a question, put into draws that were fitted without them."""

from dataclasses import replace

import numpy as np

from app.planner.arrays import IntArray
from app.planner.posterior import Posterior


def stating(posterior: Posterior, indices: IntArray, stated: Posterior) -> Posterior:
    """`posterior` with the groups at `indices` taken from `stated`, in its order; the others keep their draws.

    A stated curve is exact: other groups' data does not move it, while its own count moves others as before.
    """
    replaced = posterior.replaced(indices, stated)
    transfer = posterior.transfer
    if transfer is None:
        return replaced
    weights, kappa, off = transfer.weights.copy(), transfer.kappa.copy(), transfer.off.copy()
    received = list(transfer.received)
    weights[indices], kappa[indices], off[indices] = 0.0, np.inf, 1.0
    for at in indices.tolist():
        received[at] = ()
    moved = replace(transfer, weights=weights, kappa=kappa, off=off, received=tuple(received))
    return replace(replaced, transfer=moved)
