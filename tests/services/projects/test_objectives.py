"""The objectives that pages offer are those that the API stores."""

import pytest
from pydantic import TypeAdapter

from app.api.projects.objectives import Objective
from app.services.projects.objectives import LABELS, SENTENCES, usual

STORED: TypeAdapter[Objective] = TypeAdapter(Objective)


@pytest.mark.parametrize("kind", LABELS)
def test_an_objective_from_the_list_is_stored_as_the_same_kind_without_parameters_is(kind: str) -> None:
    assert STORED.validate_python({"kind": kind}).model_dump() == usual(kind)


def test_every_kind_of_the_api_has_its_sentence() -> None:
    kinds = STORED.json_schema()["discriminator"]["mapping"]
    assert set(kinds) == set(SENTENCES)
