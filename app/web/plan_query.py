"""What the plan page is asked: the budget, the policy and the objective, as its form sends them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, get_args
from urllib.parse import urlencode

from app.api.planning.allocations import read_budget
from app.api.planning.plans import PolicyName
from app.errors import Fault, invalid
from app.services.planning.allocations import AllocationQuestion
from app.store.models.projects import Project

OWN = "project"
POLICIES: Mapping[str, PolicyName] = MappingProxyType({name: name for name in get_args(PolicyName)})
POLICY_NAMES = MappingProxyType(
    {
        "optimal": "Optimal",
        "greedy": "Greedy: largest gain per cost, batch by batch",
        "thompson": "Thompson: best for one draw of the curves",
        "worst_first": "Worst group first",
        "equal": "Equal counts",
        "equal_spend": "Equal money",
        "proportional": "By weight",
        "water_filling": "Level the counts",
        "slice_tuner": "Slice Tuner",
    }
)
OBJECTIVES: Mapping[str, tuple[str, dict[str, Any]]] = MappingProxyType(
    {
        "utilitarian": ("The sum counts", {"kind": "utilitarian"}),
        "isoelastic": ("Gains of the worse off count for more", {"kind": "isoelastic", "aversion": 1.0}),
        "maximin": ("The worst-off group first", {"kind": "maximin", "stop_ratio": 0.0}),
        "cvar": ("The worst-off quarter", {"kind": "cvar", "tail": 0.25}),
        "targets": ("Reach the targets", {"kind": "targets", "power": 1}),
        "gap": ("Close the gap to the mean", {"kind": "gap", "lambda": 1.0}),
    }
)


@dataclass(frozen=True)
class PlanQuery:
    """budget: as typed, empty for the project's share. objective: `project`, or a key of OBJECTIVES."""

    budget: str = ""
    policy: str = "optimal"
    objective: str = OWN
    page: int = 1

    def question(self) -> AllocationQuestion:
        """Raises Invalid."""
        faults = []
        if self.policy not in POLICIES:
            faults.append(Fault("?policy", f"there is no such policy; choose one of {', '.join(POLICIES)}"))
        if self.objective not in (OWN, *OBJECTIVES):
            faults.append(Fault("?objective", f"choose {OWN} or one of {', '.join(OBJECTIVES)}"))
        if faults:
            raise invalid(*faults)
        return AllocationQuestion(self.amount(), POLICIES[self.policy])

    def amount(self) -> Decimal | None:
        return read_budget(self.budget or None)

    def changes(self, project: Project) -> dict[str, Any]:
        """What is asked of another project than the one that is stored: its objective, where that differs."""
        if self.objective == OWN:
            return {}
        _, objective = OBJECTIVES[self.objective]
        return {} if objective == project.objective else {"objective": dict(objective)}

    def at_page(self, page: int) -> str:
        one = replace(self, page=page)
        return urlencode({"budget": one.budget, "policy": one.policy, "objective": one.objective, "page": one.page})


def policy_choices() -> list[tuple[str, str]]:
    return [(name, POLICY_NAMES[name]) for name in POLICIES]


def objective_choices(project: Project) -> list[tuple[str, str]]:
    own = f"The project's: {project.objective['kind']}"
    return [(OWN, own), *((key, label) for key, (label, _) in OBJECTIVES.items())]


def slider_step(most: Decimal) -> Decimal:
    """A round step that parts the money in 100 to 250: 1, 2 or 5 times a power of ten."""
    step = Decimal("0.01")
    for factor in (Decimal(2), Decimal("2.5"), Decimal(2)) * 20:
        if most / step <= 250:
            break
        step *= factor
    return step.normalize()
