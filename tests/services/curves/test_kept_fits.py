"""A fit that is stored is the fit that was made, to the last bit, and none of other code or another question."""

import json
import zlib
from dataclasses import fields, is_dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from app.planner.quality import Worth
from app.services.curves import kept_fits
from app.services.curves.basis import Basis, BasisGroup, packed, unpacked
from app.services.curves.fit import fit_now
from app.services.curves.fits import DRAWS, SEED, FitKey
from app.services.curves.kept_fits import freeze, keep_fit, kept_fit, thaw
from app.services.curves.runs import Runs, runs_of_rows
from app.store.db import Database
from tests.api_client import Api
from tests.services.curves.test_runs import START, SimpleNamespace


def basis(*groups: str, **changes: Any) -> Basis:
    about = BasisGroup(1, "a", None, {"side": "left"}, None, 120.5)
    named = [replace(about, id=number, key=key) for number, key in enumerate(groups, 1)]
    return Basis("default", "proportion", "maximize", 0.0, 1.0, tuple(named), **changes)


def measured(keys: str, number: int, moved: float = 0.0) -> Runs:
    """Runs in which each group's loss falls with its own samples, and by `moved` of a sample with each other one."""
    rng = np.random.default_rng(3)
    rows = []
    for run in range(number):
        counts = {key: int(n) for key, n in zip(keys, rng.integers(20, 400, len(keys)), strict=True)}
        all_of_them = sum(counts.values())
        worth = {key: n + moved * (all_of_them - n) for key, n in counts.items()}
        metrics = {
            key: {"value": 0.9 - 2.0 * n**-0.5 + rng.normal(0, 0.002), "stderr": 0.002} for key, n in worth.items()
        }
        rows.append(
            SimpleNamespace(
                id=UUID(int=run),
                external_id=None,
                content_hash=str(run),
                counts=counts,
                metrics=metrics,
                origin={"s": {keys[0]: counts[keys[0]] // 2}} if run % 3 == 2 else None,
                holdout="h",
                observed_at=START,
                data_version=1,
                voided_version=None,
            )
        )
    return runs_of_rows(rows)


def alike(one: Any, other: Any) -> None:
    """Equal to the last bit, arrays in the same order in memory: sums round by it."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
        if other.flags.c_contiguous or other.flags.f_contiguous:
            assert one.flags.f_contiguous == other.flags.f_contiguous
    elif is_dataclass(one):
        for part in fields(one):
            alike(getattr(one, part.name), getattr(other, part.name))
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            alike(one[key], other[key])
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            alike(mine, theirs)
    else:
        assert one == other


@pytest.mark.parametrize(
    ("keys", "runs", "moved"),
    [("ab", 12, 0.0), ("abc", 30, 0.8), ("a", 1, 0.0), ("ab", 0, 0.0)],
)
def test_what_is_thawed_is_what_was_frozen(keys: str, runs: int, moved: float) -> None:
    project = basis(*keys, model="joint" if moved else "separate", worths={"s": Worth(), "t": Worth(0.5, 0.0)})
    fitted = fit_now(project, measured(keys, runs, moved), DRAWS, SEED)
    assert (fitted.posterior.transfer is not None) == bool(moved)
    assert bool(fitted.learnt.qualities) == (runs > 2)
    if fitted.posterior.transfer is not None:
        clashing = replace(fitted.posterior.transfer, conflict=0.1 * fitted.posterior.excess)
        fitted = replace(fitted, posterior=replace(fitted.posterior, transfer=clashing))
    alike(thaw(freeze(fitted)), fitted)


def test_a_stated_curve_and_an_open_metric_are_kept() -> None:
    stated = BasisGroup(1, "a", {"asymptote": 0.1, "scale": 1.0, "exponent": 0.5, "offset": 0.0}, None, None, 10.0)
    fitted = fit_now(Basis("default", "other", "minimize", 0.0, None, (stated,)), measured("b", 3), DRAWS, SEED)
    alike(thaw(freeze(fitted)), fitted)


def test_of_separate_models_none_moves_another_and_what_each_run_was_trained_on_is_kept() -> None:
    fitted = fit_now(basis("a", "b", "c", model="separate"), measured("abc", 30, moved=0.8), DRAWS, SEED)
    assert fitted.posterior.transfer is None
    assert not fitted.observations.joint
    alike(thaw(freeze(fitted)), fitted)


def test_a_basis_packed_before_projects_said_their_model_is_separate() -> None:
    said = basis("a", model="separate")
    assert unpacked(packed(said)) == said
    earlier = json.loads(zlib.decompress(packed(said)))
    del earlier["model"], earlier["worths"]
    assert unpacked(zlib.compress(json.dumps(earlier).encode())) == replace(said, model="separate")


def test_a_basis_is_unpacked_as_it_was() -> None:
    said = basis("a", "b", worths={"s": Worth(), "t": Worth(0.5, 0.0)})
    assert unpacked(packed(said)) == said
    nothing = Basis("r", "other", "minimize", 0.0, None, ())
    assert unpacked(packed(nothing)) == nothing


def test_only_the_fit_of_this_code_and_question_is_found(
    api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = UUID(api.project().rpartition("/")[2])
    frozen = freeze(fit_now(basis("a"), measured("a", 3), DRAWS, SEED))
    with database.writing() as session:
        keep_fit(session, project, 6, frozen)
        keep_fit(session, project, 7, frozen)
    with database.reading() as session:
        key = FitKey(project, 7, DRAWS, SEED)
        assert kept_fit(session, key) is not None
        for other in (replace(key, data_version=6), replace(key, draws=100), replace(key, seed=1)):
            assert kept_fit(session, other) is None
        monkeypatch.setattr(kept_fits, "stamp", lambda: "of other code")
        assert kept_fit(session, key) is None


def test_what_is_too_large_is_not_stored(api: Api, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    project = UUID(api.project().rpartition("/")[2])
    fitted = fit_now(basis("a"), measured("a", 3), DRAWS, SEED)
    assert kept_fits.worth_freezing(fitted)
    monkeypatch.setattr(kept_fits, "MOST_BYTES", 1_000)
    assert not kept_fits.worth_freezing(fitted)
    with database.writing() as session:
        keep_fit(session, project, 7, freeze(fitted))
        assert kept_fit(session, FitKey(project, 7, DRAWS, SEED)) is None
