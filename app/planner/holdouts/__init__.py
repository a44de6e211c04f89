"""How far a holdout can still be trusted after it was used to choose."""

from app.planner.holdouts.reuse import Reuse, expected_max, is_worn, reuse_of
from app.planner.holdouts.wearing import listed, optimism_of, worn, worn_groups

__all__ = ["Reuse", "expected_max", "is_worn", "listed", "optimism_of", "reuse_of", "worn", "worn_groups"]
