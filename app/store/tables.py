"""All tables: whoever imports this sees the whole metadata."""

from app.store import ledger_models, models, page_models, vendor_models

MODULES = (models, ledger_models, vendor_models, page_models)
metadata = models.Base.metadata
