"""What patterns of names find in logged runs, and what is left out; offline files of W&B."""

import json
import struct
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tranche import Metric, Observation
from tranche.imports.csv_files import long_table, wide_table
from tranche.imports.logged import Found, ImportRefused, LoggedRun, Pattern, Wanted, observations_of
from tranche.imports.preview import preview
from tranche.imports.wandb_files import run_of, wandb_runs
from tranche.sheets import SheetFaults

WANTED = Wanted(Pattern("acc/{group}"), Pattern("n/{group}"), ["a", "b"], eval_size=100)
GOOD: Mapping[str, object] = {"metrics.acc/a": 0.7, "metrics.acc/b": 0.6, "params.n/a": "10", "params.n/b": 5.0}


def test_a_run_becomes_an_observation_under_its_own_id() -> None:
    ended = datetime(2026, 11, 20, tzinfo=timezone.utc)
    [made] = observations_of([LoggedRun("r", GOOD, "FINISHED", ended)], WANTED).observations
    metrics = {"a": Metric(0.7, eval_size=100), "b": Metric(0.6, eval_size=100)}
    assert made == Observation({"a": 10, "b": 5}, metrics, "r", observed_at=ended)


@pytest.mark.parametrize(("change", "state", "reason"), [
    ({}, "FAILED", "state FAILED"), ({}, "running", "state running"), ({"params.n/b": None}, None, "no count of b"),
    ({"metrics.acc/a": float("nan")}, None, "metrics.acc/a is nan"), ({"metrics.acc/a": float("inf")}, None, "is inf"),
    ({"params.n/a": "many"}, None, "params.n/a is 'many', no number"),
    ({"params.n/a": 1.5}, None, "1.5, no whole number"),
    ({"params.n/a": "1_0"}, None, "no number"), ({"params.n/a": True}, None, "no number"),
    ({"metrics.acc/a": None, "metrics.acc/b": None}, None, "no value named acc/{group}"),
])  # fmt: skip
def test_what_is_left_out_is_counted_by_its_reason(
    change: Mapping[str, object], state: str | None, reason: str
) -> None:
    found = observations_of([LoggedRun("good", GOOD), LoggedRun("bad", {**GOOD, **change}, state)], WANTED)
    assert [one.external_id for one in found.observations] == ["good"]
    [(said, count)] = found.left_out.items()
    assert reason in said
    assert count == 1
    assert f"left out: 1 run, {said}" in preview(found, "p")


def test_a_group_without_a_value_is_only_counted_and_other_names_are_named() -> None:
    run = LoggedRun("r", {**GOOD, "metrics.acc/b": None, "metrics.acc/all": 0.8})
    found = observations_of([run], WANTED)
    assert set(found.observations[0].metrics) == {"a"}
    assert found.no_groups == {"metrics.acc/all"}
    assert "metrics.acc/all" in preview(found, "p")


def test_counts_that_are_not_named_may_be_zero() -> None:
    zero = Wanted(WANTED.value, WANTED.count, WANTED.groups, missing_is_zero=True)
    [made] = observations_of([LoggedRun("r", {**GOOD, "params.n/b": None})], zero).observations
    assert made.counts == {"a": 10, "b": 0}


def test_a_pattern_that_fits_nothing_is_refused_with_what_there_is() -> None:
    wanted = Wanted(Pattern("f1/{group}"), WANTED.count, WANTED.groups)
    with pytest.raises(ImportRefused, match=r"'f1/\{group\}'.*metrics.acc/a, metrics.acc/b, params.n/a"):
        observations_of([LoggedRun("r", GOOD)], wanted)
    with pytest.raises(ImportRefused, match="no names at all"):
        observations_of([], WANTED)
    with pytest.raises(ImportRefused, match=r"must name \{group\} once"):
        Pattern("accuracy")


def test_two_names_for_one_number_and_two_runs_of_one_name_are_refused() -> None:
    twice = {**GOOD, "metrics.n/a": 10}
    with pytest.raises(ImportRefused, match=r"'params.n/a' and 'metrics.n/a' both fit"):
        observations_of([LoggedRun("r", twice)], WANTED)
    stated = Wanted(WANTED.value, Pattern("params.n/{group}"), WANTED.groups)
    assert len(observations_of([LoggedRun("r", twice)], stated).observations) == 1
    with pytest.raises(ImportRefused, match="two runs are named 'r'"):
        observations_of([LoggedRun("r", GOOD), LoggedRun("r", GOOD)], WANTED)


