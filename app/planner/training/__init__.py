"""How to train on what is held."""

from app.planner.training.mix import MOST_REPEATS, Mix, Phase, training_mix

__all__ = ["MOST_REPEATS", "Mix", "Phase", "training_mix"]
