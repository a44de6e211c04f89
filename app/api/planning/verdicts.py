"""The verdict on a plan: whether to sign it, and what it brings in the metric's own units."""

from app.api.http.shapes import Answer, MoneyOut
from app.api.planning.plans import GainOut
from app.money import amount
from app.services.planning.allocations import Allocation
from app.services.planning.policies import PolicyName
from app.services.signing import MetricChanges, VerdictKind, verdict_sentence
from app.store.models.projects import Project


class MetricChangeOut(Answer):
    """The metric before and after, in its own units. `gain` is by how much it improves, above 0 for better whatever the
    metric's goal."""

    now: float
    after: float
    gain: GainOut


class MetricChangesOut(Answer):
    """Of the groups' `mean` by weight, and of the `worst` group, which is `worst_now` and may be another one after."""

    mean: MetricChangeOut
    worst: MetricChangeOut
    worst_now: str
    worst_after: str


class InsteadOut(Answer):
    """What the plan brings beside the best simple rule for the same money: `now` is with that rule."""

    policy: PolicyName
    changes: MetricChangesOut


class VerdictOut(Answer):
    """Whether to sign the plan, the first that holds: `keep` the money, as it is not worth spending or nothing can be
    bought; `measure` first; buy a `part`, up to `budget`; `any` split does; `buy`. `cannot` is said of constraints that
    cannot be met, with the error `infeasible`. `groups` are those that the verdict is about. `changes` and `instead`
    are null where nothing is known of the metric yet."""

    kind: VerdictKind
    sentence: str
    groups: list[str]
    budget: MoneyOut | None
    changes: MetricChangesOut | None
    instead: InsteadOut | None


def verdict_shape(project: Project, answer: Allocation) -> VerdictOut:
    verdict = answer.verdict
    return VerdictOut(
        kind=verdict.kind,
        sentence=verdict_sentence(project, answer),
        groups=list(verdict.groups),
        budget=None if verdict.budget is None else amount(verdict.budget),
        changes=changes_shape(verdict.changes),
        instead=None
        if verdict.instead is None
        else InsteadOut.model_validate(
            {
                "policy": answer.plan.utility.best_simple_rule.policy,
                "changes": changes_shape(verdict.instead),
            }
        ),
    )


def changes_shape(changes: MetricChanges | None) -> MetricChangesOut | None:
    return None if changes is None else MetricChangesOut.model_validate(changes)
