"""The jobs by the names under which they are enqueued."""

from collections.abc import Mapping

from app.jobs import webhooks
from app.jobs.refit import refit
from app.jobs.simulate import simulate, simulate_part
from app.jobs.tracked import tracked
from app.jobs.vendors import VENDOR_WORKFLOWS
from app.jobs.workflows import Workflow
from app.services.deliveries import ATTEMPT
from app.services.plan_watch import REFIT
from app.services.replays import REDELIVER
from app.services.simulations import PART, SIMULATE
from app.services.wakeups import DISPATCH

WORKFLOWS: Mapping[str, Workflow] = {
    DISPATCH: webhooks.dispatch,
    ATTEMPT: webhooks.attempt,
    REDELIVER: webhooks.redeliver,
    REFIT: tracked(refit),
    SIMULATE: simulate,
    PART: simulate_part,
    **VENDOR_WORKFLOWS,
}
