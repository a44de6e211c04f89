"""When a failed delivery is tried again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.webhooks.retries import DELAYS_S, RETRY_AFTER_MAX_S, retry_after, retry_delay

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@given(st.uuids(), st.integers(1, 9), st.none() | st.floats(0, 1e12))
def test_a_retry_comes_not_before_the_schedule_nor_long_after(delivery: UUID, number: int, asked: float | None) -> None:
    delay = retry_delay(delivery, number, asked)
    least = max(DELAYS_S[number - 1], min(asked or 0, RETRY_AFTER_MAX_S))
    assert delay is not None
    assert least <= delay <= least * 1.1
    assert delay == retry_delay(delivery, number, asked)


@given(st.uuids(), st.integers(10, 1_000))
def test_after_the_tenth_attempt_there_is_none(delivery: UUID, number: int) -> None:
    assert retry_delay(delivery, number, 5.0) is None


def test_the_schedule_spans_three_days_as_the_specification_recommends() -> None:
    assert sum(DELAYS_S) == timedelta(hours=75, minutes=35, seconds=5).total_seconds()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("0", 0),
        (" 120 ", 120),
        ("9" * 400, RETRY_AFTER_MAX_S),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("Fri, 20 Nov 2026 10:00:07", 7),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text(max_size=40))
def test_no_header_breaks_the_reading(header: str) -> None:
    read = retry_after(header, NOW)
    assert read is None or read >= 0