KEYS = st.sampled_from(["a", "b", "a_b", "a-b", "White/Male", "<25", "('female', '<25')", "Zürich", "a.b", "{x}"])


@given(
    st.lists(KEYS, min_size=1, unique=True),
    st.sampled_from(["acc/{}", "{} (acc)", "metrics.acc.{}.mean", "[{}]+"]),
)
def test_each_group_finds_its_own_columns(groups: list[str], form: str) -> None:
    """Also where their keys differ by a hyphen, or have signs of patterns in them."""
    values: dict[str, Any] = {form.format(group): 0.001 * place for place, group in enumerate(groups)}
    values |= {f"n of {group}": place for place, group in enumerate(groups)}
    wanted = Wanted(Pattern(form.format("{group}")), Pattern("n of {group}"), groups)
    [made] = observations_of([LoggedRun("r", values)], wanted).observations
    assert {group: metric.value for group, metric in made.metrics.items()} == {
        group: values[form.format(group)] for group in wanted.groups
    }
    assert made.counts == {group: values[f"n of {group}"] for group in wanted.groups}


def file(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "runs.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_a_line_per_run_is_read_as_spreadsheets_write_it(tmp_path: Path) -> None:
    header = "Run ID;Status;metrics.acc/a;acc/b;params.n/a;n/b;notes"
    text = f'{header}\r\nr;FINISHED;70,5 %;60 %;1.000;5;"x;y"\r\ns;FAILED;;;;;\r\n'
    found, read_as = wide_table(file(tmp_path, text), WANTED, None, None)
    assert found.observations[0].counts == {"a": 1000, "b": 5}
    assert found.observations[0].metrics["a"] == Metric(0.705, eval_size=100)
    assert found.left_out == {"state FAILED": 1}
    assert read_as.ignored == ["notes"]


@pytest.mark.parametrize(("text", "says"), [
    ("id,acc/a,n/a\n", "nothing fits"), ("acc/a,acc/b,n/a,n/b\n0.5,0.5,1,1\n", "no column with the id of a run"),
    ("id,acc/a,acc/a,acc/b,n/a,n/b\n", "two columns named acc/a"), (b"\xff\xff\xfe", "UTF-8"),
])  # fmt: skip
def test_a_line_per_run_without_what_is_needed_is_refused(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(ImportRefused, match=says):
        wide_table(file(tmp_path, text), WANTED, None, None)


def test_cells_that_cannot_be_read_refuse_the_file_by_line_and_column(tmp_path: Path) -> None:
    with pytest.raises(SheetFaults, match=r"line 3, acc/b: '1_0' is no number"):
        wide_table(file(tmp_path, "id,acc/a,acc/b,n/a,n/b\nr,0.5,0.5,1,1\ns,0.5,1_0,1,1\n"), WANTED, None, None)
    with pytest.raises(SheetFaults, match=r"line 3, n: '1.5'"):
        long_table(file(tmp_path, "external_id,group,n,value\nr,a,1,0.5\nr,b,1.5,0.5\n"), False, None)
    with pytest.raises(SheetFaults, match="line 3, group: 'a' stands twice"):
        long_table(file(tmp_path, "external_id,group,n,value\nr,a,1,0.5\nr,a,1,0.5\n"), False, None)
    with pytest.raises(ImportRefused, match="cannot be read: No such file"):
        long_table(str(tmp_path / "none.csv"), False, None)


def test_tranches_own_columns_are_a_line_per_run_and_group(tmp_path: Path) -> None:
    text = "external_id,group,n,value,stderr,eval_size,holdout,observed_at\nr,a,1,0.5,,9,h,2026-11-20\nr,b,2,,,,,\n"
    found, _ = long_table(file(tmp_path, text), False, None)
    noon = datetime(2026, 11, 20, tzinfo=timezone.utc)
    assert found == Found([Observation({"a": 1, "b": 2}, {"a": Metric(0.5, None, 9)}, "r", "h", observed_at=noon)])


# Offline files of W&B, written here by the formats' own definitions.


def varint(number: int) -> bytes:
    head = b""
    while number > 0x7F:
        head, number = head + bytes([number & 0x7F | 0x80]), number >> 7
    return head + bytes([number])


def message(*parts: tuple[int, bytes | int]) -> bytes:
    out = b""
    for field, value in parts:
        if isinstance(value, int):
            out += varint(field << 3) + varint(value)
        else:
            out += varint(field << 3 | 2) + varint(len(value)) + value
    return out


def update(nested: bool = False, **values: Any) -> bytes:
    items = []
    for name, value in values.items():
        keys = [(2, part.encode()) for part in name.split("__")] if nested else [(1, name.encode())]
        items.append((1, message(*keys, (16, json.dumps(value).encode()))))
    return message(*items)


def log(*records: bytes) -> bytes:
    """LevelDB's log: records in pieces that do not cross blocks of 32 KiB."""
    out = b":W&B\xe1\xbe\x00"
    for record in records:
        first = True
        left = record
        while left or first:
            room = 32768 - len(out) % 32768
            if room < 7:
                out += b"\0" * room
                continue
            piece, left = left[: room - 7], left[room - 7 :]
            kind = (2 if left else 1) if first else (3 if left else 4)
            out += struct.pack("<IHB", 0, len(piece), kind) + piece
            first = False
    return out


STARTED = message((1, 1_796_011_773), (2, 442_434_000))


def offline_run(exit_code: int | None = 0, ballast: int = 0) -> bytes:
    records = [
        message((1, 1), (21, b"")),
        message((1, 2), (17, message((1, b"zfhvilew"), (4, update(n={"a": 10, "b": 5}, old=1)), (17, STARTED)))),
        message((1, 3), (10, b"x" * ballast)),
        message((1, 4), (3, update(nested=True, acc__a=0.5))),
        message((1, 5), (3, update(nested=True, acc__a=0.7, acc__b=0.6))),
        message((1, 6), (5, message((2, message((1, b"old")))))),
    ]
    return log(*records, *([] if exit_code is None else [message((1, 7), (18, message((1, exit_code), (2, 9))))]))


@pytest.mark.parametrize("ballast", [0, 32_600, 32_700, 32_743, 100_000])
def test_an_offline_run_of_wandb_is_read(ballast: int) -> None:
    run = run_of(offline_run(ballast=ballast))
    assert run.values == {"config.n.a": 10, "config.n.b": 5, "summary.acc.a": 0.7, "summary.acc.b": 0.6}
    assert (run.name, run.state) == ("zfhvilew", "finished")
    assert run.observed_at == datetime(2026, 11, 30, 4, 9, 33, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("body", "state"), [(offline_run(1), "failed"), (offline_run(None), "running"), (offline_run()[:-3], "running")]
)
def test_a_run_that_failed_or_was_cut_off_is_no_finished_one(body: bytes, state: str) -> None:
    assert run_of(body).state == state


def test_offline_files_are_found_below_the_folder_and_others_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="no run-"):
        list(wandb_runs(str(tmp_path)))
    path = tmp_path / "offline-run-1" / "run-1.wandb"
    path.parent.mkdir()
    path.write_bytes(offline_run())
    wanted = Wanted(Pattern("acc.{group}"), Pattern("n.{group}"), ["a", "b"])
    [made] = observations_of(wandb_runs(str(tmp_path)), wanted).observations
    assert (made.external_id, made.counts, made.metrics["a"]) == ("zfhvilew", {"a": 10, "b": 5}, Metric(0.7))
    path.write_bytes(b"PK\3\4")
    with pytest.raises(ImportRefused, match="cannot be read as a W&B run"):
        list(wandb_runs(str(tmp_path)))


@given(st.binary(max_size=300), st.sampled_from([3, 5, 17, 18]))
def test_any_bytes_are_a_run_or_refused(tmp_path_factory: pytest.TempPathFactory, body: bytes, number: int) -> None:
    path = tmp_path_factory.mktemp("run") / "run-1.wandb"
    path.write_bytes(log(body, message((number, body))))
    with suppress(ImportRefused):
        list(wandb_runs(str(path)))
