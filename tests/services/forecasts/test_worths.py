"""What groups' samples are worth to each other, against the draws it is told of."""

from dataclasses import replace

import numpy as np
import pytest

from app.planner.curves import Received
from app.services.forecasts.worths import worths_of
from tests.planner.joint import joint_posterior, losses_at


def test_of_many_groups_the_pairs_that_are_worth_most_are_told() -> None:
    posterior = joint_posterior(1, groups=14, draws=20, conflict=0.3)
    transfer = posterior.transfer
    assert transfer is not None
    means = transfer.weights.mean(axis=2)
    received = tuple(
        tuple(Received(posterior.keys[h], means[g, h], 0.0, 2.0) for h in range(14) if h != g) for g in range(14)
    )
    known = replace(posterior, transfer=replace(transfer, received=received))
    worths = worths_of(known, {key: f"group {key}" for key in posterior.keys})
    assert worths is not None
    assert not worths.rows
    assert [pair.worth.mean for pair in worths.pairs] == sorted(means[means > 0.0], reverse=True)[:12]
    best = np.unravel_index(np.argmax(means), means.shape)
    first = worths.pairs[0]
    assert (first.group, first.source) == tuple(f"group {posterior.keys[at]}" for at in best)


def test_what_misfit_takes_stands_beside_the_worths() -> None:
    posterior = joint_posterior(1, groups=3, draws=20, conflict=0.3)
    names = dict(zip(posterior.keys, "abc", strict=True))
    worths = worths_of(posterior, names)
    assert worths is not None
    assert worths.clash
    transfer = posterior.transfer
    assert transfer is not None
    calm = replace(posterior, transfer=replace(transfer, conflict=np.zeros((3, 20))))
    taken = losses_at(posterior, transfer.held) - losses_at(calm, transfer.held)
    for (_, _, misfit), expected in zip(worths.rows, taken, strict=True):
        assert misfit is not None
        assert misfit.mean == pytest.approx(float(expected.mean()), rel=1e-9)
    assert worths_of(replace(posterior, transfer=None), names) is None
