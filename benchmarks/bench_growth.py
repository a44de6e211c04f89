"""What the service's work costs as a project grows: CPU seconds of the API and of its worker, over HTTP.

    python benchmarks/bench_growth.py [--only PART ...] [--against CHECKOUT] [--database-url postgresql://...]

- `plan`: GET next for another budget, curves known, by groups;
- `post`: one more run of all groups, and what the worker does for it, by groups;
- `again`: GET next when nothing has changed (304), and a page of 50 curves;
- `first`: making a project, posting its first runs, and its first plan;
- `history`: 4 groups with many runs held: one more run, and a plan with known curves;
- `idle`: the import of the app; start-up and memory of an API with nothing to do.

Each side serves on a fresh SQLite file or, with --database-url, on a database of that PostgreSQL server. `now` is this
checkout; with --against another checkout's service (its own code, this one's script) is measured in turns with it, as
`before`. CPU seconds are medians; `api` is the process that answers, from the request to its answer, `worker` its child
until it rests. Writes benchmarks/results/growth.json, by database; parts that are not measured stay as they were.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import results_files
from pairs import Ratio, turns
from processes import memory
from serving import ACCURACY, ROOT, Service, environment, fresh_database, serving

RESULTS = results_files.RESULTS / "growth.json"
RUNS = 5
"""Held in the rows that grow by groups."""
LARGEST = 4_000
"""Samples of a group that runs may hold."""
AT_ONCE = 1_000
"""Runs of 4 groups that are posted at once."""
Figures = dict[str, float]
Services = Mapping[str, Service]
Sides = dict[str, list[Figures]]
Found = Iterator[tuple[str, int, Sides]]
"""What was done, the size, and by side a row for each repeat."""


def spent(service: Service, call: Callable[[], httpx.Response], until_rest: bool) -> Figures:
    """Of a call, which must succeed. until_rest: of the worker too, until it rests."""
    api, worker, began = service.api_cpu_s(), service.worker_cpu_s(), time.perf_counter()
    answer = call()
    figures = {"api": service.api_cpu_s() - api, "wall": time.perf_counter() - began}
    if answer.status_code not in (200, 201, 304):
        raise SystemExit(f"{answer.status_code} {answer.text[:2000]}")
    if until_rest:
        service.settle()
        figures["worker"] = service.worker_cpu_s() - worker
    return figures


def names(groups: int) -> list[str]:
    return [f"group-{at:05}" for at in range(groups)]


def terms(groups: int) -> dict[str, Any]:
    """A project of groups whose prices differ."""
    each = [
        {"key": key, "initial_count": LARGEST, "unit_cost": f"{1 + at % 7 / 4:.2f}"}
        for at, key in enumerate(names(groups))
    ]
    return {"name": "growth", "metric": ACCURACY, "budget": {"total": str(100 * groups), "rounds": 1}, "groups": each}


def scored(groups: int, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Runs of power laws of many shapes, each by its number: the same wherever they are posted. The first RUNS grow
    from 100 samples a group to half of LARGEST; later ones hold any number up to LARGEST."""
    shapes = np.random.default_rng(7)
    scale, power, floor = (shapes.uniform(low, high, groups) for low, high in ((0.3, 1.5), (0.2, 0.8), (0.0, 0.2)))
    made = []
    for number in numbers:
        luck = np.random.default_rng([7, number])
        n = int(100 * (LARGEST / 200) ** (number / (RUNS - 1))) if number < RUNS else int(luck.integers(100, LARGEST))
        values = 1.0 - np.clip(floor + scale * n**-power + luck.normal(0.0, 0.005, groups), 0.0, 1.0)
        metrics = {
            key: {"value": float(value), "eval_size": 1000} for key, value in zip(names(groups), values, strict=True)
        }
        made.append({"external_id": f"run-{number}", "counts": dict.fromkeys(names(groups), n), "metrics": metrics})
    return made


def new(service: Service, groups: int) -> httpx.Response:
    return service.client.post("/v1/projects", json=terms(groups))


def path_of(made: httpx.Response) -> str:
    return f"/v1/projects/{made.raise_for_status().json()['id']}"


def post(service: Service, path: str, runs: list[dict[str, Any]]) -> httpx.Response:
    return service.client.post(f"{path}/observations", json={"observations": runs})


