"""One number for one thing: what is held, awaited, now and after is the same on every page, chart, table and answer."""

import csv
import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from html import unescape
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook
from pydantic import SecretStr

from app.money import DECIMALS, payable
from app.services.access.secrets import new_secret_key
from app.settings import Settings
from app.store.db import connect
from tests.api.purchases.test_rounds import accept, deliver
from tests.api_client import Api, run
from tests.conftest import LOOPBACK, new_key
from tests.web.browser_client import Pages, text_of
from tests.web.walking import BENEATH, amounts_of, number_in, table_of, too_fine, total_of, words
from tests.workbooks import sheet_of

NAMES = {"A": "all of A", "B": "the Bs", "C": "the Cs", "D": "the Ds"}
PANEL: dict[str, Any] = {
    "key": "panel",
    "yields": {"A": 0.1, "B": 0.5, "C": 0.4},
    "unit_cost": "0.505",
    "price_tiers": [{"from": 300, "unit_cost": "0.4355"}],
    "fixed_cost": "12",
    "lot_size": 10,
    "acceptance_rate": 0.8,
    "quality": 0.25,
}
OWN = {key: {"key": key, "yields": {key: 1.0}, "unit_cost": price} for key, price in (("A", "2"), ("C", "3"))}


@pytest.fixture(scope="module")
def api(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One service for all tests here: they only look, and what is dear is computed once."""
    file = shutil.copy(sqlite_template, tmp_path_factory.mktemp("one-number") / "tranche.db")
    settings = Settings(
        database_url=f"sqlite:///{file}",
        secret_keys=(SecretStr(new_secret_key()),),
        outbound_allow=LOOPBACK,
        calls_per_minute=0,
        failures_per_minute=0,
    )
    database = connect(settings)
    made = Api(settings, new_key(database))
    yield made
    made.close()
    database.close()


@pytest.fixture(scope="module")
def path(api: Api) -> str:
    return lived_in(api, "EUR")


def lived_in(api: Api, currency: str) -> str:
    """A shared panel of quality 1/4, part of whose order has come; an own order that is awaited whole; a group that
    nothing sells; more held of a group than any run was trained on; prices finer than what can be paid."""
    made = api.project(
        name=f"in {currency}",
        currency=currency,
        budget={"total": "4000", "rounds": 4},
        groups=[
            {"key": "A", "name": NAMES["A"], "initial_count": 200, "target": 0.9},
            {"key": "B", "name": NAMES["B"], "initial_count": 90, "attributes": {"kind": "x"}},
            {"key": "C", "name": NAMES["C"], "initial_count": 300, "attributes": {"kind": "x"}},
            {"key": "D", "name": NAMES["D"], "initial_count": 150},
        ],
        sources=[PANEL, *OWN.values()],
    )
    runs = [
        run(1, {"A": 50, "B": 22, "C": 40, "D": 40}, A=0.70, B=0.60, C=0.63, D=0.65),
        run(2, {"A": 100, "B": 45, "C": 80, "D": 80}, A=0.74, B=0.66, C=0.69, D=0.70),
        run(3, {"A": 200, "B": 90, "C": 160, "D": 150}, A=0.77, B=0.71, C=0.74, D=0.74),
    ]
    assert api.post(f"{made}/observations", json={"observations": runs}).status_code == 201
    version = api.get(made).json()["data_version"]
    body = {
        "external_id": "r1",
        "data_version": version,
        "query": {"hold": {"panel": 400, "A": 60, "C": 0}, "budget": "1000"},
    }
    assert api.post(f"{made}/rounds", json=body).status_code == 201
    orders = {order["source"]: order["id"] for order in accept(api, made).json()["orders"]}
    came = {"B": {"accepted": 101, "rejected": 20}, "C": {"accepted": 83, "pending": 30}}
    assert deliver(api, made, orders["panel"], {"groups": came}).status_code == 201
    return made


@pytest.fixture(scope="module")
def plan(api: Api, path: str) -> dict[str, dict[str, Any]]:
    """By group."""
    answer = api.get(f"{path}/allocations/next").json()
    return {one["group"]: one for one in answer["groups"]}


def cells_of(answer: httpx.Response, caption: str) -> dict[str, list[str]]:
    """The rows of the table whose caption starts so, by the row's name, each with the sentence beneath it."""
    [body] = re.findall(rf"<caption>{caption}.*?<tbody>(.*?)</tbody>", answer.text, re.DOTALL)
    found = {}
    for row in re.findall(r"<tr[^>]*>(.*?)</tr>", re.sub(BENEATH, "<td>", body), re.DOTALL):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        name, *rest = [" ".join(unescape(re.sub(r"<[^>]*>", " ", cell)).split()) for cell in cells]
        found[name] = rest
    return found


def held_words(one: dict[str, Any]) -> str:
    """As pages say what is held and awaited: raw numbers only where they are others."""
    words = [f"{one['count']:,}"]
    if one["raw_count"] != one["count"]:
        words.append(f"clean, of {one['raw_count']:,}")
    if one["raw_pending"]:
        # Both are rounded, so that one more says nothing.
        of = f", of {one['raw_pending']:,}" if one["raw_pending"] - one["pending"] > 1 else ""
        words.append(f"{one['pending']:,} awaited{of}")
    return " ".join(words)


def band_words(band: dict[str, Any], decimals: int) -> str:
    return f"{band['p05']:.{decimals}f} to {band['p95']:.{decimals}f}"


def test_the_plan_counts_what_the_ledger_says(api: Api, path: str, plan: dict[str, dict[str, Any]]) -> None:
    """By hand from the deliveries: quality 1/4, and stated rates as priors of what the open order still brings."""
    for key, one in plan.items():
        group = api.get(f"{path}/groups/{key}").json()
        assert one["raw_count"] == group["initial_count"] + group["collected_count"]
        assert one["count"] == round(group["initial_count"] + group["effective_count"])
    assert (plan["B"]["raw_count"], plan["B"]["count"]) == (191, round(90 + 101 / 4))
    assert (plan["A"]["raw_count"], plan["A"]["count"]) == (200, 200)
    record = api.get(f"{path}/sources/panel").json()["record"]
    rate, shares = record["acceptance_rate"]["mean"], record["yields"]
    left = 400 - (121 + 113)
    for key, waits, own in (("A", 0, 60), ("B", 0, 0), ("C", 30, 0)):
        from_panel = rate * (left * shares[key]["mean"] + waits)
        assert plan[key]["raw_pending"] == pytest.approx(own + from_panel, abs=1.0)
        assert plan[key]["pending"] == pytest.approx(own + from_panel / 4, abs=1.0)
    assert plan["D"]["pending"] == plan["D"]["raw_pending"] == plan["D"]["add"] == 0
    assert any(one["add"] > one["count_after"] - one["count"] - one["pending"] + 1 for one in plan.values())


def test_curves_stand_where_the_plan_does(api: Api, path: str, plan: dict[str, dict[str, Any]]) -> None:
    for key, one in plan.items():
        at = f"{one['count'] + one['pending']},{one['count_after']}"
        curve = api.get(f"{path}/curves/{key}", params={"at": at}).json()
        for name in ("count", "pending", "raw_count", "raw_pending"):
            assert curve[name] == one[name], (key, name)
        for part in ("mean", "p05", "p50", "p95"):
            assert curve["now"][part] == pytest.approx(one["metric_now"][part], rel=1e-12)
            # Counts are rounded on a curve, and other groups' purchases move it: near, not the same.
            assert curve["bands"][0][part] == pytest.approx(one["metric_now"][part], abs=1e-3)
            assert curve["bands"][-1][part] == pytest.approx(one["metric_after"][part], abs=5e-3)


def marks_of(spec: dict[str, Any]) -> Iterator[dict[str, dict[str, Any]]]:
    """Of each panel: label → the marked point."""
    for view in spec["concat"]:
        rows = [row for one in view["layer"] for row in one["data"]["values"] if "label" in row and "count" in row]
        yield {row["label"]: row for row in rows}


def test_the_charts_draw_and_say_what_the_tables_say(
    api: Api, path: str, pages: Pages, plan: dict[str, dict[str, Any]]
) -> None:
    public = api.get(f"{path}/charts/curves.json").json()
    page = pages.get(f"{path.removeprefix('/v1')}/charts/curves.json").json()
    for spec in (public, page):
        for one, marks in zip(plan.values(), marks_of(spec), strict=True):
            now = marks["with awaited" if one["pending"] else "now"]
            assert (now["count"], now["mean"]) == (one["count"] + one["pending"], one["metric_now"]["mean"])
            if one["add"]:
                assert marks["after"]["count"] == one["count_after"]
                assert marks["after"]["mean"] == one["metric_after"]["mean"]
            else:
                assert "after" not in marks
    moved = max(plan.values(), key=lambda one: one["metric_after"]["mean"] - one["metric_now"]["mean"])
    title = " ".join(public["title"]["text"])
    awaited = f"with {moved['pending']:,} awaited" if moved["pending"] else "now"
    now, after = (f"{moved[name]['mean']:.3g}" for name in ("metric_now", "metric_after"))
    worth = moved["count_after"] - moved["count"] - moved["pending"]
    counted = f", counted as {worth:,}" if moved["add"] - worth > 1 else ""
    numbers = f"{now} {awaited}, {after} after {moved['add']:,} more{counted}"
    assert title == f"The plan moves {NAMES[moved['group']]} the most: {numbers}"


def test_the_pages_say_what_the_api_says(api: Api, pages: Pages, path: str, plan: dict[str, dict[str, Any]]) -> None:
    page = path.removeprefix("/v1")
    planned = cells_of(pages.get(page), "The next allocation")
    curves = cells_of(pages.get(f"{page}/curves"), "What is known")
    for key, one in plan.items():
        held, add, _, now, after, *_ = planned[NAMES[key]]
        assert held == curves[NAMES[key]][0] == held_words(one)
        worth = one["count_after"] - one["count"] - one["pending"]
        counted = f" counted as {worth:,}" if one["add"] - worth > 1 else ""
        assert add == f"{one['add']:,}{counted}"
        assert now == f"{one['metric_now']['mean']:.3f}"
        assert after == f"{one['metric_after']['mean']:.3f} {band_words(one['metric_after'], 3)}"
        assert curves[NAMES[key]][1] == f"{now} {band_words(one['metric_now'], 3)}"
    # The curves of a third of the draws reach the target: it is not out of reach.
    reachable = api.get(f"{path}/curves/A").json()["chance_reachable"]
    assert 0.05 < reachable < 0.5
    assert f"chance {reachable:.0%} with endless samples".replace("%", " %") in curves[NAMES["A"]][4]
    assert "accuracy with what is awaited" in text_of(pages.get(page))
    assert "accuracy with what is awaited" in text_of(pages.get(f"{page}/curves"))


def test_the_report_says_what_the_api_says(api: Api, path: str, plan: dict[str, dict[str, Any]]) -> None:
    report = api.get(f"{path}/report")
    bought, standing = cells_of(report, "What the money does"), cells_of(report, "The groups, the worst")
    for key, one in plan.items():
        held, now, interval, *_ = standing[NAMES[key]]
        assert held == held_words(one)
        assert (now, interval) == (f"{one['metric_now']['mean']:.3f}", band_words(one["metric_now"], 3))
        if one["add"]:
            held, _, _, now, after, _ = bought[NAMES[key]]
            assert held == held_words(one)
            assert now == f"{one['metric_now']['mean']:.4f}"
            assert after == f"{one['metric_after']['mean']:.4f} {band_words(one['metric_after'], 3)}"
    drawn = text_of(report)
    assert "with awaited" in drawn


def test_the_files_say_what_the_api_says(api: Api, path: str, plan: dict[str, dict[str, Any]]) -> None:
    book = load_workbook(BytesIO(api.get(f"{path}/tables.xlsx").content))
    for name in ("allocation", "groups"):
        text = api.get(f"{path}/tables/{name}.csv").content.decode("utf-8-sig")
        rows: list[dict[str, Any]] = list(csv.DictReader(StringIO(text, newline="")))
        header, lines = sheet_of(book, name)
        rows += [dict(zip(header, line, strict=True)) for line in lines]
        assert len(rows) == 2 * len(plan)
        for row in rows:
            one = plan[row["group"]]
            for column in ("count", "pending", "raw_count", "raw_pending"):
                assert int(row[column]) == one[column], (name, column)
            for part in ("mean", "p05", "p95"):
                assert float(row[f"metric_now_{part}"]) == pytest.approx(one["metric_now"][part], rel=1e-12)
            if name == "allocation":
                assert (int(row["add"]), int(row["count_after"])) == (one["add"], one["count_after"])
                assert float(row["metric_after_p05"]) == one["metric_after"]["p05"]
    told = [row[2].value for row in book["About"].iter_rows() if row[3].value == "count"]
    assert told.count("samples held now, counted as clean ones") == 2


def test_what_to_doubt_of_a_group_is_the_same_on_both_pages_and_in_the_report(
    api: Api, pages: Pages, path: str
) -> None:
    page = path.removeprefix("/v1")
    warnings = api.get(f"{path}/allocations/next").json()["warnings"]
    codes = {one["code"] for one in warnings if one["group"]}
    assert {"stale", "no_source"} <= codes
    planned, curves = pages.get(page), pages.get(f"{page}/curves")
    bought = cells_of(api.get(f"{path}/report"), "What the money does")
    for key, name in NAMES.items():
        doubts = [one["detail"] for one in warnings if one["group"] == key]
        on_plan, on_curves = (
            cells_of(planned, "The next allocation")[name][-1],
            cells_of(curves, "What is known")[name][-1],
        )
        assert all(doubt in on_plan and doubt in on_curves for doubt in doubts), (key, doubts)
        assert on_curves.count("check") == max(len(doubts), 0)
        assert (on_curves == "nothing") == (not doubts)
        if name in bought:
            assert all(doubt in bought[name][-1] for doubt in doubts)


def paid(amount: str, currency: str = "EUR") -> Decimal:
    return payable(Decimal(amount), currency)


def test_every_sum_is_that_of_what_is_shown(api: Api, pages: Pages, path: str, plan: dict[str, dict[str, Any]]) -> None:
    """Orders cost what can be paid, and what the groups get of that adds up to it: on the page, in the report, and in
    the files."""
    answer = api.get(f"{path}/allocations/next").json()
    bought = {one["source"]: one for one in answer["sources"] if one["order"]}
    spend = Decimal(answer["budget"]["spend"])
    assert spend + Decimal(answer["budget"]["unspent"]) == Decimal(answer["budget"]["available"])
    assert {Decimal(one["cost"]) for one in [*bought.values(), *plan.values()]} == {
        paid(one["cost"]) for one in [*bought.values(), *plan.values()]
    }
    for parts in (bought.values(), plan.values()):
        assert sum(Decimal(one["cost"]) for one in parts) == spend
    page = pages.get(path.removeprefix("/v1")).text
    report = api.get(f"{path}/report").text
    for shown, orders, total in (
        (table_of(page, "The next allocation"), table_of(page, "What to order"), "total"),
        (table_of(report, "What the money does"), table_of(report, "Orders of this round"), "cost"),
    ):
        costs = shown.by_name("cost")
        assert {name: number_in(cost) for name, cost in costs.items()} == {
            NAMES[key]: Decimal(one["cost"]) for key, one in plan.items() if NAMES[key] in costs
        }
        assert total_of(costs) == total_of(orders.by_name(total)) == number_in(orders.total(total)) == spend
        assert {name: number_in(cost) for name, cost in orders.by_name(total).items()} == {
            key: Decimal(one["cost"]) for key, one in bought.items()
        }
        ordered = orders.by_name("order" if total == "total" else "samples")
        assert {name: number_in(count) for name, count in ordered.items()} == {
            key: one["order"] for key, one in bought.items()
        }
    for name, whole in (("allocation", plan), ("sources", bought)):
        text = api.get(f"{path}/tables/{name}.csv").content.decode("utf-8-sig")
        rows = [row for row in csv.DictReader(StringIO(text, newline="")) if Decimal(row["cost"])]
        assert sum(Decimal(row["cost"]) for row in rows) == spend
        assert all(
            Decimal(row["cost"]) == Decimal(whole[row[name[:-1] if name == "sources" else "group"]]["cost"])
            for row in rows
        )


def test_a_round_says_the_same_everywhere(api: Api, pages: Pages, path: str) -> None:
    """Its own page, the list of rounds, the list of projects, the report, the files and the API."""
    now, at = api.get(f"{path}/rounds/1").json(), path.removeprefix("/v1")
    page = pages.get(f"{at}/rounds/1").text
    groups, orders = table_of(page, "What the round plans"), table_of(page, "Orders")
    for name in ("planned", "accepted", "rejected", "pending"):
        shown = {row: number_in(cell) for row, cell in groups.by_name(name).items()}
        assert shown == {NAMES[one["group"]]: one[name] for one in now["groups"]}, name
    before, forecast = groups.by_name("accuracy before"), groups.by_name("forecast")
    for one in now["groups"]:
        name, told = NAMES[one["group"]], one["metric_forecast"]
        assert before[name] == f"{one['metric_before']['mean']:.3f}"
        assert forecast[name] == f"{told['mean']:.3f} {band_words(told, 3)}"
    sold = {one["source"]: one for one in now["orders"]}
    for heading, name in (
        ("ordered", "quantity"),
        *((one, one) for one in ("accepted", "rejected", "pending", "spent", "committed")),
    ):
        cells = {row: cell for row, cell in orders.by_name(heading).items() if row in sold}
        assert {row: number_in(cell) for row, cell in cells.items()} == {
            key: Decimal(one[name]) for key, one in sold.items()
        }
        assert number_in(orders.total(heading)) == total_of(cells) == sum(Decimal(one[name]) for one in sold.values())
    # A bar says one thing in all of its column, which says what of what.
    assert orders.column("delivered of ordered")
    assert page.count("<progress") == len(groups.by_name("accepted of planned")) + len(sold)
    spent, committed = (f"{Decimal(now[name]):,.2f}" for name in ("spent", "committed"))
    cost, left = f"{Decimal(now['cost']):,.2f}", f"{4000 - Decimal(now['spent']) - Decimal(now['committed']):,.2f}"
    came, planned = (sum(one[name] for one in now["groups"]) for name in ("accepted", "planned"))
    assert f"{came:,} of {planned:,} planned samples accepted; {spent} spent of {cost} EUR planned" in words(page)
    money = f"{spent} of 4,000.00 EUR spent, {committed} EUR more committed to open orders; {left} EUR left."
    assert money in words(pages.get(f"{at}/rounds").text)
    assert table_of(pages.get("/").text, "Money spent").by_name("spent")["in EUR"] == spent
    report = table_of(api.get(f"{path}/report").text, "Rounds")
    assert [report.by_name(name)["Round 1"] for name in ("planned cost", "spent", "committed")] == [
        cost,
        spent,
        committed,
    ]
    told = csv.DictReader(StringIO(api.get(f"{path}/tables/spending.csv").content.decode("utf-8-sig"), newline=""))
    [row] = list(told)
    assert [f"{Decimal(row[name]):,.2f}" for name in ("planned", "spent", "committed", "left")] == [
        cost,
        spent,
        committed,
        left,
    ]


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_no_money_has_more_digits_than_its_currency(api: Api, pages: Pages, currency: str) -> None:
    """Of prices finer than what can be paid; the prices of samples themselves may be finer."""
    path = lived_in(api, currency)
    answer = api.get(f"{path}/allocations/next").json()
    assert all(paid(one["cost"], currency) == Decimal(one["cost"]) for one in answer["sources"])
    now, at = api.get(f"{path}/rounds/1").json(), path.removeprefix("/v1")
    assert all(
        paid(one[name], currency) == Decimal(one[name]) for one in now["orders"] for name in ("spent", "committed")
    )
    spent = table_of(pages.get("/").text, "Money spent").by_name("spent")[f"in {currency}"]
    assert number_in(spent) == Decimal(now["spent"])
    assert len(spent.partition(".")[2]) == DECIMALS[currency]
    for address in (at, f"{at}/rounds", f"{at}/rounds/1", f"{at}/scenarios"):
        page = pages.get(address).text
        assert list(amounts_of(page, currency)), address
        assert too_fine(page, currency) == [], address
