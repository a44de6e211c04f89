"""Orders: what they hold in place, and what events say of them."""

from typing import Any

from app.store.models.projects import Project
from app.store.models.purchases import Order, Round


def about_round(project: Project, row: Round) -> dict[str, Any]:
    """What an event says of a round."""
    return {"url": f"/v1/projects/{project.id}/rounds/{row.number}", "round": row.number}


def about_order(project: Project, row: Round, order: Order) -> dict[str, Any]:
    """What an event says of an order."""
    return {**about_round(project, row), "url": f"/v1/projects/{project.id}/orders/{order.id}", "order": str(order.id)}
