"""Signatures by the Standard Webhooks specification."""

import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.services.webhooks.signing import new_signing_secret, sign, signed_headers


def test_the_known_answer_of_the_reference_libraries() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signature = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', secret)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signature_covers_id_timestamp_and_body_joined_by_full_stops() -> None:
    """Worked out by openssl: `printf 'a.1.b' | openssl dgst -sha256 -mac HMAC -macopt hexkey:…`, in base64."""
    secret = "whsec_" + base64.b64encode(bytes(range(24))).decode()
    shell = "printf a.1.b | openssl dgst -sha256 -mac HMAC -macopt hexkey:%s -binary | base64" % bytes(range(24)).hex()
    told = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout.strip()
    assert sign("a", 1, b"b", secret) == f"v1,{told}"


@given(st.text(max_size=200))
def test_the_published_library_verifies_ours(text: str) -> None:
    secret = new_signing_secret()
    body = json.dumps({"text": text}).encode()
    headers = signed_headers("0198c5a0-7e6b-7c3e-9d6a-5b1f0c2d3e4f", datetime.now(UTC), body, [secret])
    assert Webhook(secret).verify(body, headers) == {"text": text}
    changes = {
        "webhook-id": "0198c5a0-7e6b-7c3e-9d6a-5b1f0c2d3e40",
        "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1),
        "webhook-signature": "v1," + base64.b64encode(bytes(32)).decode(),
    }
    for name, changed in changes.items():
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers | {name: changed})
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)


def test_during_a_rotation_old_and_new_secret_both_verify() -> None:
    old, new, other = (new_signing_secret() for _ in range(3))
    headers = signed_headers("id", datetime.now(UTC), b"{}", [new, old])
    assert Webhook(old).verify(b"{}", headers) == {}
    assert Webhook(new).verify(b"{}", headers) == {}
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(b"{}", headers)


def test_the_timestamp_is_that_of_the_attempt() -> None:
    secret = new_signing_secret()
    late = signed_headers("id", datetime.now(UTC) - timedelta(minutes=6), b"{}", [secret])
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(b"{}", late)


def test_secrets_are_long_and_never_the_same() -> None:
    secrets = {new_signing_secret() for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64
