"""The door: who calls, how often, with how much at once, and what may be computed, judged before it is done."""

from app.api.admission.door import Door
from app.api.admission.doorway import Doorway
from app.api.admission.streams import EventStream

__all__ = ["Door", "Doorway", "EventStream"]
