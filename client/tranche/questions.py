"""What the service answers to what-if, to the question what targets cost, and to what to measure next."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tranche.answers import Estimate, Json, Remark, known
from tranche.plan_parts import Gain
from tranche.plans import NO_ESTIMATES, shares_of
from tranche.rows import Row, Tabular, banded, row_of


@dataclass(frozen=True, slots=True)
class ScenarioPlan:
    """A row of the what-if table. Where the constraints exclude each other `infeasible` lists pointer and detail of all
    culprits, and there is no plan. `spend_difference` and `gain` are to the first row."""

    name: str
    policy: str | None
    spend: Decimal | None
    unspent: Decimal | None
    utility: Mapping[str, Estimate]
    add: Counter[str]
    metric_after: Mapping[str, Estimate]
    orders: Mapping[str, int]
    spend_difference: Decimal | None
    gain: Gain | None
    infeasible: tuple[Json, ...]
    warnings: tuple[Remark, ...]
    stakeholders: Mapping[str, float | None] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Json) -> "ScenarioPlan":
        budget, difference = answer["budget"] or {}, answer["difference"] or {}
        utility = {name: one for name, one in (answer["utility"] or {}).items() if name not in NO_ESTIMATES}
        gain, apart = difference.get("utility"), difference.get("spend")
        metrics = {key: one["metric_after"] for key, one in answer["groups"].items()}
        return known(
            cls,
            answer,
            spend=Decimal(budget["spend"]) if budget else None,
            unspent=Decimal(budget["unspent"]) if budget else None,
            utility=Estimate.each(utility),
            add=Counter({key: one["add"] for key, one in answer["groups"].items()}),
            metric_after=Estimate.each(metrics),
            orders={key: one["order"] for key, one in answer["sources"].items()},
            spend_difference=None if apart is None else Decimal(apart),
            gain=None if gain is None else known(Gain, gain),
            infeasible=tuple(answer["infeasible"]),
            stakeholders=shares_of(answer),
            warnings=Remark.all_of(answer),
        )

    def row(self) -> Row:
        named = {name: getattr(self, name) for name in ("name", "policy", "spend", "unspent", "spend_difference")}
        added = {f"add_{group}": n for group, n in self.add.items()}
        return {**named, **banded("utility_after", self.utility.get("after")), **banded("gain", self.gain), **added}


@dataclass(frozen=True, slots=True)
class GroupRequirement:
    """Counts of clean samples and chances of reaching the target; `count_needed` is None where no count is enough."""

    group: str
    target: float
    count_now: float
    count_needed: float | None
    count: float
    chance_now: float
    chance: float
    chance_reachable: float
    reason: str


@dataclass(frozen=True, slots=True)
class BudgetChance:
    budget: Decimal
    spend: Decimal
    level: float
    joint_chance: float
    chances: Mapping[str, float]

    @classmethod
    def of(cls, answer: Json) -> "BudgetChance":
        return known(cls, answer, budget=Decimal(answer["budget"]), spend=Decimal(answer["spend"]))


@dataclass(frozen=True, slots=True)
class Offer:
    """What a lower chance takes, bought for the group alone: `count` clean samples with the orders."""

    chance: float
    count: float
    spend: Decimal


@dataclass(frozen=True, slots=True)
class Shortfall:
    """The highest chance that a group can have of its target, why, and what a lower one than asked takes."""

    group: str
    cause: str
    chance: float
    offer: Offer | None
    reason: str

    @classmethod
    def of(cls, answer: Json) -> "Shortfall":
        offer = answer["offer"]
        found = None if offer is None else known(Offer, offer, spend=Decimal(offer["spend"]))
        return known(cls, answer, offer=found)


@dataclass(frozen=True, slots=True)
class Requirements(Tabular):
    """The least money, and the orders by source, with which the groups reach their targets. `short` maps the groups
    that cannot have the chance asked to what they can have."""

    chance: float
    joint: bool
    spend: Decimal
    joint_chance: float
    method: str
    groups: Mapping[str, GroupRequirement]
    orders: Mapping[str, int]
    curve: tuple[BudgetChance, ...]
    short: Mapping[str, Shortfall]

    @classmethod
    def of(cls, answer: Json) -> "Requirements":
        return known(
            cls,
            answer,
            spend=Decimal(answer["spend"]),
            groups={one["group"]: known(GroupRequirement, one) for one in answer["groups"]},
            orders={one["source"]: one["order"] for one in answer["sources"]},
            curve=tuple(BudgetChance.of(one) for one in answer["curve"]),
            short={one["group"]: Shortfall.of(one) for one in answer["short"]},
        )

    def to_dicts(self) -> list[Row]:
        return [row_of(group) for group in self.groups.values()]


@dataclass(frozen=True, slots=True)
class MeasurementRun:
    """How many samples of each group to train the next run on, and what it tells. `variance_before` and `_after` are
    None while too little is measured to choose by."""

    counts: Mapping[str, int]
    reason: str
    variance_before: float | None = None
    variance_after: float | None = None


@dataclass(frozen=True, slots=True)
class PilotRun:
    """A run with a pilot: `counts` by group, of which `origin` from the source; `sd` of the quality, expected then."""

    counts: Mapping[str, int]
    origin: Mapping[str, Mapping[str, int]]
    sd: float


@dataclass(frozen=True, slots=True)
class Pilot:
    """Runs that tell what a source's samples are worth, and whether they likely decide if it is worth its price."""

    source: str
    group: str
    count: int
    runs: tuple[PilotRun, ...]
    sd_now: float
    sd_after: float
    break_even: float | None
    chance_decided: float | None
    verdict: str
    advice: str

    @classmethod
    def of(cls, answer: Json | None) -> "Pilot | None":
        if answer is None:
            return None
        return known(cls, answer, runs=tuple(known(PilotRun, one, origin=one["from"]) for one in answer["runs"]))


