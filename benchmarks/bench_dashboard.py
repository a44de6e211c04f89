"""The first paint of the plan page and its charts in a real Chromium, for 20 and 1,000 groups with three runs each.

    TEST_BROWSER=/usr/bin/chromium python benchmarks/bench_dashboard.py [--groups 20 1000] [--repeats 7]
        [--against CHECKOUT]

Starts `tranche serve` on a fresh SQLite file, warms it by one visit per size, and prints medians of

- the browser's First Contentful Paint and the server's answer (from request to first byte, as the browser saw it), for
  a budget that was never asked for ("anew") and for one that was ("again": its plan is kept, docs/decisions/0077);
- the time from the visit to its last chart being drawn, each scrolled to in turn, for a budget never asked for;
- what a first visit loads, all charts with it (kB over the wire, requests), and the longest task of the page's main
  thread, in CPU time.

Every fourth group has a target, so that the chart of chances is among them. Writes benchmarks/results/dashboard.json,
unless it measures another checkout.
Times are of this machine, now.
"""

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import Any

import httpx
import results_files
from playwright.sync_api import Browser, Page, sync_playwright
from serving import ACCURACY, ROOT, fresh_database, serving

RESULTS = Path(__file__).parent / "results" / "dashboard.json"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
TIMES = """() => {
  const [visit] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return visit && paint ? {paint: paint.startTime, server: visit.responseStart - visit.requestStart} : null;
}"""


def new_project(api: httpx.Client, groups: int) -> str:
    keys = [f"g{at:04}" for at in range(groups)]
    body: dict[str, Any] = {
        "name": f"{groups} groups",
        "metric": ACCURACY,
        "budget": {"total": str(100 * groups), "rounds": 10},
        "groups": [
            {"key": key, "initial_count": 400, "unit_cost": "1", **({"target": 0.85} if at % 4 == 0 else {})}
            for at, key in enumerate(keys)
        ],
    }
    made = api.post("/v1/projects", json=body).raise_for_status().json()["id"]
    runs = [
        {
            "external_id": f"run-{count}",
            "counts": dict.fromkeys(keys, count),
            "metrics": {
                key: {"value": 0.9 - (0.5 + at % 7 / 10) * count**-0.4, "stderr": 0.01} for at, key in enumerate(keys)
            },
        }
        for count in (100, 200, 400)
    ]
    api.post(f"/v1/projects/{made}/observations", json={"observations": runs}).raise_for_status()
    return f"/projects/{made}"


def visited(page: Page, address: str) -> dict[str, float]:
    """paint and server, in ms."""
    page.goto(address)
    while (times := page.evaluate(TIMES)) is None:  # wait_for_function needs the eval that the policy refuses
        page.wait_for_timeout(20)
    found: dict[str, float] = times
    return found


def drawn(page: Page) -> float:
    """Scrolls to every chart and waits until it is drawn: ms since the visit began."""
    for figure in page.locator("figure.chart:visible").all():
        figure.scroll_into_view_if_needed()
        figure.locator(".chart-drawing svg").wait_for()
    now: float = page.evaluate("performance.now()")
    return now


def weighed(browser: Browser, page: Page, address: str) -> dict[str, float]:
    """kB and requests of a visit with an empty cache, and the longest task of its main thread in ms of CPU."""
    sizes: list[float] = []
    tool = page.context.new_cdp_session(page)
    tool.send("Network.enable")
    tool.send("Network.clearBrowserCache")
    tool.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    browser.start_tracing(page=page, categories=["toplevel", "disabled-by-default-devtools.timeline"])
    visited(page, address)
    drawn(page)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    tool.detach()
    mains = {(one["pid"], one["tid"]) for one in events
             if one["name"] == "thread_name" and one["args"]["name"] == "CrRendererMain"}  # fmt: skip
    tasks = [one.get("tdur", 0) for one in events
             if (one["pid"], one["tid"]) in mains and one["name"].endswith("RunTask")]  # fmt: skip
    return {"kB": sum(sizes) / 1000, "requests": len(sizes), "longest task, CPU ms": max(tasks, default=0) / 1000}


def measure(browser: Browser, page: Page, address: str, repeats: int) -> dict[str, float]:
    visited(page, address)
    drawn(page)
    again = [visited(page, address) for _ in range(repeats)]
    anew, charts = [], []
    for at in range(repeats):
        anew.append(visited(page, f"{address}?budget={1000 + at}"))
        charts.append(drawn(page))
    medians = {
        f"{name} {when}, ms": statistics.median(one[name] for one in found)
        for when, found in (("anew", anew), ("again", again))
        for name in ("paint", "server")
    }
    found = {**medians, "charts, ms": statistics.median(charts), **weighed(browser, page, address)}
    return {name: round(value, 1) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, nargs="+", default=[20, 1000])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--against", type=Path, default=ROOT, help="another checkout, to be measured instead")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    with fresh_database(None) as url, serving(url, options.against) as service, sync_playwright() as tool:
        api = service.client
        browser = tool.chromium.launch(executable_path=os.environ["TEST_BROWSER"], args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(f"{api.base_url}/sign-in")
        page.get_by_label("API key").fill(api.headers["Authorization"].removeprefix("Bearer "))
        page.get_by_role("button", name="Sign in").click()
        for groups in options.groups:
            address = str(api.base_url).rstrip("/") + new_project(api, groups)
            figures[f"{groups} groups"] = measure(browser, page, address, options.repeats)
            print(groups, figures[f"{groups} groups"], flush=True)
        browser.close()
    if options.against == ROOT:
        asked = {"groups": options.groups, "repeats": options.repeats}
        results_files.write(RESULTS, {"options": asked, "figures": figures})


if __name__ == "__main__":
    main()
