"""The best orders were samples divisible, and the certificate that none are better."""

from app.planner.relaxation.certificate import Relaxation
from app.planner.relaxation.relax import Divisible, relax

__all__ = ["Divisible", "Relaxation", "relax"]
