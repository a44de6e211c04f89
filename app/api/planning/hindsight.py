"""Looking back: what other policies would have done with closed rounds' money."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.http.answers import Draws, IntervalOut, Seed
from app.api.http.etags import question_tag
from app.api.http.problems import declared
from app.api.http.shapes import Answer, MoneyOut
from app.api.http.transactions import Call, Route, reads
from app.api.planning.plans import GainOut
from app.api.projects.objectives import Objective
from app.errors import Conflict, Fault, NoClosedRound, TooManyComputations, invalid
from app.services.curves.fits import DRAWS, SEED
from app.services.planning.policies import BASELINE_KEYS, POLICY_KEYS, PolicyName
from app.services.valuation.hindsight import Hindsight, HindsightQuestion, Instead, Review, by_group, kept_hindsight
from app.store.models.projects import Project

router = APIRouter(prefix="/v1/projects/{project_id}/rounds", tags=["rounds"], route_class=Route)


class ActualOut(Answer):
    """What came, accepted samples by group, and the utility that it led to, by today's curves."""

    added: dict[str, int]
    utility: IntervalOut


class PolicyInsteadOut(Answer):
    """A policy in the place of what was done: accepted samples by group, its utility, and that less the actual one over
    the same draws, `p_better` being the chance that it would have done better. `hindsight`: it goes by today's curves,
    which nobody knew then. The last two are null where its bounds and limits could not be met with the money."""

    policy: PolicyName
    hindsight: bool
    added: dict[str, int]
    utility: IntervalOut | None
    difference: GainOut | None


class ReviewOut(Answer):
    """`best`: what the plan on today's curves would have bought."""

    spent: MoneyOut
    actual: ActualOut
    policies: list[PolicyInsteadOut]
    best: PolicyInsteadOut


class PastRoundOut(ReviewOut):
    """`forecast`: the utility that was forecast as the round was proposed; null where its orders were not those of its
    allocation, or the objective asked for is another. `as_today`: pointers to what was changed since and is not kept
    with rounds, so that it is taken as it is today."""

    number: int
    forecast: IntervalOut | None
    as_today: list[str]


class HindsightOut(Answer):
    """Closed rounds, oldest first, each from the counts, prices and money that it began with; and `all` of them, each
    policy going on from what it would have had. `left_out`: older closed rounds that are not looked at. `forecasts` and
    `coverage`: how many runs' forecasts were scored, and the share of them within their 90 % intervals, which says how
    far to trust the curves that all of this rests on."""

    data_version: int
    data_at: datetime
    seed: int
    draws: int
    currency: str
    objective: Objective
    rounds: list[PastRoundOut]
    all: ReviewOut
    left_out: int
    forecasts: int
    coverage: float | None


def instead_shape(keys: Sequence[str], one: Instead) -> PolicyInsteadOut:
    return PolicyInsteadOut.of(one, added=by_group(keys, one.added))


def review_shape(keys: Sequence[str], review: Review, spent: MoneyOut) -> ReviewOut:
    return ReviewOut(
        spent=spent,
        actual=ActualOut.of(review, added=by_group(keys, review.added)),
        policies=[instead_shape(keys, one) for one in review.policies],
        best=instead_shape(keys, review.best),
    )


def hindsight_shape(project: Project, found: Hindsight, question: HindsightQuestion) -> HindsightOut:
    return HindsightOut.of(
        found,
        question,
        project,
        rounds=[PastRoundOut.of(one, review_shape(found.keys, one.review, one.spent)) for one in found.rounds],
        all=review_shape(found.keys, found.together, found.spent),
        forecasts=found.record.count,
        coverage=found.record.coverage[-1],
    )


def read_policies(text: str) -> tuple[PolicyName, ...]:
    """The policies that a text names with commas between. Raises Invalid."""
    known: dict[str, PolicyName] = {key: key for key in POLICY_KEYS}
    named = [part.strip() for part in text.split(",")]
    faults = [
        Fault("?policies", f"there is no policy '{name[:100]}'; choose among {', '.join(known)}")
        for name in named
        if name not in known
    ]
    if faults:
        raise invalid(*faults[:10])
    return tuple(dict.fromkeys(known[name] for name in named))


@router.get(
    "/hindsight",
    operation_id="rounds_hindsight",
    summary="Say what other policies would have done",
    responses=declared(Conflict, NoClosedRound, TooManyComputations),
)
def read_hindsight(
    project_id: str,
    call: Annotated[Call, reads("read")],
    policies: Annotated[
        str, Query(max_length=500, description="Policies with commas between, beside the best that could have been")
    ] = ",".join(BASELINE_KEYS),
    objective: Annotated[
        str | None, Query(max_length=50, description="A kind of objective to judge by; left out: the project's own")
    ] = None,
    draws: Draws = DRAWS,
    seed: Seed = SEED,
) -> HindsightOut:
    """Every closed round's money, split otherwise, from the counts, prices and limits of its time; judged by today's
    curves on the draws that judge what was bought. It informs; nothing is planned by it."""
    question = HindsightQuestion(read_policies(policies), objective, draws, seed)
    project = call.project(project_id)
    call.unless_matched(question_tag(project, "hindsight", question))
    found = kept_hindsight(call.session, call.runtime.fits, project, question)
    return hindsight_shape(project, found, question)
