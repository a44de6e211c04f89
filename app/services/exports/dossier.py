"""One question about one project, answered once: all that a report and its tables are made of.

What is asked for is worked out when it is first needed and kept, so that every part follows from the same plan of the
same data version.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Session

from app.money import MILLIONTH
from app.services.curves.fit import present_runs
from app.services.curves.fits import Fits
from app.services.curves.runs import Runs
from app.services.forecasts.due import record_now
from app.services.forecasts.record import ForecastRecord
from app.services.ledger.holdings import left_of
from app.services.planning import MeasurementPlan
from app.services.planning.allocations import Allocation, AllocationQuestion
from app.services.planning.budgets import BudgetRows
from app.services.planning.looks import kept_allocation, kept_budget_rows, kept_what_if
from app.services.planning.measurements import measurement_plan_of
from app.services.planning.policies import BASELINE_KEYS, PLAYERS
from app.services.planning.scenarios import ScenarioResult
from app.services.planning.situations import Situation, situation_of
from app.services.planning.variations import Scenario
from app.services.valuation.hindsight import Hindsight, HindsightQuestion, kept_hindsight
from app.services.valuation.source_values import Valuation, kept_source_values
from app.store.ledger import Money, money_of_project
from app.store.member_rows import group_rows
from app.store.models.projects import Group, Project, Source
from app.store.projects import members

SHARES = (("half the money", "0.5"), ("half as much again", "1.5"), ("twice the money", "2"))
"""What the plan is compared with where nothing else is asked, beside the usual rules of thumb: other budgets."""


@dataclass
class Dossier:
    """`project`: as it is stored, or as it is looked at. `scenarios`: to compare, the first with the others; none for
    the usual ones. `runs`: of the measurement plan, None for as many as are usual. `at`: the time of making."""

    session: Session
    fits: Fits
    project: Project
    question: AllocationQuestion
    at: datetime
    scenarios: Sequence[Scenario] = ()
    runs: int | None = None

    @cached_property
    def groups(self) -> Sequence[Group]:
        return members(self.session, Group, self.project.id)

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        return {source.key: source for source in members(self.session, Source, self.project.id)}

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Key → what a group is called, archived ones included: old rounds name them."""
        return {
            group.key: group.name or group.key for group in group_rows(self.session, self.project.id, archived=None)
        }

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """Key → what tells a group from all others: its name, with the key where several have it."""
        shared = Counter(self.names.values())
        return {key: f"{name} ({key})" if shared[name] > 1 else name for key, name in self.names.items()}

    @cached_property
    def situation(self) -> Situation:
        """Raises Invalid for a project without groups."""
        return situation_of(self.session, self.fits, self.project, self.question.draws, self.question.seed)

    @cached_property
    def allocation(self) -> Allocation:
        """Raises as `next_allocation`."""
        return kept_allocation(self.session, self.fits, self.project, self.question)

    @cached_property
    def budgets(self) -> BudgetRows:
        """Raises as `planning_budgets`."""
        return kept_budget_rows(self.session, self.fits, self.project, self.question)

    @cached_property
    def outcomes(self) -> Sequence[ScenarioResult]:
        """Raises as `what_if`."""
        asked = self.scenarios or self.usual_scenarios()
        return kept_what_if(self.session, self.fits, self.project, asked, self.question.draws, self.question.seed)

    def usual_scenarios(self) -> list[Scenario]:
        """This plan, other budgets for it, and the rules of thumb with its money. Budgets may lie beyond what the
        project has left: that is what one would ask for."""
        asked, available = self.question, self.allocation.budget.available
        plan = Scenario("this plan", available, asked.policy, asked.exploration, hold=asked.hold)
        budgets = [(name, (available * Decimal(share)).quantize(MILLIONTH, ROUND_DOWN)) for name, share in SHARES]
        others = [replace(plan, name=name, budget=budget) for name, budget in budgets if budget != available]
        rules = [Scenario(PLAYERS[key].lower(), available, key) for key in BASELINE_KEYS if key != asked.policy]
        return [plan, *others, *rules]

    @cached_property
    def measurements(self) -> MeasurementPlan:
        """Raises as `measurement_plan_of`."""
        draws, seed = self.question.draws, self.question.seed
        return measurement_plan_of(self.session, self.fits, self.project, self.runs, draws, seed)

    @cached_property
    def source_values(self) -> Valuation:
        """Raises as `valuing`."""
        draws, seed = self.question.draws, self.question.seed
        return kept_source_values(self.session, self.fits, self.project, "sources", draws, seed)

    @cached_property
    def hindsight(self) -> Hindsight:
        """Raises as `looking_back`."""
        asked = HindsightQuestion(draws=self.question.draws, seed=self.question.seed)
        return kept_hindsight(self.session, self.fits, self.project, asked)

    @cached_property
    def record(self) -> ForecastRecord:
        return record_now(self.session, self.fits, self.project)

    @cached_property
    def fitted_runs(self) -> Runs:
        """What the curves are fitted to."""
        return present_runs(self.session, self.fits, self.project)

    @cached_property
    def money(self) -> Money:
        return money_of_project(self.session, self.project.id)

    @property
    def left(self) -> Decimal:
        return left_of(self.project, self.money)

    def facts(self) -> list[tuple[str, Any]]:
        """What was asked of what, as label and value."""
        asked, objective = self.question, self.project.objective
        budget = "the project's share for the round" if asked.budget is None else asked.budget
        parameters = ", ".join(f"{name} {value}" for name, value in objective.items() if name != "kind")
        return [
            ("project", self.project.name),
            ("project id", str(self.project.id)),
            ("made at (UTC)", self.at),
            ("data of (UTC)", self.project.data_at),
            ("currency", self.project.currency),
            ("metric", self.project.metric_name),
            ("budget of the round", budget),
            ("policy", asked.policy),
            ("objective", objective["kind"]),
            ("objective's parameters", parameters[:1000] or "none"),
            ("exploration", "by default" if asked.exploration is None else asked.exploration),
            ("draws", asked.draws),
        ]
