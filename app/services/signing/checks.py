"""What to look at before signing: the plan's warnings by kind, the worst first, each with what can be done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.services.signing.members import Answer, Members
from app.services.signing.words import named

Action = Literal["", "measure", "part", "map"]

MEASURE = ("few_points", "no_observations", "stale", "extrapolates", "no_gain", "not_started", "wide_range")
"""Warnings that a run on what is held answers."""
FIRST = (
    "no_gain", "extrapolates", "stale", "no_observations", "unmapped", "not_monotone", "fell", "outlier",
    "hopeless_target", "mixed_unknown", "counts_without_purchase", "licence_unspecified", "no_source", "drifts",
)  # fmt: skip
"""The worst first; what is not listed comes after."""
INFORMS = ("transfer", "transfer_held", "pooled_prior", "many_points")
"""Warnings that say how something was reckoned, which nobody has to look after before signing."""
SHARED = {
    "stale": "hold more samples than any run was trained on: retrain on what is held before buying more.",
    "no_observations": "were never measured: post a run that scores them.",
    "few_points": "were measured at fewer than three sizes, so how fast they learn is little known.",
    "not_started": "have not begun to learn at the sizes measured: buy a part, and measure.",
    "not_monotone": "got worse with more samples: check the recipe and the newer labels.",
    "hopeless_target": "will hardly reach their targets, whatever is bought: lower these or improve the model.",
    "target_reached": "meet their targets already: raise these, or lower the groups' weights.",
    "no_source": "are sold by no source, so they get nothing: add one.",
    "price_dominates": "get less only because their samples are dearer: look for a cheaper source.",
}
"""Of warnings that several groups share: what is said of all of them."""


@dataclass(frozen=True)
class Check:
    """One kind of doubt. about: whom it concerns, in words; who: all of them by name. action: what can be done."""

    code: str
    about: str
    detail: str
    action: Action
    who: tuple[str, ...] = ()


def checks_of(answer: Answer, members: Members) -> tuple[Check, ...]:
    """One for each kind of warning, the worst first; what several groups share is said once."""
    told: dict[str, list[Answer]] = {}
    for one in answer["warnings"]:
        if one["code"] not in INFORMS:
            told.setdefault(one["code"], []).append(one)
    verdict = answer.get("verdict") or {}
    part = verdict.get("kind") == "part" and verdict.get("budget") is not None
    found = [_check(code, said, members, part=part) for code, said in told.items()]
    if part and verdict["groups"] and "extrapolates" not in told:
        who = tuple(members.group(key) for key in verdict["groups"])
        goes = "goes" if len(who) == 1 else "go"
        detail = f"{goes} far beyond what was measured: buy a part, measure, and plan the rest anew."
        found.append(Check("extrapolates", named(who), detail, "part", who))
    if members.unmapped:
        count = members.unmapped
        what = "1 delivered sample counts" if count == 1 else f"{count:,} delivered samples count"
        found.append(Check("unmapped", "", f"{what} for no group yet.", "map"))
    ranks = {code: place for place, code in enumerate(FIRST)}
    return tuple(sorted(found, key=lambda one: ranks.get(one.code, len(FIRST))))


def _check(code: str, said: Sequence[Answer], members: Members, *, part: bool) -> Check:
    whom = [members.group(one["group"]) if one["group"] else members.source(one["source"] or "") for one in said]
    who = tuple(dict.fromkeys(name for name in whom if name))
    action: Action = "part" if part and code == "extrapolates" else "measure" if code in MEASURE else ""
    if len(who) > 1 and code in SHARED and all(one["group"] for one in said):
        return Check(code, named(who), SHARED[code], action, who)
    more = f" And {len(said) - 1:,} more like this." if len(said) > 1 else ""
    return Check(code, named(who[:1]), f"{said[0]['detail']}{more}", action, who)
