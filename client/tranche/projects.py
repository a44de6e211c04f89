"""Projects, their groups, and the sources that samples are ordered from. Money is a `Decimal`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal

from tranche.answers import Estimate, Json, known
from tranche.rows import Row, banded


@dataclass(frozen=True, slots=True)
class Project:
    """`model`: joint, one trained on all groups' data, or separate, one for each group (as of older servers). `notes`:
    what its report says beside the plan."""

    id: str
    name: str
    currency: str
    data_version: int
    metric: Json
    objective: Json
    budget: Json
    external_id: str | None = None
    model: str = "separate"
    notes: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    key: str
    name: str | None
    weight: float
    initial_count: int
    target: float | None = None
    min_count: int | None = None
    max_count: int | None = None
    collected_count: int = 0

    @property
    def raw_count(self) -> int:
        """Samples held, of any quality: those of the start and what purchases brought."""
        return self.initial_count + self.collected_count


@dataclass(frozen=True, slots=True)
class Source:
    """`group` is None for a source of several groups; `yields` are their shares of its delivered samples. `quality`:
    exact, an interval {p05, p95}, or None where it is learned; `learned` is what is known of it."""

    key: str
    group: str | None
    unit_cost: Decimal
    yields: Mapping[str, float] = field(default_factory=dict)
    min_order: int | None = None
    max_order: int | None = None
    lot_size: int | None = None
    labels_per_item: int = 1
    max_total: int | None = None
    fixed_cost: Decimal = Decimal(0)
    acceptance_rate: float = 1.0
    quality: float | Mapping[str, float] | None = 1.0
    lead_time_days: int | None = None
    learned: Estimate | None = None
    license: str | None = None
    method: str | None = None

    @classmethod
    def of(cls, answer: Json) -> "Source":
        fixed_cost = Decimal(answer.get("fixed_cost", "0"))
        learned = Estimate.of(answer.get("record", {}).get("quality"))
        return known(cls, answer, unit_cost=Decimal(answer["unit_cost"]), fixed_cost=fixed_cost, learned=learned)

    def row(self) -> Row:
        names = [one.name for one in fields(self) if one.name not in ("yields", "quality", "learned")]
        return {**{name: getattr(self, name) for name in names}, **banded("quality", self.learned)}
