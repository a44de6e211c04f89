"""What a sample of a source is worth in clean ones: what runs on mixtures say of it, and which pilots would."""

from app.planner.quality.learning import learn_qualities
from app.planner.quality.mixtures import Mixture
from app.planner.quality.pilots import Pilot, PilotRun, plan_pilot
from app.planner.quality.verdicts import Judged, Verdict, judged
from app.planner.quality.worth import QUALITIES, Quality, Worth

__all__ = [
    "QUALITIES", "Judged", "Mixture", "Pilot", "PilotRun", "Quality", "Verdict", "Worth", "judged", "learn_qualities",
    "plan_pilot",
]  # fmt: skip