def plan(service: Service, path: str, budget: int | None = None) -> httpx.Response:
    asked = {} if budget is None else {"budget": str(budget)}
    return service.client.get(f"{path}/allocations/next", params=asked)


def warm(service: Service, groups: int, runs: int = RUNS) -> str:
    """The path of a project whose runs are held, whose worker rests and whose plan has been read."""
    path = path_of(new(service, groups))
    for first in range(0, runs, AT_ONCE):
        post(service, path, scored(groups, range(first, min(first + AT_ONCE, runs)))).raise_for_status()
    service.settle()
    plan(service, path).raise_for_status()
    return path


Request = Callable[[], httpx.Response]
Prepare = Callable[[Service, str, int], Request]
"""A service, the path of its project and the repeat → what is then sent."""


def repeated(services: Services, paths: Mapping[str, str], repeats: int, prepare: Prepare, until_rest: bool) -> Sides:
    """What the requests cost, in turns."""
    rows: Sides = {side: [] for side in services}
    for number in range(repeats):
        for side in turns(list(services), number):
            request = prepare(services[side], paths[side], number)
            rows[side].append(spent(services[side], request, until_rest))
    return rows


def measure_plan(services: Services, given: argparse.Namespace) -> Found:
    for groups in given.plan_groups:
        paths = {side: warm(service, groups) for side, service in services.items()}
        yield (
            "plan, another budget",
            groups,
            repeated(services, paths, given.repeats, another_budget(50 * groups), False),
        )


def another_budget(first: int) -> Prepare:
    return lambda service, path, number: partial(plan, service, path, first + number)


def measure_post(services: Services, given: argparse.Namespace) -> Found:
    for groups in given.post_groups:
        paths = {side: warm(service, groups) for side, service in services.items()}
        yield "one more run", groups, repeated(services, paths, given.repeats, another_run(groups, RUNS), True)


def another_run(groups: int, first: int) -> Prepare:
    return lambda service, path, number: partial(post, service, path, scored(groups, [first + number]))


def measure_again(services: Services, given: argparse.Namespace) -> Found:
    groups = given.again_groups
    paths = {side: warm(service, groups) for side, service in services.items()}

    def unchanged(service: Service, path: str, _: int) -> Request:
        asked = {"If-None-Match": plan(service, path).headers["ETag"]}
        return partial(service.client.get, f"{path}/allocations/next", headers=asked)

    def curves(service: Service, path: str, number: int) -> Request:
        return partial(service.client.get, f"{path}/curves", params={"at": f"100,1000,{10_000 + number}"})

    yield "plan, unchanged (304)", groups, repeated(services, paths, given.repeats, unchanged, False)
    yield "page of 50 curves", groups, repeated(services, paths, given.repeats, curves, False)


def measure_first(services: Services, given: argparse.Namespace) -> Found:
    """Each repeat makes a project of its own; what the worker does for the first runs is in the first plan's row."""
    parts: dict[str, Sides] = {}
    for number in range(given.first_repeats):
        for side in turns(list(services), number):
            for name, figures in first_steps(services[side], given.first_groups).items():
                parts.setdefault(name, {one: [] for one in services})[side].append(figures)
    for name, rows in parts.items():
        yield name, given.first_groups, rows


def first_steps(service: Service, groups: int) -> dict[str, Figures]:
    made: list[httpx.Response] = []

    def make() -> httpx.Response:
        made.append(new(service, groups))
        return made[0]

    runs = scored(groups, range(RUNS))
    steps = {"making groups": spent(service, make, True)}
    path = path_of(made[0])
    steps[f"the first {RUNS} runs"] = spent(service, partial(post, service, path, runs), False)
    steps["the first plan"] = spent(service, partial(plan, service, path), True)
    return steps


def measure_history(services: Services, given: argparse.Namespace) -> Found:
    for held in given.history_runs:
        paths = {side: warm(service, 4, held) for side, service in services.items()}
        yield "4 groups, runs held: plan", held, repeated(services, paths, given.repeats, another_budget(200), False)
        more = repeated(services, paths, given.repeats, another_run(4, held), True)
        yield "4 groups, runs held: one more run", held, more


