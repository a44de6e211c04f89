"""Posteriors of one curve per group: the point estimate, and one draw (planner.md 6)."""

from collections.abc import Callable
from dataclasses import replace

from app.planner.arrays import FloatArray
from app.planner.posterior import Posterior
from app.planner.streams import uniforms


def point_estimate(posterior: Posterior) -> Posterior:
    """One curve per group whose parameters are the posterior's means: no uncertainty is left in it.

    Means keep the curve pinned where the draws are: anchor − offset, the count at which A is the excess, is the same
    in all of them.
    """
    return _kept(posterior, lambda values: values.mean(axis=-1, keepdims=True))


def one_draw(posterior: Posterior, seed: int) -> Posterior:
    """One draw of the posterior, picked by `seed` at random, the same for any order of the groups."""
    draw = min(int(uniforms(seed, ("thompson",), 1)[0, 0, 0] * posterior.draws), posterior.draws - 1)
    return _kept(posterior, lambda values: values[..., [draw]])


def _kept(posterior: Posterior, pick: Callable[[FloatArray], FloatArray]) -> Posterior:
    transfer = posterior.transfer
    if transfer is not None:
        transfer = replace(transfer, weights=pick(transfer.weights), kappa=pick(transfer.kappa))
    return replace(
        posterior,
        asymptote=pick(posterior.asymptote),
        excess=pick(posterior.excess),
        anchor=pick(posterior.anchor),
        exponent=pick(posterior.exponent),
        offset=pick(posterior.offset),
        knot=pick(posterior.knot),
        discrepancy=pick(posterior.discrepancy),
        transfer=transfer,
    )
