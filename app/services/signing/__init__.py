"""What whoever signs a purchase reads: the verdict on a plan, in a sentence."""

from app.planner.verdict import MetricChanges, VerdictKind
from app.services.signing.verdict import improvement, level, verdict_sentence

__all__ = ["MetricChanges", "VerdictKind", "improvement", "level", "verdict_sentence"]
