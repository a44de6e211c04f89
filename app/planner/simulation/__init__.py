"""The collection game: policies played against each other on worlds whose curves are known."""

from app.planner.simulation.game import GameResult, Player, Rules, unplayed
from app.planner.simulation.paired import Estimate, chance_better
from app.planner.simulation.trial import ORACLE, Standing, Trial, holdout_errors, joined, play_part, standings

__all__ = [
    "ORACLE", "Estimate", "GameResult", "Player", "Rules", "Standing", "Trial", "chance_better", "holdout_errors",
    "joined", "play_part", "standings", "unplayed",
]  # fmt: skip
