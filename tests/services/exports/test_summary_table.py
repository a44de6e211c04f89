"""What is signed, as a table: the same as the API's answer and the page say."""

import csv
import re
from io import BytesIO, StringIO

import pytest
from openpyxl import load_workbook

from tests.api_client import RUNS, Api
from tests.conftest import one_database
from tests.web.browser_client import Pages, text_of

pytestmark = one_database


@pytest.fixture
def path(api: Api) -> str:
    made = api.project()
    assert api.post(f"{made}/observations", json={"observations": RUNS}).status_code == 201
    return made


def test_the_table_the_answer_the_page_and_the_report_say_the_same(api: Api, path: str) -> None:
    plan = api.get(f"{path}/allocations/next").json()
    rows = list(csv.DictReader(StringIO(api.get(f"{path}/tables/summary.csv").text.lstrip("\ufeff"))))
    assert (rows[0]["what"], rows[0]["says"], rows[0]["remark"]) == (
        "verdict", plan["verdict"]["sentence"], plan["verdict"]["kind"],
    )  # fmt: skip
    figures = [(one["what"], one["says"].lstrip("'"), one["remark"]) for one in rows[1:5]]  # CSV guards a plus
    assert [what for what, _, _ in figures] == ["Pay", "Get", "Worth", "Instead"]
    ordered = {one["source"]: one for one in plan["sources"] if one["order"]}
    orders = [one for one in rows if one["what"] == "order"]
    assert {one["says"]: (int(one["order"]), float(one["cost"])) for one in orders} == {
        key: (one["order"], float(one["cost"])) for key, one in ordered.items()
    }
    [total] = [one for one in rows if one["what"] == "sum"]
    assert float(total["cost"]) == float(plan["budget"]["spend"])
    assert int(total["order"]) == sum(one["order"] for one in ordered.values())
    pages = Pages(api)
    pages.sign_in(api.key or "")
    for shown in (text_of(pages.get(path.removeprefix("/v1"))), text_of(api.get(f"{path}/report"))):
        plain = re.sub(r"\s+", " ", shown)
        for _, says, remark in figures:
            assert says in plain
            for part in remark.split("; "):
                assert part in plain
        assert plan["verdict"]["sentence"] in plain


def test_a_workbook_opens_at_it(api: Api, path: str) -> None:
    book = load_workbook(BytesIO(api.get(f"{path}/tables.xlsx").content))
    assert book.active is not None
    assert book.active.title == "summary"
    assert book.sheetnames[:2] == ["About", "summary"]