@dataclass(frozen=True, slots=True)
class MeasurementPlan(Tabular):
    """Runs in the order in which they tell most; `subsets` draws what to train them on, by `order`. `note` says why
    there is none, `advice` whether plainly halved sizes are as good. Numbers are None while too little is measured to
    choose by: the runs are the usual ones then."""

    runs: tuple[MeasurementRun, ...]
    variance_now: float | None = None
    variance_after: float | None = None
    gain_over_halving: float | None = None
    advice: str | None = None
    order: str = ""
    note: str | None = None
    pilot: Pilot | None = None

    @classmethod
    def of(cls, answer: Json) -> "MeasurementPlan":
        runs = tuple(known(MeasurementRun, one) for one in answer["runs"])
        return known(cls, answer, runs=runs, pilot=Pilot.of(answer.get("pilot")))

    def to_dicts(self) -> list[Row]:
        """A row per group and run."""
        return [
            {"run": number, "group": group, "count": count}
            for number, run in enumerate(self.runs, start=1)
            for group, count in run.counts.items()
        ]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a policy fared in a simulation; `utility` and `difference` (to the chosen policy's, paired) are a mean and
    its standard error, `path` the mean utility at the start and after each round."""

    policy: str
    utility: tuple[float, float]
    worst: tuple[float, float]
    regret: float | None
    money_per_benefit: float | None
    path: tuple[float, ...]
    added: Mapping[str, float]
    difference: tuple[float, float]
    p_better: float

    @classmethod
    def of(cls, answer: Json) -> "Standing":
        pairs = {name: (answer[name]["mean"], answer[name]["se"]) for name in ("utility", "worst", "difference")}
        return known(cls, answer, **pairs, path=tuple(after["mean"] for after in answer["path"]))

    def row(self) -> Row:
        row: Row = {"policy": self.policy}
        for name in ("utility", "worst", "difference"):
            row[name], row[f"{name}_se"] = getattr(self, name)
        return {**row, "regret": self.regret, "money_per_benefit": self.money_per_benefit, "p_better": self.p_better}


@dataclass(frozen=True, slots=True)
class Simulation(Tabular):
    """What each policy would have reached, on draws of the project's own posterior."""

    id: str
    data_version: int
    games: int
    rounds: int
    chosen: str
    p_better_than_equal: float
    policies: tuple[Standing, ...]
    oracle: Standing

    @classmethod
    def of(cls, answer: Json) -> "Simulation":
        result = answer["result"]
        return known(
            cls,
            {**answer, **result},
            policies=tuple(Standing.of(one) for one in result["policies"]),
            oracle=Standing.of(result["oracle"]),
        )

    def to_dicts(self) -> list[Row]:
        """A row per policy, the oracle last."""
        return [one.row() for one in (*self.policies, self.oracle)]


@dataclass(frozen=True, slots=True)
class SourceValue:
    """What a source, or a vendor, has delivered and cost, and what that is worth: its Shapley value in utility, as a
    share of all, and per 1,000 of money; None where that is not known."""

    source: str
    delivered: int
    spent: Decimal
    value: Mapping[str, float | None]
    share: float | None
    value_per_1000: Mapping[str, float | None] | None
    leave_one_out: float
    closing_costs: float | None

    @classmethod
    def of(cls, answer: Json) -> "SourceValue":
        return known(cls, answer, spent=Decimal(answer["spent"]))

    def row(self) -> Row:
        named = ("source", "delivered", "spent", "share", "leave_one_out", "closing_costs")
        return {name: getattr(self, name) for name in named} | {"value": self.value["mean"]}


@dataclass(frozen=True, slots=True)
class MixPhase:
    """A part of a training run, `start` to `end` of its samples. By group: `shares` of the phase's samples, `repeats`
    of each sample in it, and the `loss_weights` that do the same without repeating any (None where none is held)."""

    start: float
    end: float
    temperature: float
    variance_factor: float
    effective_size: float
    shares: Mapping[str, float]
    repeats: Mapping[str, float]
    loss_weights: Mapping[str, float | None]

    @classmethod
    def of(cls, answer: Json) -> "MixPhase":
        names = {"shares": "share", "repeats": "repeats", "loss_weights": "loss_weight"}
        by_group = {name: {one["group"]: one[field] for one in answer["items"]} for name, field in names.items()}
        return known(cls, answer, **by_group)


@dataclass(frozen=True, slots=True)
class TrainingMix(Tabular):
    """How to show what is held to a training run of so many `samples`, phase by phase."""

    data_version: int
    samples: int
    phases: tuple[MixPhase, ...]

    @classmethod
    def of(cls, answer: Json) -> "TrainingMix":
        return known(cls, answer, phases=tuple(MixPhase.of(one) for one in answer["phases"]))

    def to_dicts(self) -> list[Row]:
        """A row per phase and group."""
        return [
            {
                "phase": number,
                "group": group,
                "share": share,
                "repeats": phase.repeats[group],
                "loss_weight": phase.loss_weights[group],
            }
            for number, phase in enumerate(self.phases, start=1)
            for group, share in phase.shares.items()
        ]


@dataclass(frozen=True, slots=True)
class Representation(Tabular):
    """Whom the `size` samples held are like. `levels`: of the attributes, each with its `share`, the population's
    `target`, their standardised `difference`; `weights` of a sample by group; `effective_size` with these (None, as the
    weights, where none reach the population's shares); `holes` and `overlaps` of the attributes; `next`: what one more
    sample of a group does to the effective size, the most per money first."""

    data_version: int
    size: int
    effective_size: float | None
    levels: tuple[Mapping[str, Any], ...]
    weights: Mapping[str, float | None]
    holes: tuple[Mapping[str, Any], ...]
    overlaps: tuple[tuple[str, ...], ...]
    next: tuple[Mapping[str, Any], ...]
    warnings: tuple[Remark, ...]

    @classmethod
    def of(cls, answer: Json) -> "Representation":
        return known(
            cls,
            answer,
            levels=tuple(answer["levels"]),
            weights={one["group"]: one["weight"] for one in answer["groups"]},
            holes=tuple(answer["holes"]),
            overlaps=tuple(tuple(keys) for keys in answer["overlaps"]),
            next=tuple(answer["next"]),
            warnings=Remark.all_of(answer),
        )

    def to_dicts(self) -> list[Row]:
        """A row per level."""
        return [{**one, "attributes": ",".join(one["attributes"])} for one in self.levels]
