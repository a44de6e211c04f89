"""All tables: whoever imports this sees the whole metadata."""

from app.store import ledger_models, models

MODULES = (models, ledger_models)
metadata = models.Base.metadata
