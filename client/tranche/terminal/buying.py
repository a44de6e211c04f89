"""What to collect next, and the record of what was bought."""

import argparse
from collections.abc import Sequence

from tranche.client import Client
from tranche.terminal.service import Refused, with_service


def show_next(options: argparse.Namespace) -> int:
    """Prints the project's next allocation; its exit code."""

    def show(client: Client, project: str) -> int:
        print(client.next_allocation(project, budget=options.budget, policy=options.policy))
        return 0

    return with_service(options, show)


def record(options: argparse.Namespace) -> int:
    """Records a purchase; its exit code."""

    def bought(client: Client, project: str) -> int:
        more = {"spent": options.spent, "external_id": options.external_id, "note": options.note}
        if options.group:
            made = client.record_purchase(project, groups=counts_of(options.group), **more)
        else:
            orders = client.next_allocation(project) if options.plan else counts_of(options.order)
            made = client.record_purchase(project, orders, **more)
        accepted = sum(order.accepted for order in made.orders)
        left = client.next_allocation(project).budget.available
        print(f"Round {made.number}: {accepted:,} samples for {made.spent:,.2f}; the next round has {left:,.2f}.")
        return 0

    return with_service(options, bought)


def counts_of(said: Sequence[str]) -> dict[str, int]:
    """Samples by name from texts such as "clinic-7=500", parted at the last sign. Raises Refused."""
    found: dict[str, int] = {}
    for one in said:
        name, _, count = one.rpartition("=")
        if not name or not (count.isascii() and count.isdecimal()):
            raise Refused(f"'{one}' is not NAME=N, such as clinic-7=500")
        if name in found:
            raise Refused(f"'{name}' is named twice")
        found[name] = int(count)
    return found
