"""The goal of a project by page."""

import pytest

from tests.api_client import Api
from tests.conftest import one_database
from tests.web.browser_client import Pages, text_of
from tests.web.editing.forms import faults, seen, value

pytestmark = one_database


@pytest.fixture
def path(api: Api) -> str:
    return api.project().removeprefix("/v1")


@pytest.mark.parametrize(("typed", "stored"), [
    ({"kind": "isoelastic", "aversion": "1,5"}, {"kind": "isoelastic", "aversion": 1.5}),
    ({"kind": "maximin", "risk": "10 %"}, {"kind": "maximin", "stop_ratio": 0.0, "risk": 0.1}),
    ({"kind": "cvar", "tail": "20%"}, {"kind": "cvar", "tail": 0.2}),
    ({"kind": "gap"}, {"kind": "gap", "lambda": 1.0}),
    ({"kind": "robust", "mode": "regret", "weight_vectors": "A: 1\r\n\r\nA: 0.5\r\nB: 0.5"},
     {"kind": "robust", "mode": "regret", "weight_vectors": [{"A": 1.0}, {"A": 0.5, "B": 0.5}]}),
])  # fmt: skip
def test_a_goal_is_stored_with_what_belongs_to_it(
    api: Api, pages: Pages, path: str, typed: dict[str, str], stored: dict[str, object]
) -> None:
    page = pages.get(f"{path}/objective")
    form = {f"objective.{name}": text for name, text in typed.items()}
    answer = pages.post(f"{path}/objective", {"seen": seen(page), **form})
    assert answer.status_code == 303, text_of(answer)
    assert api.get(f"/v1{path}").json()["objective"] == stored
    again = pages.get(f"{path}/objective")
    assert pages.post(f"{path}/objective", {"seen": seen(again)}).status_code == 303
    assert api.get(f"/v1{path}").json()["objective"] == stored


@pytest.mark.parametrize(("typed", "field"), [
    ({"kind": "cvar", "tail": "200 %"}, "tail"),
    ({"kind": "robust"}, "weight_vectors"),
    ({"kind": "robust", "weight_vectors": "nobody: 1"}, "weight_vectors"),
    ({"kind": "compromise"}, "kind"),
    ({"kind": "targets", "power": "7"}, "power"),
    ({"kind": "maximin", "risk": "some"}, "risk"),
])  # fmt: skip
def test_faults_stand_beside_their_fields(api: Api, pages: Pages, path: str, typed: dict[str, str], field: str) -> None:
    answer = pages.post(f"{path}/objective", {f"objective.{name}": text for name, text in typed.items()})
    assert answer.status_code == 422, text_of(answer)
    assert list(faults(answer)) == [f"objective.{field}"]
    assert api.get(f"/v1{path}").json()["objective"]["kind"] == "utilitarian"


def test_the_present_goal_is_chosen(api: Api, pages: Pages, path: str) -> None:
    api.patch(f"/v1{path}", json={"objective": {"kind": "cvar", "tail": 0.1}})
    page = pages.get(f"{path}/objective")
    assert (value(page, "objective.kind"), value(page, "objective.tail")) == ("cvar", "10 %")
