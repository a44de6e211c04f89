"""Where steps end: against the bound of the tangents there, every split of the money on a grid, and limits."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from app.planner.problem.canonical import Canonical
from app.planner.problem.order_programme import Programme
from app.planner.problem.problem import Limit, Problem
from app.planner.relaxation.ascent import MOST_STEPPED, climb
from app.planner.relaxation.master import Master
from app.planner.utility.objective import Objective
from tests.planner.problems import UTILITARIAN, offers
from tests.planner.questions import KINDS
from tests.planner.relaxation.test_totals import clashing


def master_of(asked: Problem) -> Master:
    form = Canonical.of(asked)
    programme = Programme(form.market, form.region, form.utility.outer.extra, whole=False)
    return Master.of(form.values, programme, form.held)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.kind}-{kind.aversion}-{kind.power}-{kind.mode}")
def test_of_every_utility_the_top_is_found(kind: Objective) -> None:
    master = master_of(clashing(2, groups=3, draws=6, conflict=0.0, objective=kind))
    columns = climb(master, 1e-5)
    assert columns is not None
    found = master.values.total(master.counts(columns))
    market = master.programme.market
    splits = [np.array(split) / 20.0 for split in product(range(21), repeat=3) if sum(split) == 20]
    tried = [master.values.total(master.held + market.effective @ (split / market.segments.price)) for split in splits]
    assert found >= max(tried) - 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_what_tangents_leave_open_there_is_as_little_as_asked(seed: int) -> None:
    master = master_of(clashing(seed, groups=6, draws=20, conflict=0.0))
    for tolerance in (1e-2, 1e-6):
        columns = climb(master, tolerance)
        assert columns is not None
        counts, segments = master.counts(columns), master.programme.at["u"]
        _, gradient = master.values.tangents(counts)
        brought = (master.values.utility.gradient(master.now) @ gradient) @ master.programme.count_of
        # All the money on what brings most there, against where it is: Frank and Wolfe's gap.
        gap = brought[segments].max() - brought @ columns
        assert gap <= 10.0 * tolerance * (master.values.total(counts) - master.start)
        again = climb(master, tolerance, columns)
        assert again is not None
        assert master.values.total(master.counts(again)) >= master.values.total(counts) - 1e-12


def test_limits_totals_and_fixed_costs_are_kept() -> None:
    asked = clashing(1, groups=3, draws=6, conflict=0.0)
    first, *rest = offers([1.0, 2.0, 3.0])
    sources = (replace(first, fixed_cost=20_000_000), *rest)
    limit = Limit("a tenth of the money", "sources", (0,), "cost_share", maximum=0.1)
    master = master_of(replace(asked, sources=sources, limits=(limit,)))
    total = float(master.held.sum()) + 50.0
    for one in (master, replace(master, totals=(total, total))):
        columns = climb(one, 1e-4)
        assert columns is not None
        rows = one.programme.rows
        kept = rows.matrix @ columns
        bought = rows.matrix[:, one.programme.at["n"]].toarray().any(axis=1)
        assert np.all(kept[~bought] <= rows.upper[~bought] + 1e-8)
        assert np.all(kept[~bought] >= rows.lower[~bought] - 1e-8)
        if np.isfinite(one.totals[0]):
            assert one.counts(columns).sum() == pytest.approx(total, rel=1e-8)


def test_what_cannot_be_kept_and_what_is_too_large_has_no_answer() -> None:
    master = master_of(clashing(1, groups=3, draws=4, conflict=0.0))
    assert climb(replace(master, totals=(1e9, 2e9)), 1e-3) is None
    asked = clashing(1, groups=2, draws=2, objective=UTILITARIAN)
    many = offers([1.0] * (MOST_STEPPED + 1), groups=[0] * (MOST_STEPPED + 1))
    assert climb(master_of(replace(asked, sources=many)), 1e-3) is None
