"""Three populations, three ways to start and to pay, four utilities: the games of the surrogate and of the genomes."""

import numpy as np
from surrogate_worlds import POLYGENIC_KEYS

from app.planner.arrays import FloatArray
from app.planner.problem.problem import Problem
from app.planner.problem.sources import Source
from app.planner.simulation.game import Rules, unknown
from app.planner.utility.metric import Metric
from app.planner.utility.objective import Objective
from app.services.curves.prior import prior_for

SCENARIOS: dict[str, tuple[FloatArray, tuple[float, ...]]] = {
    "equal": (np.array([100.0, 100.0, 100.0]), (1.0, 1.0, 1.0)),
    "unequal": (np.array([100.0, 100.0, 100.0]), (3.0, 1.0, 1.5)),
    "skewed": (np.array([30.0, 450.0, 30.0]), (2.0, 1.0, 1.5)),
}
"""People held at the start and what one more costs, in the order YRI, CEU, CHB."""
POPULATION = (0.15, 0.65, 0.2)
"""Shares of the population that the scores are to serve: what `proportional` buys by."""
UTILITIES: dict[str, tuple[Objective, tuple[float, ...]]] = {
    "population": (Objective("utilitarian"), POPULATION),
    "mean": (Objective("utilitarian"), (1.0, 1.0, 1.0)),
    "log": (Objective("isoelastic", aversion=1.0), (1.0, 1.0, 1.0)),
    "worst": (Objective("maximin"), (1.0, 1.0, 1.0)),
}
BUDGET, ROUNDS, MONEY = 300, 6, 1_000_000


def rules_of(costs: tuple[float, ...], utility: str, *, together: bool = False, draws: int = 100) -> Rules:
    """300 money in six rounds for the utility of that name."""
    objective, weights = UTILITIES[utility]
    prior = prior_for(1.0)
    problem = Problem(
        keys=POLYGENIC_KEYS,
        weights=np.array(weights),
        held=np.zeros(3),
        targets=np.full(3, np.nan),
        reference_loss=None,
        metric=Metric("maximize", 0.0, 1.0),
        objective=objective,
        sources=tuple(
            Source(key, ((at, 1.0),), round(cost * MONEY))
            for at, (key, cost) in enumerate(zip(POLYGENIC_KEYS, costs, strict=True))
        ),
        budget=BUDGET * MONEY,
        posterior=unknown(POLYGENIC_KEYS, 1.0, prior),
    )
    return Rules(problem, ROUNDS, prior, draws=draws, pooled=True, together=together, population=np.array(POPULATION))
