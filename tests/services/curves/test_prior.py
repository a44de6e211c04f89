"""The shipped priors: of curves, and of what groups trained together have in common."""

import json
from importlib.resources import files

import numpy as np
import pytest

from app.planner.borrowing.strata import CONFLICTS, EXPONENTS, GAIN_LEVELS, STRATA, TRANSFERS
from app.services.curves.prior import prior_for


@pytest.mark.parametrize("span", [None, 1.0])
def test_the_strata_have_the_weights_that_were_trained_for_their_levels(span: float | None) -> None:
    shipped = json.loads(files("app.services.curves").joinpath("data/transfer.json").read_text(encoding="utf-8"))
    assert shipped["levels"] == [list(axis) for axis in (TRANSFERS, EXPONENTS, CONFLICTS, GAIN_LEVELS)]
    assert prior_for(span).strata.tolist() == shipped["strata"]
    # Logs of weights that are rounded to three decimals.
    assert np.exp(prior_for(span).strata).sum() == pytest.approx(1.0, abs=2e-3)
    assert len(shipped["strata"]) == len(STRATA)


def test_bounded_metrics_have_the_trained_shapes_and_open_ones_the_flat() -> None:
    assert prior_for(1.0).by_level
    assert not prior_for(None).by_level
