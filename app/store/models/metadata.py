"""All tables: whoever imports this sees the whole metadata."""

from app.store.models import access, base, projects, purchases, simulations, vendors

MODULES = (projects, purchases, access, simulations, vendors)
metadata = base.Base.metadata
