"""Training runs: what is posted of one, what is kept of it, and how well it was forecast."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, SupportsFloat

from tranche import adapters
from tranche.answers import Estimate, Json, Remark, known, stated
from tranche.metrics import Metric, finite, whole, with_errors
from tranche.rows import Listing, Row


@dataclass(frozen=True, slots=True, init=False)
class Observation:
    """One evaluated training run. Runs scored on the same test samples share their `holdout`.

    `origin`: by source and group how many of the counts came from there; the rest is clean.
    `chosen_from`: how many candidates were compared on the holdout to choose this one; one where nothing is said.
    A metric is a plain number or a `Metric`. `eval_size` and `stderr`, one for the run or by group, say the error of
    those that state none. Raises ValueError for an error of a group without a metric.
    """

    counts: Mapping[str, int]
    metrics: Mapping[str, Metric]
    external_id: str | None
    holdout: str | None
    recipe: str | None
    observed_at: datetime | None
    origin: Mapping[str, Mapping[str, int]] | None
    chosen_from: int | None

    def __init__(
        self,
        counts: Mapping[str, int],
        metrics: Mapping[str, Metric] | Mapping[str, SupportsFloat] | Mapping[str, Metric | SupportsFloat],
        external_id: str | None = None,
        holdout: str | None = None,
        recipe: str | None = None,
        observed_at: datetime | None = None,
        *,
        eval_size: int | Mapping[str, int] | None = None,
        stderr: float | Mapping[str, float] | None = None,
        origin: Mapping[str, Mapping[str, int]] | None = None,
        chosen_from: int | None = None,
    ) -> None:
        made = {"counts": counts, "metrics": with_errors(metrics, eval_size, stderr), "external_id": external_id}
        for name, value in {
            **made,
            "holdout": holdout,
            "recipe": recipe,
            "observed_at": observed_at,
            "origin": origin,
            "chosen_from": chosen_from,
        }.items():
            object.__setattr__(self, name, value)

    def to_json(self) -> Json:
        """What is sent. Raises ValueError for a number that is not finite, and for a count that is not whole."""
        counts = {group: whole(n, f"the count of group {group!r}") for group, n in self.counts.items()}
        metrics = {group: _metric_json(group, metric) for group, metric in self.metrics.items()}
        said = {**stated(self), "counts": counts, "metrics": metrics}
        if self.chosen_from is not None:
            said["chosen_from"] = whole(self.chosen_from, "chosen_from")
        if said.pop("origin", None):
            said["from"] = {
                source: {group: whole(n, f"the count of {group!r} from {source!r}") for group, n in of_groups.items()}
                for source, of_groups in (self.origin or {}).items()
            }
        return said

    @classmethod
    def from_predictions(
        cls,
        counts: Mapping[str, int],
        y_true: Iterable[Any],
        y_pred: Iterable[Any],
        groups: Iterable[Any],
        metric: str = "accuracy",
        *,
        positive: Any = 1,
        **more: Any,
    ) -> "Observation":
        """A run from its predictions, scored by group: see `tranche.adapters.from_predictions`; `more` takes
        external_id, holdout, recipe, observed_at, origin and chosen_from."""
        return cls(counts, adapters.from_predictions(y_true, y_pred, groups, metric, positive=positive), **more)

    @classmethod
    def from_classification_report(
        cls,
        report: Mapping[str, Any],
        counts: Mapping[str, int],
        metric: str = "recall",
        *,
        groups: Iterable[str] | None = None,
        **more: Any,
    ) -> "Observation":
        """A run from scikit-learn's report, a class a group: see `tranche.adapters.from_classification_report`."""
        return cls(counts, adapters.from_classification_report(report, metric, groups=groups), **more)

    @classmethod
    def from_metric_frame(
        cls,
        frame: Any,
        counts: Mapping[str, int],
        metric: str | None = None,
        *,
        eval_size: str | int | Mapping[str, int] | None = None,
        groups: Iterable[str] | None = None,
        **more: Any,
    ) -> "Observation":
        """A run from Fairlearn's MetricFrame: see `tranche.adapters.from_metric_frame`."""
        return cls(counts, adapters.from_metric_frame(frame, metric, eval_size=eval_size, groups=groups), **more)

    @classmethod
    def from_lm_eval(
        cls,
        results: Mapping[str, Any],
        counts: Mapping[str, int],
        tasks: Mapping[str, str] | None = None,
        metric: str = "acc",
        *,
        filter: str = "none",
        **more: Any,
    ) -> "Observation":
        """A run from the results.json of lm-evaluation-harness: see `tranche.adapters.from_lm_eval`."""
        return cls(counts, adapters.from_lm_eval(results, tasks, metric, filter=filter), **more)


