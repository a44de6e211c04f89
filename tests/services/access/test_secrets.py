"""Secrets at rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.errors import SecretKeyMissing, SecretUnreadable
from app.services.access.keys import peppers
from app.services.access.secrets import SecretBox, new_secret_key
from app.settings import Settings

OLD, NEW = (SecretStr(new_secret_key()) for _ in range(2))
HERE = "webhook-endpoint:1"


@given(st.text(max_size=200), st.text(max_size=50))
def test_what_is_sealed_opens_again(secret: str, purpose: str) -> None:
    box = SecretBox([NEW])
    sealed = box.seal(secret, purpose)
    assert box.open(sealed, purpose) == secret
    if len(secret) > 3:
        assert secret not in sealed
    assert box.seal(secret, purpose) != sealed


def test_after_a_rotation_old_secrets_open_and_new_ones_are_sealed_under_the_new_key() -> None:
    old = SecretBox([OLD]).seal("hush", HERE)
    both = SecretBox([NEW, OLD])
    assert both.open(old, HERE) == "hush"
    assert SecretBox([NEW]).open(both.seal("hush", HERE), HERE) == "hush"
    assert both.is_stale(old)
    renewed = both.reseal(old, HERE)
    assert not both.is_stale(renewed)
    assert both.reseal(renewed, HERE) == renewed
    assert SecretBox([NEW]).open(renewed, HERE) == "hush"


def test_a_secret_opens_only_with_its_key_and_for_its_purpose() -> None:
    sealed = SecretBox([OLD]).seal("hush", HERE)
    with pytest.raises(SecretUnreadable, match="no longer names"):
        SecretBox([NEW]).open(sealed, HERE)
    with pytest.raises(SecretUnreadable, match="no longer names"):
        SecretBox([]).open(sealed, HERE)
    with pytest.raises(SecretUnreadable, match="belongs elsewhere"):
        SecretBox([OLD]).open(sealed, "webhook-endpoint:2")
    other = ("A" if sealed[-6] != "A" else "B").join([sealed[:-6], sealed[-5:]])
    with pytest.raises(SecretUnreadable, match="was changed"):
        SecretBox([OLD]).open(other, HERE)


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(SecretKeyMissing, match="tranche secret-key create"):
        SecretBox([]).seal("hush", HERE)


def test_a_new_key_is_what_the_setting_takes() -> None:
    key = new_secret_key()
    settings = Settings(TRANCHE_SECRET_KEY=f"{key}, {OLD.get_secret_value()}")  # type: ignore[call-arg]
    assert [one.get_secret_value() for one in settings.secret_keys] == [key, OLD.get_secret_value()]


def test_neither_settings_nor_box_show_their_keys() -> None:
    settings = Settings(secret_keys=(OLD,))
    for shown in (repr(settings), str(settings), repr(SecretBox([OLD])), repr(peppers([OLD]))):
        assert OLD.get_secret_value() not in shown
