"""The calls of the client, by domain; `Client` has them all."""

from tranche.calls.exports import ExportCalls
from tranche.calls.planning import PlanningCalls
from tranche.calls.projects import ProjectCalls
from tranche.calls.purchases import PurchaseCalls
from tranche.calls.runs import RunCalls

__all__ = ["ExportCalls", "PlanningCalls", "ProjectCalls", "PurchaseCalls", "RunCalls"]
