"""What whoever signs a purchase reads: the verdict on a plan, in a sentence, and the plan on one screen."""

from app.planner.verdict import MetricChanges, VerdictKind
from app.services.signing.answers import answer_of
from app.services.signing.members import Members
from app.services.signing.screen import Screen, screen_of
from app.services.signing.verdict import verdict_sentence

__all__ = ["Members", "MetricChanges", "Screen", "VerdictKind", "answer_of", "screen_of", "verdict_sentence"]
