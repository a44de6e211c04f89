from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tranche.sheets.instants import read_instant, since_1970

UTC = timezone.utc


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-20T10:00:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        (" 2026-11-20t10:00z ", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20 10:00:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T10:00:00.1234567+0530", datetime(2026, 11, 20, 4, 30, 0, 123456, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("0001-01-01T14:00:00+14:00", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T09:59:59-14:00", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2016-12-31T18:59:60.5-05:00", datetime(2017, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_utc(text: str, said: datetime) -> None:
    assert read_instant(text) == said
    assert read_instant(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1763632800", "is a number"),
        ("46346.4166", "is a number"),
        ("-5", "is a number"),
        ("20261120", "is a number"),
        ("0001-01-01T00:00:00+14:00", "outside of the years 1 to 9999"),
        ("9999-12-31T23:59:59-14:00", "outside of the years 1 to 9999"),
        ("9999-12-31T23:59:60Z", "outside of the years 1 to 9999"),
        ("0000-01-01T00:00:00Z", "send 2026-11-20T10:00:00Z"),
        ("10000-01-01T00:00:00Z", "send 2026-11-20T10:00:00Z"),
        ("2026-11-20T10:00:60Z", "leap seconds"),
        ("2026-11-20T24:00:00Z", "send"),
        ("2026-11-20T10:00:00+24:00", "send"),
        ("2026-11-20T10:00:00 02:00", "%2B"),
        ("2026-W47-5", "send"),
        ("", "send"),
        ("٢٠٢٦-11-20", "send"),
    ],
)
def test_what_is_no_instant_says_what_to_send(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_instant(text)


@given(st.text(max_size=60) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.,Zz+ -]{0,40}", fullmatch=True))
def test_a_text_is_an_instant_in_utc_or_refused(text: str) -> None:
    try:
        at = read_instant(text)
    except ValueError:
        return
    assert at.tzinfo is UTC


@given(st.datetimes(timezones=st.timezones()))
def test_what_python_writes_is_read_back(at: datetime) -> None:
    try:
        in_utc = at.astimezone(UTC)
    except OverflowError:
        return
    assert read_instant(in_utc.isoformat()) == in_utc


@pytest.mark.parametrize("number", [0, 46346.4166, -1, 10**18, float("nan"), 10**400])
def test_a_number_of_no_known_unit_is_no_instant(number: float) -> None:
    assert since_1970(number, 1) is None
    assert since_1970(1_763_632_800, 1) == since_1970(1_763_632_800_000, 1000) == datetime(2025, 11, 20, 10, tzinfo=UTC)


def test_half_of_a_character_can_be_told() -> None:
    with pytest.raises(ValueError, match="is no instant") as refused:
        read_instant("\udfff\ud800")
    assert str(refused.value).encode()
