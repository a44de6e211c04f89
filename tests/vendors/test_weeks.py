"""A vendor's record by week, against counts made by hand and SciPy's own quantiles."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from scipy.stats import beta

from app.services.ledger.weeks import weeks_of
from tests.vendors.test_inbox import item
from tests.vendors.world import World
from tests.web.browser_client import Pages, text_of


def test_what_came_is_told_by_the_week_in_which_it_came_and_was_reviewed(world: World) -> None:
    source = f"{world.project}/sources/s"
    assert world.api.patch(source, json={"lead_time_days": 3}).status_code == 200
    first = world.now.date()
    monday = first - timedelta(days=first.weekday())
    world.send(*(item(str(number)) for number in range(6)), item("6", "rejected"), item("7", "submitted", "B"))
    world.later(8 * 86_400)
    world.send(item("8"), item("7", "rejected", "B"))
    second = first + timedelta(days=8)
    with world.context.database.reading() as session:
        newer, older = weeks_of(session, UUID(world.connection_id), world.now)
        assert older.begins == monday
        assert (older.accepted, older.rejected, older.days_late) == (6, 1, 0.0)
        assert older.unit_cost == Decimal(16) / 6
        assert older.acceptance is not None
        low, high = beta.ppf([0.05, 0.95], 6.5, 1.5)
        assert abs(older.acceptance.p05 - low) + abs(older.acceptance.p95 - high) < 1e-9
        assert newer.begins == second - timedelta(days=second.weekday())
        assert (newer.accepted, newer.rejected) == (1, 1)
        # One sample came eight days after the order, of which three were its lead time.
        assert newer.days_late == 5.0
        assert newer.unit_cost == 2
        assert weeks_of(session, UUID(world.connection_id), world.now + timedelta(weeks=40)) == []
    pages = Pages(world.api)
    pages.sign_in(world.api.key or "")
    shown = text_of(pages.get(f"/connections/{world.connection_id}"))
    assert f"{monday.isoformat()} " in shown
    assert "6 1 81.2" in shown