def _metric_json(group: str, metric: Metric) -> Json:
    said = {name: finite(value, f"the {name} of group {group!r}") for name, value in stated(metric).items()}
    if "eval_size" in said:
        said["eval_size"] = whole(said["eval_size"], f"the eval_size of group {group!r}")
    return said


@dataclass(frozen=True, slots=True)
class Accepted:
    accepted: int
    duplicates: int
    data_version: int
    warnings: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class StoredObservation:
    """A run as the service keeps it; a voided one takes part in no fit. Instants are RFC 3339 texts."""

    id: str
    external_id: str | None
    counts: Mapping[str, int]
    metrics: Mapping[str, Metric]
    holdout: str
    recipe: str
    observed_at: str
    created_at: str
    voided_at: str | None
    void_reason: str | None
    origin: Mapping[str, Mapping[str, int]] | None = None
    chosen_from: int = 1

    @classmethod
    def of(cls, answer: Json) -> "StoredObservation":
        metrics = {group: known(Metric, one) for group, one in answer["metrics"].items()}
        return known(cls, answer, metrics=metrics, origin=answer.get("from"))

    def row(self) -> Row:
        """Its names, and a column of counts and one of values per group (`count_…`, `value_…`)."""
        named = {name: getattr(self, name) for name in ("id", "external_id", "holdout", "recipe", "observed_at")}
        counts = {f"count_{group}": n for group, n in self.counts.items()}
        values = {f"value_{group}": metric.value for group, metric in self.metrics.items()}
        return {**named, "voided_at": self.voided_at, **counts, **values}


@dataclass(frozen=True, slots=True)
class Holdout:
    """A holdout as the runs used it. `groups`: by group eval_size, stderr, the 95 % half-widths half_width, widened and
    worst_case, and optimism_up_to, None where not known. `state`: fresh, used, worn or retired. Instants are RFC 3339
    texts."""

    name: str
    first_used: str
    runs: int
    recipes: int
    candidates: int
    rounds_decided: int
    groups: Mapping[str, Mapping[str, float | None]]
    state: str
    advice: str | None
    note: str | None

    @classmethod
    def of(cls, answer: Json) -> "Holdout":
        return known(cls, answer)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was forecast for a run before it was posted, beside its `value`; less `crps` and `wis` is better."""

    group: str
    count: int
    value: float
    forecast: Estimate
    crps: float
    wis: float
    observation: str
    created_at: str

    @classmethod
    def of(cls, answer: Json) -> "Forecast":
        return known(cls, answer, forecast=known(Estimate, answer))

    def row(self) -> Row:
        said = {"group": self.group, "count": self.count, "value": self.value}
        band = {"mean": self.forecast.mean, "p05": self.forecast.p05, "p95": self.forecast.p95}
        return {**said, **band, "crps": self.crps, "wis": self.wis, "observation": self.observation}


class Forecasts(Listing[Forecast]):
    """Forecasts, and in `record` how well they did over all: `coverage` by level, `crps`, `wis`, `overpromised`. Of
    `due` runs the forecasts are still to be made."""

    __slots__ = ("due", "record")

    def __init__(self, forecasts: Sequence[Forecast], record: Json, due: int = 0) -> None:
        super().__init__(forecasts)
        self.record = record
        self.due = due
