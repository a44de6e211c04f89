"""Each scheme holds for what its vendor publishes, for nothing else, and never fails in any other way."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.errors import VerifyFailed
from app.vendors.base import Headers
from app.vendors.presets import presets
from app.vendors.signatures import Scheme, Signature
from tests.vendors.samples import NOW, NOW_S, OLD_SECRET, SECRET, headers, standard_headers, standard_signature

BODY = b'{"type":"ping"}'
TOLOKA_BODY = (
    b'{"events":[{"event_time":"2000-01-01T12:00:00","project_id":"project-1","pool_id":"pool-1",'
    b'"uuid":"00000000-0000-0000-0000-000000000000","task_suite_id":"task-suite-1","assignment_id":"assignment-1",'
    b'"webhook_subscription_id":"subscription-1","type":"ASSIGNMENT_APPROVED"}]}'
)


def scheme(**fields: Any) -> Scheme:
    read: Scheme = TypeAdapter(Signature).validate_python(fields)
    return read


def preset_scheme(name: str) -> Scheme:
    return scheme(**presets()[name]["config"]["signature"])


STANDARD = scheme(scheme="standard_webhooks")
STATIC = scheme(scheme="static_header", header="X-Token")
TIMED = scheme(
    scheme="hmac",
    header="X-Signature",
    signed=["{header:X-Time}", "{body}"],
    timestamp={"from": "header:X-Time", "unit": "s", "tolerance_s": 300},
)


# The published examples of the vendors


def test_the_example_of_standard_webhooks_holds() -> None:
    body = b'{"test": 2432232314}'
    sent = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    at = datetime.fromtimestamp(1614265330, UTC)
    checked = STANDARD.verify(headers(sent), body, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], at)
    assert checked.sent_at == at


def test_the_example_of_toloka_holds() -> None:
    signature = "609af3eefd4c12b6afad30ab456efcd21fe82f4247d3340151a3ca0c97a6cbcb"
    sent = {"Toloka-Signature": f"{{v=1, ts=946728000000, sign={signature}}}"}
    at = datetime(2000, 1, 1, 12, 0, tzinfo=UTC)
    assert preset_scheme("toloka").verify(headers(sent), TOLOKA_BODY, ["12345"], at).sent_at == at
    with pytest.raises(VerifyFailed, match="too old"):
        preset_scheme("toloka").verify(headers(sent), TOLOKA_BODY, ["12345"], at + timedelta(seconds=301))


def test_the_example_of_cvat_holds() -> None:
    signature = "e1b24265bf2e0b20c81837993b4f1415f7b68c503114d100a40601eca6a2745f"
    preset_scheme("cvat").verify(headers({"X-Signature-256": f"sha256={signature}"}), b"", ["mykey"], NOW)


def test_the_example_of_datasaur_holds() -> None:
    signature = "0278b1a603de4c561ac0feb960354d0d00e8846b74813d81bddb43ad45bff767"
    sent = headers({"X-Datasaur-Signature": signature})
    preset_scheme("datasaur").verify(sent, b'{"body":"sample"}', ["secret"], NOW)


def test_the_example_of_github_holds() -> None:
    signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    github = scheme(scheme="hmac", header="X-Hub-Signature-256", prefix="sha256=")
    sent = headers({"X-Hub-Signature-256": f"sha256={signature}"})
    github.verify(sent, b"Hello, World!", ["It's a Secret to Everybody"], NOW)


# What does not hold


def refusal(kind: Scheme, sent: Headers, body: bytes = BODY, secrets: tuple[str, ...] = (SECRET,)) -> str:
    with pytest.raises(VerifyFailed) as caught:
        kind.verify(sent, body, secrets, NOW)
    return caught.value.reason


@given(st.integers(0, len(BODY) * 8 - 1))
def test_no_bit_of_the_body_can_change(bit: int) -> None:
    changed = bytearray(BODY)
    changed[bit // 8] ^= 1 << bit % 8
    assert refusal(STANDARD, headers(standard_headers(BODY)), bytes(changed)) == "wrong"


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_must_be_there_once_filled_and_unchanged(name: str) -> None:
    sent = standard_headers(BODY)
    assert refusal(STANDARD, headers({key: value for key, value in sent.items() if key != name})) == "missing"
    assert refusal(STANDARD, headers(sent | {name: ""})) == "missing"
    assert refusal(STANDARD, Headers([*sent.items(), (name.upper(), sent[name])])) == "doubled"
    changed = sent[name][:-1] + ("1" if sent[name][-1] != "1" else "2")
    assert refusal(STANDARD, headers(sent | {name: changed})) == "wrong"


@pytest.mark.parametrize(
    "signature", ["garbage", "v1,a,b", "v1,a  v1,b", "v1,abc", "v1,", "v1", ",", " ", "v1a,{}", "v2,{}", "v1,Ä"]
)
def test_a_garbled_signature_is_refused(signature: str) -> None:
    right = standard_headers(BODY)["webhook-signature"].removeprefix("v1,")
    sent = standard_headers(BODY) | {"webhook-signature": signature.replace("{}", right)}
    assert refusal(STANDARD, headers(sent)) == "wrong"


@pytest.mark.parametrize(
    ("away", "reason"),
    [(-301, "too_old"), (301, "too_new"), (-299, None), (299, None)],
    ids=["-301", "301", "-299", "299"],
)
def test_a_timestamp_may_lie_five_minutes_away(away: int, reason: str | None) -> None:
    sent = headers(standard_headers(BODY, at=NOW_S + away))
    time = str(NOW_S + away)
    digest = hmac.digest(b"long enough", time.encode() + BODY, hashlib.sha256).hex()
    timed = headers({"X-Time": time, "X-Signature": digest})
    if reason is None:
        assert STANDARD.verify(sent, BODY, [SECRET], NOW).secret_index == 0
        assert TIMED.verify(timed, BODY, ["long enough"], NOW).secret_index == 0
    else:
        assert refusal(STANDARD, sent) == reason
        assert refusal(TIMED, timed, secrets=("long enough",)) == reason


@pytest.mark.parametrize("time", [f"{NOW_S}.5", "NaN", "-1", "1e9", "٣", "", f" {NOW_S}", "9" * 15, "9" * 5000])
def test_a_timestamp_that_is_no_whole_number_is_refused(time: str) -> None:
    sent = standard_headers(BODY)
    sent |= {"webhook-timestamp": time, "webhook-signature": standard_signature(SECRET, "msg_1", time, BODY)}
    assert refusal(STANDARD, headers(sent)) in ("unreadable", "missing")


def test_milliseconds_are_no_seconds() -> None:
    assert refusal(STANDARD, headers(standard_headers(BODY, at=NOW_S * 1000))) == "too_new"


def test_any_of_several_signatures_and_secrets_may_hold() -> None:
    sent = standard_headers(BODY, OLD_SECRET)
    assert STANDARD.verify(headers(sent), BODY, [SECRET, OLD_SECRET], NOW).secret_index == 1
    both = sent["webhook-signature"] + " " + standard_headers(BODY)["webhook-signature"]
    assert STANDARD.verify(headers(sent | {"webhook-signature": both}), BODY, [SECRET], NOW).secret_index == 0
    assert refusal(STANDARD, headers(sent)) == "wrong"


def test_a_static_header_is_the_secret_and_nothing_near() -> None:
    assert (
        STATIC.verify(headers({"x-token": "a secret word"}), BODY, ["another one", "a secret word"], NOW).secret_index
        == 1
    )
    for wrong in ("a secret wor", "a secret word ", "A secret word", "ä secret word"):
        assert refusal(STATIC, headers({"X-Token": wrong}), secrets=("a secret word",)) == "wrong"
    assert refusal(STATIC, Headers([("X-Token", "a secret word"), ("x-token", "a secret word")])) == "doubled"


def test_appens_form_is_hashed_with_the_secret() -> None:
    weak = preset_scheme("appen")
    digest = hashlib.sha1(b'{"id":1}a secret word').hexdigest()  # noqa: S324 - the vendor's scheme
    body = f"signal=unit_complete&payload=%7B%22id%22%3A1%7D&signature={digest}".encode()
    assert weak.verify(headers({}), body, ["a secret word"], NOW).secret_index == 0
    assert refusal(weak, headers({}), body.replace(b"A1", b"A2"), ("a secret word",)) == "wrong"
    assert refusal(weak, headers({}), body + b"&payload=1", ("a secret word",)) == "doubled"
    assert refusal(weak, headers({}), b"\xff\xfe=%ff", ("a secret word",)) == "unreadable"


def test_a_signature_field_named_twice_is_refused() -> None:
    sent = headers({"Toloka-Signature": f"{{v=1, ts={NOW_S * 1000}, sign=aa, sign=bb}}"})
    assert refusal(preset_scheme("toloka"), sent, secrets=("12345678",)) == "doubled"


SCHEMES = [
    STANDARD,
    STATIC,
    TIMED,
    scheme(scheme="none", allow_unsigned=True),
    *(scheme(**one["config"]["signature"]) for one in presets().values() if "signature" in one["config"]),
]
NAMES = ["webhook-id", "webhook-timestamp", "webhook-signature", "x-token", "x-time", "x-signature", "authorization",
         "toloka-signature", "x-signature-256", "x-hub-signature", "scale-callback-auth"]  # fmt: skip
LATIN = st.text(st.characters(max_codepoint=255), max_size=60)
VALUES = (
    LATIN | st.builds("{{v=1, ts={}, sign={}}}".format, LATIN, LATIN) | st.sampled_from([str(NOW_S), "v1,", "sha256="])
)


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=12), st.binary(max_size=80), st.sampled_from(SCHEMES)
)
def test_garbage_is_refused_and_never_breaks_anything(sent: Any, body: bytes, kind: Scheme) -> None:
    try:
        kind.verify(Headers(sent), body, [SECRET], NOW)
    except VerifyFailed:
        return
    assert kind.model_dump()["scheme"] == "none"


# Configuration


@pytest.mark.parametrize(
    "fields",
    [
        {"scheme": "none"},
        {"scheme": "none", "allow_unsigned": False},
        {"scheme": "hmac", "header": "X-S", "signed": ["{ts}"]},
        {"scheme": "hmac", "header": "X-S", "algorithm": "md5"},
        {"scheme": "hmac", "header": "X S"},
        {"scheme": "hmac", "header": "X-S", "timestamp": {"from": "header:X-Time"}},
        {"scheme": "sns"},
    ],
)
def test_a_scheme_that_proves_nothing_cannot_be_configured(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        scheme(**fields)


@pytest.mark.parametrize("secret", ["whsec_AAAA", "whsec_not base64", "whsec_" + "A" * 400, "kürzer"])
def test_a_secret_must_fit_its_scheme(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        STANDARD.check_secret(secret)
    STANDARD.check_secret(SECRET)
    with pytest.raises(ValueError, match="secret"):
        STATIC.check_secret("short")
    with pytest.raises(ValueError, match="hex"):
        scheme(scheme="hmac", header="X-S", key_encoding="hex").check_secret("no hex at all")
