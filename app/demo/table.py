"""The demo's comparison of splits as plain text; the plan's own table is the client's."""

from collections.abc import Mapping

from tranche import Allocation
from tranche.display import aligned, estimate_cells


def splits_table(plan: Allocation, others: Mapping[str, Allocation]) -> str:
    """What each split buys with the same money, the utility it reaches, and its gain over buying nothing."""
    now = plan.utility["now"].mean
    titles = ["split", *plan.groups, "spend", "utility", "90 % interval", "gain"]
    nothing = ["buy nothing", *("0" for _ in plan.groups), "0.00", *estimate_cells(plan.utility["now"]), ""]
    rows = [nothing, _split_row(plan, "after", plan, now)]
    rows += [_split_row(plan, policy, other, now) for policy, other in others.items()]
    header, *body = aligned([titles, *rows])
    return "\n".join([header, "-" * len(header), *body])


def _split_row(plan: Allocation, utility: str, bought: Allocation, now: float) -> list[str]:
    reached = plan.utility[utility]
    adds = [f"{bought.add[group]:,}" for group in plan.groups]
    name = bought.policy.replace("_", " ")
    return [name, *adds, f"{bought.budget.spend:,.2f}", *estimate_cells(reached), f"{reached.mean - now:+.4f}"]
