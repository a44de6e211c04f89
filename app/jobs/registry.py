"""The jobs by the names under which they are enqueued."""

from collections.abc import Mapping

from app.jobs import webhooks
from app.jobs.erase import erase_project
from app.jobs.refit import refit
from app.jobs.simulate import simulate, simulate_part
from app.jobs.tracked import tracked
from app.jobs.vendors import VENDOR_WORKFLOWS
from app.jobs.workflows import Workflow
from app.services.jobs.plan_watch import REFIT
from app.services.retention.erasing import ERASE
from app.services.simulations.simulations import PART, SIMULATE
from app.services.webhooks.attempts import ATTEMPT
from app.services.webhooks.dispatch_jobs import DISPATCH
from app.services.webhooks.replays import REDELIVER

WORKFLOWS: Mapping[str, Workflow] = {
    DISPATCH: webhooks.dispatch,
    ATTEMPT: webhooks.attempt,
    REDELIVER: webhooks.redeliver,
    REFIT: tracked(refit),
    SIMULATE: simulate,
    PART: simulate_part,
    ERASE: erase_project,
    **VENDOR_WORKFLOWS,
}