def measure_idle(given: argparse.Namespace, roots: Mapping[str, Path]) -> Found:
    """Of services of their own, on SQLite files: memory of the API in MB."""
    rows: Sides = {side: [] for side in roots}
    for number in range(given.repeats):
        for side in turns(list(roots), number):
            with fresh_database(None) as url, serving(url, roots[side]) as service:
                started = service.api_cpu_s()
                time.sleep(2.0)
                rows[side].append({"import": import_cpu_s(url, roots[side]), "start": started} | memory(service.pid))
    yield "idle", 0, rows


def import_cpu_s(url: str, root: Path) -> float:
    """Of a process that imports the app and ends, less that of one that imports nothing."""
    return _ran_cpu_s("import app.main", url, root) - _ran_cpu_s("", url, root)


def _ran_cpu_s(code: str, url: str, root: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], env=environment(url, root), cwd=root, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


PARTS: dict[str, Callable[[Services, argparse.Namespace], Found]] = {
    "plan": measure_plan,
    "post": measure_post,
    "again": measure_again,
    "first": measure_first,
    "history": measure_history,
}


def row_of(part: str, work: str, size: int, sides: Sides) -> dict[str, Any]:
    """Medians by side and figure, and with two sides the ratios of now to before."""
    row: dict[str, Any] = {"part": part, "work": work, "size": size, "repeats": len(next(iter(sides.values())))}
    for side, each in sides.items():
        row[side] = {name: round(statistics.median(one[name] for one in each), 5) for name in each[0]}
    if {"now", "before"} <= sides.keys():
        now, before = sides["now"], sides["before"]
        row["now / before"] = {
            name: vars(Ratio.of([one[name] for one in now], [one[name] for one in before]))
            for name in now[0] if min(one[name] for one in [*now, *before]) > 0.0
        }  # fmt: skip
    return row


def told(row: Mapping[str, Any]) -> str:
    sides = "; ".join(
        f"{side} " + ", ".join(f"{name} {value:.4g}" for name, value in row[side].items())
        for side in ("before", "now")
        if side in row
    )
    ratios = "".join(f", {name} x {one['ratio']:.3g}" for name, one in row.get("now / before", {}).items())
    return f"{row['work']:34} {row['size']:7}  {sides}{ratios}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*PARTS, "idle"], default=[*PARTS, "idle"], metavar="PART")
    parser.add_argument("--plan-groups", type=int, nargs="+", default=[4, 100, 1_000, 5_000])
    parser.add_argument("--post-groups", type=int, nargs="+", default=[100, 1_000, 5_000, 20_000])
    parser.add_argument("--again-groups", type=int, default=1_000)
    parser.add_argument("--first-groups", type=int, default=20_000)
    parser.add_argument("--history-runs", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--first-repeats", type=int, default=1, help="projects made anew for `first`")
    parser.add_argument("--against", type=Path, help="another checkout of the repository: the figures before")
    parser.add_argument("--database-url", help="a PostgreSQL server, whose user may create databases; SQLite without")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def kept(out: Path, kind: str, rows: Sequence[dict[str, Any]], parts: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of the database with those of `parts` in place of what the file has of them."""
    found = json.loads(out.read_text(encoding="utf-8"))["results"].get(kind, []) if out.exists() else []
    return [*(row for row in found if row["part"] not in parts), *rows]


def main() -> None:
    given = arguments()
    kind = "postgresql" if given.database_url else "sqlite"
    roots = {"now": ROOT} | ({"before": given.against.resolve()} if given.against else {})
    print(f"{kind}; CPU seconds (api, worker), seconds by the clock (wall), MB (RSS, PSS)")
    for part in given.only:
        rows = []
        with ExitStack() as stack:
            # Services of their own: what a part leaves in memory or waiting is not in the next one's figures.
            services = {} if part == "idle" else {
                side: stack.enter_context(serving(stack.enter_context(fresh_database(given.database_url)), root))
                for side, root in roots.items()
            }  # fmt: skip
            for work, size, sides in PARTS[part](services, given) if services else measure_idle(given, roots):
                rows.append(row_of(part, work, size, sides))
                print(told(rows[-1]), flush=True)
        results_files.write_part(given.out, kind, kept(given.out, kind, rows, [part]))


if __name__ == "__main__":
    main()
