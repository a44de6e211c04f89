"""What the plan page is asked: the budget, the policy and the objective, as its form sends them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from app.api.planning.allocations import read_budget
from app.errors import Fault, invalid, refuse
from app.services.planning.allocations import AllocationQuestion
from app.services.planning.policies import POLICY_KEYS, PolicyName
from app.services.projects.objectives import LABELS, SENTENCES, labels_of, usual
from app.store.models.projects import Project
from app.web.site.typed import typed_money

OWN = "project"
POLICIES: Mapping[str, PolicyName] = MappingProxyType({key: key for key in POLICY_KEYS})


@dataclass(frozen=True)
class PlanQuery:
    """budget: as typed, empty for the project's share. objective: `project`, or one of LABELS. show, sort, level: of
    the groups' table, which groups and in which order."""

    budget: str = ""
    policy: str = "optimal"
    objective: str = OWN
    page: int = 1
    show: str = "all"
    sort: str = "cost"
    level: str = ""

    def question(self) -> AllocationQuestion:
        """Raises Invalid."""
        faults = []
        if self.policy not in POLICIES:
            faults.append(Fault("?policy", f"there is no such policy; choose one of {', '.join(POLICIES)}"))
        if self.objective not in (OWN, *LABELS):
            faults.append(Fault("?objective", f"choose {OWN} or one of {', '.join(LABELS)}"))
        refuse(faults)
        return AllocationQuestion(self.amount(), POLICIES[self.policy])

    def amount(self) -> Decimal | None:
        """30,000 is 30000. Raises Invalid."""
        try:
            return read_budget(f"{typed_money(self.budget):f}" if self.budget else None)
        except ValueError as error:
            raise invalid(Fault("?budget", str(error))) from None

    @property
    def plain_budget(self) -> str:
        """As the API's queries have it; as typed where it cannot be read."""
        try:
            return f"{typed_money(self.budget):f}" if self.budget else ""
        except ValueError:
            return self.budget

    def changes(self, project: Project) -> dict[str, Any]:
        """What is asked of another project than the one that is stored: its objective, where that differs."""
        if self.objective == OWN:
            return {}
        objective = usual(self.objective)
        return {} if objective == project.objective else {"objective": objective}

    def at_page(self, page: int) -> str:
        return urlencode(vars(replace(self, page=page)))


def objective_choices(project: Project) -> list[tuple[str, str]]:
    kind = project.objective["kind"]
    own = f"{LABELS.get(kind, SENTENCES[kind])} (the project's)"
    return [(OWN, own), *labels_of(project.stakeholders).items()]


def slider_step(most: Decimal) -> Decimal:
    """A round step that parts the money in 100 to 250: 1, 2 or 5 times a power of ten."""
    step = Decimal("0.01")
    for factor in (Decimal(2), Decimal("2.5"), Decimal(2)) * 20:
        if most / step <= 250:
            break
        step *= factor
    return step.normalize()
