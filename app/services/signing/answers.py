"""A plan as the parts of the API's answer that its screen is made of, where no answer was made."""

import math
from dataclasses import asdict
from typing import Any

from app.money import amount
from app.services.planning import GroupPlan, SourcePlan
from app.services.planning.allocations import Allocation
from app.services.signing.members import Answer
from app.services.signing.verdict import verdict_sentence
from app.store.models.projects import Project


def answer_of(project: Project, allocation: Allocation) -> Answer:
    """`GET …/allocations/next` as far as `screen_of` reads it; money as exact decimals."""
    plan, known, verdict, stop = allocation.plan, allocation.known, allocation.verdict, allocation.stop
    return {
        "budget": {"spend": amount(plan.spend)},
        "utility": {"best_simple_rule": _rule(allocation)} if known else None,
        "verdict": {
            "kind": verdict.kind,
            "sentence": verdict_sentence(project, allocation),
            "groups": list(verdict.groups),
            "budget": None if verdict.budget is None else amount(verdict.budget),
            "changes": None if verdict.changes is None else asdict(verdict.changes),
            "instead": None
            if verdict.instead is None
            else {"policy": plan.utility.best_simple_rule.policy, "changes": asdict(verdict.instead)},
        },
        "groups": [_group(one, known=known) for one in plan.groups],
        "sources": [_source(allocation, one) for one in plan.sources],
        "stop": None
        if stop is None
        else {"worth": None if stop.worth is None else amount(round(stop.worth * 1_000_000))},
        "warnings": [asdict(one) for one in allocation.warnings],
    }


def _rule(allocation: Allocation) -> dict[str, Any]:
    rule = allocation.plan.utility.best_simple_rule
    ratio = None if rule.budget_ratio is None else asdict(rule.budget_ratio)
    times = ratio and {name: None if value == math.inf else value for name, value in ratio.items()}
    return {"policy": rule.policy, "gain": asdict(rule.gain), "budget_ratio": times}


def _group(one: GroupPlan, *, known: bool) -> dict[str, Any]:
    return {
        "group": one.key,
        "add": one.add,
        "cost": amount(one.cost),
        "metric_now": asdict(one.metric_now) if known else None,
        "metric_after": asdict(one.metric_after) if known else None,
        "reason": one.reason,
    }


def _source(allocation: Allocation, one: SourcePlan) -> dict[str, Any]:
    judged = allocation.verdicts[one.key]
    even = judged.break_even
    return {
        "source": one.key,
        "order": one.order,
        "accepted": one.accepted,
        "cost": amount(one.cost),
        "binding": ["hold" if name == "fixed_order" else name for name in one.binding],
        "verdict": judged.verdict,
        "break_even": None if even is None else amount(max(0, int(even.mean))),
    }
