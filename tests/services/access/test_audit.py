"""Every writing operation leaves who did it and what changed, or is here with the reason why not."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api.rights import Operation
from tests.api.test_rights import OPERATIONS
from tests.everything import PROJECT, Everything, everything_in

CONNECTION = "/v1/vendor-connections/{connection_id}"
ENDPOINT = "/v1/webhook-endpoints/{endpoint_id}"
UNTOLD = {
    # Questions, and what is computed from what there is.
    f"POST {PROJECT}/allocations/what-if": "changes nothing",
    f"POST {PROJECT}/requirements": "changes nothing",
    f"POST {CONNECTION}/dry-run": "changes nothing",
    "POST /connections/{connection_id}/dry-run": "changes nothing",
    f"POST {PROJECT}/simulations": "changes nothing that a plan depends on, and is kept itself",
    "POST /projects/{project_id}/simulations": "as over the API",
    # Records that are kept as they came.
    f"POST {PROJECT}/observations": "runs are kept, and none is changed but by being voided",
    "POST /projects/{project_id}/new-runs": "as over the API",
    "POST /v1/hooks/{token}": "the inbox keeps what vendors send",
    f"POST {CONNECTION}/rows": "rows are kept, and none is changed",
    # What is sent or read once more, of which the attempts, deliveries or differences are kept.
    f"POST {CONNECTION}/replay": "has no second effect",
    "POST /connections/{connection_id}/replay": "has no second effect",
    f"POST {CONNECTION}/reconcile": "its differences are kept",
    "POST /connections/{connection_id}/reconcile": "its differences are kept",
    f"POST {CONNECTION}/placements/{{order_id}}": "what is there already is not placed twice; its tries are kept",
    "POST /connections/{connection_id}/placements": "what is there already is not placed twice; its tries are kept",
    f"POST {ENDPOINT}/test": "its attempt is kept",
    f"POST {ENDPOINT}/replay": "its attempts are kept",
}
WRITING = [one for one in OPERATIONS if one.method != "GET"]
ASKED = [pytest.param(one, id=f"{one.method} {one.path}") for one in WRITING]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Everything]:
    with everything_in(tmp_path_factory.mktemp("everything"), sqlite_template) as made:
        yield made


def test_what_is_untold_is_there() -> None:
    assert UNTOLD.keys() <= {f"{one.method} {one.path}" for one in WRITING}


@pytest.mark.parametrize("operation", ASKED)
def test_what_is_written_is_audited_or_has_a_reason(operation: Operation, everything: Everything) -> None:
    answer = everything.send(operation, "owner")
    if f"{operation.method} {operation.path}" in UNTOLD:
        assert everything.database.audited == []
        return
    assert answer.status_code < 400, answer.text[:300]
    rows = everything.database.audited
    assert rows, answer.text[:300]
    for row in rows:
        kind, _, verb = row["action"].partition(".")
        assert verb
        assert row["resource"].startswith("key" if kind == "session" else kind)
        assert row["workspace_id"]
        assert row["api_key_id"] == everything.places["owner"]
        assert (row["project_id"] is None) == (kind in ("key", "session", "connection", "erasure")) or kind in (
            "endpoint",
            "vendor-order",
        )
        assert all(one.keys() == {"from", "to"} for one in row["changes"].values())
    told = json.dumps([[row["changes"], row["detail"]] for row in rows])
    for secret in ("0123456789abcdef", "0123456789", "whsec_", "tranche_"):
        assert secret not in told
