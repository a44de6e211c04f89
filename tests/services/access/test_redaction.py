"""What receivers answer is kept without secrets."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.access.redaction import redact

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
KEY = "tranche_3f9c0a7be1d24c58_" + "x" * 43


@pytest.mark.parametrize(
    "hidden",
    [SECRET, KEY, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "Bearer abcdef0123456789", "Basic dXNlcjpwYXNz"],
)
def test_secrets_are_hidden_whoever_they_belong_to(hidden: str) -> None:
    kept = redact(f'{{"got": "{hidden}", "ok": true}}'.encode(), [])
    assert hidden not in kept
    assert kept == '{"got": "[hidden]", "ok": true}'


@pytest.mark.parametrize(
    "text",
    ["Authorization: hush-hush", "authorization=hush-hush", '{"api_key": "hush-hush"}', "x-auth-token: hush-hush",
     "password = 'hush-hush'", "Set-Cookie: hush-hush; Path=/", "client_secret=hush-hush&x=1"],
)  # fmt: skip
def test_what_is_named_a_secret_is_hidden(text: str) -> None:
    assert "hush-hush" not in redact(text.encode(), [])


def test_known_secrets_are_hidden_without_their_prefix_and_where_the_answer_was_cut() -> None:
    bare = SECRET.removeprefix("whsec_")
    assert redact(f"key {bare} end".encode(), [bare]) == "key [hidden] end"
    for kept in range(8, len(bare)):
        assert bare[:8] not in redact(f"key {bare[:kept]}".encode(), [bare])


@pytest.mark.parametrize("text", ["a-" * 1_024, "secret-" * 292, "v1," * 682, "x-" * 500 + "secret" + " " * 900])
def test_no_answer_keeps_the_worker_busy(text: str) -> None:
    """Patterns that look back over and over would take a thousand times as long for twice the text."""
    started = process_time()
    redact(text.encode() * 100, [SECRET])
    assert process_time() - started < 5


@pytest.mark.parametrize("text", ["ok", "try later\n\tplease", '{"status": "queued", "id": 17}', "größer als zuvor"])
def test_plain_answers_are_kept_as_they_are(text: str) -> None:
    assert redact(text.encode(), [SECRET]) == text


@given(st.binary(max_size=300))
def test_whatever_comes_is_text_that_both_databases_store(raw: bytes) -> None:
    kept = redact(raw, [])
    assert "\0" not in kept
    kept.encode()
