"""Posteriors in which groups' data moves each other: effective counts and misfit, random by seed."""

from dataclasses import replace

import numpy as np

from app.planner.curves.posterior import Posterior
from app.planner.curves.transfer import Transfer
from tests.planner.problems import random_curves, scattered


def joint_posterior(seed: int, groups: int, draws: int, conflict: float, held: np.ndarray | None = None) -> Posterior:
    """Random curves with weights from 0 to 1.3 and conflicts up to `conflict`; 20 to 400 samples are held."""
    rng = np.random.default_rng(seed)
    there = rng.uniform(20.0, 400.0, size=groups) if held is None else held
    weights = rng.uniform(0.0, 1.3, size=(groups, groups, draws)) * (1.0 - np.eye(groups))[:, :, None]
    transfer = Transfer.of_fit(
        weights,
        rng.uniform(300.0, 3000.0, size=(groups, draws)),
        there,
        np.zeros(groups),
        ((),) * groups,
        conflict * rng.uniform(0.0, 1.0, size=(groups, draws)),
    )
    return replace(scattered(random_curves(rng, groups), draws, seed), transfer=transfer)


def losses_at(posterior: Posterior, counts: np.ndarray) -> np.ndarray:
    """The losses [groups, draws] at the counts [groups] of all groups, term by term as method.md 3 has them."""
    transfer = posterior.transfer
    assert transfer is not None
    found = np.zeros((len(counts), posterior.draws))
    for g in range(len(counts)):
        for draw in range(posterior.draws):
            effective, unlike = counts[g], 0.0
            for h in range(len(counts)):
                if h != g:
                    weight = transfer.weights[g, h, draw]
                    effective += weight * counts[h] / (1.0 + counts[h] / transfer.kappa[g, draw])
                    unlike += max(0.0, 1.0 - weight) * counts[h]
            base = (effective + posterior.offset[g, draw]) / posterior.anchor[g, draw]
            curve = posterior.asymptote[g, draw] + posterior.excess[g, draw] * base ** -posterior.exponent[g, draw]
            misfit = unlike / counts.sum() if counts.sum() > 0.0 else 0.0
            found[g, draw] = curve + transfer.conflict[g, draw] * misfit**2
    return found
