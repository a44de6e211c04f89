"""The table of utilities: one row a name, parameters that can be asked for, words that tell them apart."""

from typing import get_args

import pytest

from app.planner.utility.kinds import KINDS, UtilityKind
from app.planner.utility.objective import KindName, ObjectiveError
from app.planner.utility.parsing import parse


def test_every_name_has_one_row() -> None:
    assert tuple(KINDS) == get_args(KindName)


def test_no_two_kinds_read_alike() -> None:
    for words in ([row.label for row in KINDS.values()], [row.sentence for row in KINDS.values()]):
        assert len(set(words)) == len(KINDS)


@pytest.mark.parametrize("row", KINDS.values(), ids=lambda row: row.key)
def test_a_kind_takes_its_parameters_and_no_others(row: UtilityKind) -> None:
    given = dict(row.parameters) | ({"weight_vectors": [{"a": 1.0}]} if row.needs_vectors else {})
    assert parse(row.key, given, ("a",)).kind == row.key
    with pytest.raises(ObjectiveError, match="does not know 'sharpness'"):
        parse(row.key, given | {"sharpness": 1.0}, ("a",))
