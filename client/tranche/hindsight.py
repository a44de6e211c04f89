"""What other policies would have done with closed rounds' money. Money is a `Decimal`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tranche.answers import Estimate, Json, known
from tranche.plan_parts import Gain
from tranche.rows import Row, Tabular, banded


@dataclass(frozen=True, slots=True)
class Instead:
    """A policy in the place of what was done: samples it would have brought, its utility, and that less the actual one
    (None where its bounds could not be met). `hindsight`: it goes by curves that nobody knew then."""

    policy: str
    hindsight: bool
    added: Mapping[str, int]
    utility: Estimate | None
    difference: Gain | None

    @classmethod
    def of(cls, answer: Json) -> "Instead":
        difference = answer["difference"]
        return known(
            cls,
            answer,
            added=Counter(answer["added"]),
            utility=Estimate.of(answer["utility"]),
            difference=None if difference is None else known(Gain, difference),
        )


@dataclass(frozen=True, slots=True)
class PastRound:
    """A closed round, or all of them (`number` None): what it cost, brought and led to, what had been forecast for it,
    and what each policy and the best split would have come to. `as_today`: pointers to what has changed since and was
    taken as it is today."""

    number: int | None
    spent: Decimal
    added: Mapping[str, int]
    utility: Estimate
    forecast: Estimate | None
    policies: Mapping[str, Instead]
    best: Instead
    as_today: tuple[str, ...]

    @classmethod
    def of(cls, answer: Json) -> "PastRound":
        actual = answer["actual"]
        return cls(
            number=answer.get("number"),
            spent=Decimal(answer["spent"]),
            added=Counter(actual["added"]),
            utility=known(Estimate, actual["utility"]),
            forecast=Estimate.of(answer.get("forecast")),
            policies={one["policy"]: Instead.of(one) for one in answer["policies"]},
            best=Instead.of(answer["best"]),
            as_today=tuple(answer.get("as_today", ())),
        )


@dataclass(slots=True)
class Hindsight(Tabular):
    """Closed rounds looked back on, oldest first, and `all` of them together. Its rows are a policy of a round each."""

    rounds: tuple[PastRound, ...]
    all: PastRound
    forecasts: int
    coverage: float | None

    @classmethod
    def of(cls, answer: Json) -> "Hindsight":
        rounds = tuple(PastRound.of(one) for one in answer["rounds"])
        return known(cls, answer, rounds=rounds, all=PastRound.of(answer["all"]))

    def to_dicts(self) -> list[Row]:
        return [
            {
                "round": one.number,
                "policy": it.policy,
                **banded("difference", it.difference),
                "p_better": it.difference and it.difference.p_better,
            }
            for one in self.rounds
            for it in (*one.policies.values(), one.best)
        ]
