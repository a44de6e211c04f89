"""The door: who calls, how often, and with how much at once, judged before a body is read."""

from app.api.admission.door import Door
from app.api.admission.doorway import Doorway
from app.api.admission.scopes import needs, scope_of
from app.api.admission.streams import EventStream

__all__ = ["Door", "Doorway", "EventStream", "needs", "scope_of"]
