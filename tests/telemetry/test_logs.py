"""The log's two formats: one line an event, what is said beside the message, and no secret."""

import json
import logging
import subprocess
import sys

import pytest

from app.telemetry.logs import JsonLines, TextLines, without_secrets
from app.telemetry.notes import CALL, CallNote


def record(message: str, *args: object, **facts: object) -> logging.LogRecord:
    made = logging.LogRecord("tranche.x", logging.INFO, "", 0, message, args, None)
    if facts:
        made.facts = facts
    return made


def raised(made: logging.LogRecord, words: str) -> logging.LogRecord:
    """The record with an exception of these words."""
    made.exc_info = (ValueError, ValueError(words), None)
    return made


def test_facts_stand_behind_the_message() -> None:
    line = TextLines().format(record("call", path="/v1/x", reason='two "words"', status=200))
    assert line.endswith(r'INFO tranche.x call path=/v1/x reason="two \"words\"" status=200')


def test_a_line_break_of_a_caller_begins_no_line() -> None:
    forged = record("read %s", "x\n2026-01-01 ERROR forged", path="a\r\nb")
    assert len(TextLines().format(forged).splitlines()) == 1
    assert len(JsonLines().format(forged).splitlines()) == 1


def test_a_json_line_has_the_same_names_whoever_logs() -> None:
    line = json.loads(JsonLines().format(record("read %d", 3, status=200)))
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "INFO", "logger": "tranche.x", "message": "read 3", "status": 200}


def test_a_traceback_stands_in_its_json_line() -> None:
    made = raised(record("failed"), "why")
    assert "ValueError: why" in json.loads(JsonLines().format(made))["exc_info"]


def test_lines_within_a_call_say_whose_they_are() -> None:
    before = CALL.set(CallNote("r-1", "abc"))
    try:
        lines = [TextLines().format(record("x")), JsonLines().format(record("x"))]
    finally:
        CALL.reset(before)
    assert lines[0].endswith("x request_id=r-1 trace_id=abc")
    assert json.loads(lines[1])["request_id"] == "r-1"


@pytest.mark.parametrize(
    "said",
    [
        "GET https://x/v1/hooks/s3cr3t-s3cr3t failed",
        "POST /v1/hooks%2Fs3cr3t-s3cr3t",
        "'Authorization': 'Bearer s3cr3t-s3cr3t'",
        "key tranche_0123456789abcdef_s3cr3t-s3cr3t",
        "signed by whsec_s3cr3t-s3cr3t==",
    ],
)
def test_secrets_in_what_others_quote_are_cut_short(said: str) -> None:
    assert "s3cr3t" not in without_secrets(said)
    for formatter in (TextLines(), JsonLines()):
        made = raised(record("it said %s", said, detail=said), said)
        assert "s3cr3t" not in formatter.format(made)


def test_names_of_databases_and_routes_are_no_secrets() -> None:
    for said in ("postgresql://h/tranche_test_1234", "/v1/hooks/{token}", "tranche_jobs_waiting"):
        assert without_secrets(said) == said


@pytest.mark.parametrize("format", ["text", "json"])
def test_the_setting_chooses_the_format_for_libraries_and_warnings_too(format: str) -> None:
    code = f"""
import logging, warnings
from app.settings import Settings
from app.telemetry.logs import log_to_stderr
log_to_stderr(Settings(log_format="{format}"))
logging.getLogger("uvicorn.error").warning("from a library")
warnings.warn("from %d" % 7)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [line for line in run.stderr.splitlines() if "from" in line and "warnings.warn" not in line]
    assert len(lines) == 2, run.stderr
    assert [line.startswith("{") for line in lines] == [format == "json"] * 2
