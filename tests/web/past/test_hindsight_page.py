"""What other splits would have come to, on the timeline, on its page, in the table and in the report."""

from typing import Any

import pytest

from tests.api.exports.test_tables import table
from tests.api.planning.test_hindsight import bought, made
from tests.api_client import Api
from tests.conftest import one_database
from tests.web.browser_client import Pages, text_of

pytestmark = one_database


def project(api: Api) -> str:
    path = made(api)
    bought(api, path, {"A": 500, "B": 500})
    bought(api, path, {"A": 1000}, "p2")
    return path


def test_each_closed_round_says_what_an_equal_split_would_have_come_to(api: Api, pages: Pages) -> None:
    path = project(api)
    page = path.removeprefix("/v1") + "/rounds"
    first = "Bought 500 of A and 500 of B; an equal split would have ended the same, and the best split"
    said = text_of(pages.get(f"{page}/hindsight"))
    assert f"{first} by what is known now 0.00739 higher." in said
    # (1500^-.5 + 4 · 500^-.5)/2 − (1000^-.5 + 4 · 1000^-.5)/2 = .0233.
    assert "Bought 1,000 of A; an equal split would have ended 0.0233 of utility higher (0.0233 to 0.0233)" in said
    # The timeline computes nothing: it has a place for each sentence, and a link to the page.
    timeline = pages.get(page)
    assert timeline.text.count("data-hindsight=") == 2
    assert f'href="{page}/hindsight#round-1"' in timeline.text
    part = pages.get(f"{page}/hindsight?fragment=true")
    assert first in text_of(part)
    assert "<html" not in part.text


def test_the_table_and_the_report_say_what_the_api_says(api: Api) -> None:
    path = project(api)
    rounds = api.get(f"{path}/rounds/hindsight").json()["rounds"]
    told = [(one["number"], it) for one in rounds for it in (*one["policies"], one["best"])]
    rows = table(api, path, "hindsight")
    assert [(int(row["round"]), row["policy"]) for row in rows] == [(number, it["policy"]) for number, it in told]
    differences = [it["difference"]["mean"] for _, it in told]
    assert [float(row["difference_mean"]) for row in rows] == pytest.approx(differences, abs=1e-9)
    assert rows[0]["added"] == "A: 500, B: 500"
    report: Any = api.get(f"{path}/report")
    assert "What other splits would have come to" in report.text
    assert "Bought 500 of A and 500 of B; an equal split would have ended the same" in report.text


def test_before_a_round_is_closed_the_page_says_so(api: Api, pages: Pages) -> None:
    path = api.project().removeprefix("/v1")
    assert "No round is closed yet." in text_of(pages.get(f"{path}/rounds/hindsight"))
