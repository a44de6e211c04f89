"""All tables: whoever imports this sees the whole metadata."""

from app.store.models import (
    access,
    base,
    erasures,
    jobs,
    observations,
    projects,
    purchases,
    simulations,
    vendors,
    webhooks,
)

MODULES = (access, erasures, jobs, observations, projects, purchases, simulations, vendors, webhooks)
metadata = base.Base.metadata
