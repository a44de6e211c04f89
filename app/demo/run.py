"""The demo: polygenic scores of three populations, their measured points, and what to buy next."""

import signal
import sys
import threading

from tranche import Allocation, Client
from tranche.display import finding, plan_table, remark_lines, wrapped

from app.demo.genomes import BUDGET, GROUPS, METRIC, measured_runs
from app.demo.service import Access, StartError, temporary_service
from app.demo.table import splits_table

OTHER_SPLITS = ("equal", "equal_spend", "proportional")

INTRODUCTION = """
Polygenic scores: a model predicts a trait from the genome, and it was trained on Europeans for the most part.
There are 6,000 USD for more people, 10 USD each wherever they come from. What is known comes from {runs}
training runs of one model for all three populations, measured on {splits} simulated genomes: what is collected from
one population teaches it about the others too. Every population counts the same: the utility is the mean of
the three correlations of the score with the trait (and a split in proportion to the weights is the equal
one). It was chosen because here it matters what is bought; elsewhere it may not, and then the plan says so.
"""

FAREWELL = """
Dashboard  {url}/   (sign in with the key below)
API docs   {url}/docs
API key    {key}
Ask again  curl -H 'Authorization: Bearer {key}' \\
             '{url}/v1/projects/{project}/allocations/next?budget=1000'"""


def run(port: int = 8000, *, keep_serving: bool = True) -> int:
    """Plans the example on a service of its own, prints it, serves until Ctrl-C; returns the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with temporary_service(port, worker=keep_serving) as access:
            show(access, port)
            if keep_serving:
                print("\nServing until Ctrl-C.", flush=True)
                threading.Event().wait()
    except StartError as error:
        print(f"tranche: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; the demo's database is deleted.")
    return 0


def show(access: Access, wished_port: int) -> None:
    """Creates the project over HTTP, posts its points, asks for the allocation, and prints what came back."""
    runs = measured_runs()
    with Client(access.base_url, access.api_key) as tranche:
        project = tranche.create_project("polygenic scores", metric=METRIC, budget=BUDGET, groups=GROUPS)
        tranche.post_observations(project.id, runs)
        plan = tranche.next_allocation(project.id, groups="all")
        others = {name: tranche.next_allocation(project.id, policy=name, groups="all") for name in OTHER_SPLITS}
    if wished_port not in (0, access.port):
        print(f"Port {wished_port} is taken; this demo serves at {access.port}.")
    print(INTRODUCTION.format(runs=len(runs), splits=len({run.holdout for run in runs})))
    print(report(plan, others))
    print(FAREWELL.format(url=access.base_url, key=access.api_key, project=project.id))


def report(plan: Allocation, others: dict[str, Allocation]) -> str:
    """The answers as text: what to buy and why, what other splits would do, and the service's warnings."""
    lead = [] if plan.verdict is None else [*wrapped(plan.verdict.sentence, ""), ""]
    buy = ["NEXT ALLOCATION", *lead, plan_table(plan, "correlation"), ""]
    compare = ["OTHER SPLITS OF THE SAME MONEY", splits_table(plan, others), finding(plan)]
    warn = ["", "WARNINGS", remark_lines(plan.warnings)] if plan.warnings else []
    return "\n".join([*buy, *compare, *warn])
