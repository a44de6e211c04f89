"""What targets cost, on a page."""

from tests.api.planning.test_requirements import curve, known
from tests.api_client import Api
from tests.conftest import one_database
from tests.web.browser_client import Pages, text_of

pytestmark = one_database


def test_what_is_out_of_reach_and_what_the_rest_costs(api: Api, pages: Pages) -> None:
    """1 − n^(−1/2) ≥ 0.95 from n = 400 on: 300 more at 1.50 USD. B never gets above 0.8."""
    path = known(
        api,
        {"key": "A", "initial_count": 100, "unit_cost": "1.50", "target": 0.95, "assumed_curve": curve(1.0)},
        {"key": "B", "name": "the second", "unit_cost": "2", "target": 0.9, "assumed_curve": curve(1.0, asymptote=0.2)},
    )
    page = text_of(pages.get(f"{path.removeprefix('/v1')}/requirements"))
    assert "1 of 2 targets are reached with a chance of 90 % for 450.00 USD" in page
    assert "the second out of reach of any amount of data" in page


def test_a_project_without_targets_says_where_to_set_them(api: Api, pages: Pages) -> None:
    page = pages.get(f"{api.project().removeprefix('/v1')}/requirements")
    assert page.status_code == 200
    assert "No group has a target" in text_of(page)
