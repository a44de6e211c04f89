"""The jobs by the names under which they are enqueued."""

from collections.abc import Mapping

from app.jobs.refit import refit
from app.jobs.tracked import tracked
from app.jobs.workflows import Workflow
from app.services.plan_watch import REFIT

WORKFLOWS: Mapping[str, Workflow] = {REFIT: tracked(refit)}
