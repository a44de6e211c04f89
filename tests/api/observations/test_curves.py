"""Learning curves over HTTP."""

from itertools import pairwise

import numpy as np

from tests.api_client import RUNS, Api

QUANTILES = ["p05", "p10", "p25", "p50", "p75", "p90", "p95"]


def measured(api: Api) -> str:
    path = api.project(
        groups=[{"key": "A", "initial_count": 200, "target": 0.8}, {"key": "B", "initial_count": 100, "target": 1.0}]
    )
    api.post(f"{path}/observations", json={"observations": RUNS})
    return path


def test_bands_are_in_the_metrics_units_and_in_order(api: Api) -> None:
    path = measured(api)
    for curve in api.get(f"{path}/curves?at=50,100,200,400,1000000000").json()["items"]:
        assert [band["count"] for band in curve["bands"]] == [50, 100, 200, 400, 10**9]
        for band in curve["bands"]:
            values = [band[name] for name in QUANTILES]
            assert values == sorted(values)
            assert 0 <= values[0] <= band["mean"] <= values[-1] <= 1
        medians = [band["p50"] for band in curve["bands"]]
        assert medians == sorted(medians)


def test_the_band_holds_what_was_measured(api: Api) -> None:
    path = measured(api)
    for curve in api.get(f"{path}/curves?at=50,100,200,25").json()["items"]:
        bands = {band["count"]: band for band in curve["bands"]}
        for point in curve["points"]:
            band = bands[point["count"]]
            assert band["p05"] - 0.02 <= point["value"] <= band["p95"] + 0.02
            assert abs(point["residual"]) < 2
            assert point["stderr"] == 0.01


def test_without_counts_the_bands_spread_round_what_is_held(api: Api) -> None:
    curve = api.get(f"{measured(api)}/curves/A").json()
    counts = [band["count"] for band in curve["bands"]]
    assert counts == sorted(set(counts))
    assert 200 in counts
    assert counts[0] < 50
    assert counts[-1] >= 800


def test_parameters_have_intervals_and_a_target_out_of_reach_is_null(api: Api) -> None:
    path = measured(api)
    first = api.get(f"{path}/curves/A").json()["parameters"]
    assert set(first) == {"asymptote", "exponent", "offset", "samples_to_target"}
    for low, high in pairwise(["p05", "p50", "p95"]):
        assert first["exponent"][low] <= first["exponent"][high]
        assert first["asymptote"][low] <= first["asymptote"][high]
    assert api.get(f"{path}/curves/B").json()["parameters"]["samples_to_target"]["p95"] is None


def test_pages_of_curves_are_the_single_curves(api: Api) -> None:
    path = measured(api)
    page = api.get(f"{path}/curves?limit=1&at=100").json()
    rest = api.get(f"{path}/curves", params={"limit": 1, "at": "100", "cursor": page["next_cursor"]}).json()
    assert rest["next_cursor"] is None
    singles = [api.get(f"{path}/curves/{key}?at=100").json() for key in ("A", "B")]
    assert [*page["items"], *rest["items"]] == singles


def test_an_assumed_curve_is_shown_as_it_was_stated(api: Api) -> None:
    curve = {"asymptote": 0.05, "scale": 2.0, "exponent": 0.5, "offset": 10.0}
    path = api.project(groups=[{"key": "A", "initial_count": 90, "assumed_curve": curve}])
    shown = api.get(f"{path}/curves/A?at=90,390").json()
    np.testing.assert_allclose([band["p05"] for band in shown["bands"]], [0.75, 0.85])
    np.testing.assert_allclose([band["p95"] for band in shown["bands"]], [0.75, 0.85])
    np.testing.assert_allclose(shown["parameters"]["asymptote"]["mean"], 0.95)


def test_a_project_without_groups_has_no_curves(api: Api) -> None:
    assert api.get(f"{api.project(groups=[])}/curves").json() == {"items": [], "next_cursor": None}
