"""Calls on training runs: posting, reading and voiding them, their curves and how they were forecast."""

from collections.abc import Iterable, Sequence

from tranche.answers import Remark, known
from tranche.curves import Curve
from tranche.http import Connection, Identified, path, said
from tranche.rows import Listing
from tranche.runs import Accepted, Forecast, Forecasts, Holdout, Observation, StoredObservation


class RunCalls(Connection):
    def post_observations(self, project: str | Identified, observations: Iterable[Observation]) -> Accepted:
        """Posts up to 10,000 runs, all or none; a known `external_id` counts as a duplicate."""
        body = {"observations": [run.to_json() for run in observations]}
        answer = self._call("POST", path(project, "observations"), body)
        return known(Accepted, answer, warnings=Remark.all_of(answer))

    def observations(self, project: str | Identified, *, voided: bool = False) -> Listing[StoredObservation]:
        """The runs that count, or the voided ones."""
        query = {"voided": "true"} if voided else {}
        return Listing(StoredObservation.of(item) for item in self._items(path(project, "observations"), query))

    def void_observation(
        self, project: str | Identified, observation: str | Identified, reason: str
    ) -> StoredObservation:
        """Takes a run out of every fit; it stays readable with the reason."""
        # The path of a project's parts is made of texts; an observation may come as itself.
        address = path(project, "observations", str(getattr(observation, "id", observation)))
        return StoredObservation.of(self._call("DELETE", address, query={"reason": reason}))

    def curves(self, project: str | Identified, at: Sequence[int] = ()) -> Listing[Curve]:
        """Every group's learning curve, with its bands at the counts `at`."""
        query = {"at": ",".join(map(str, at))} if at else {}
        return Listing(Curve.of(item) for item in self._items(path(project, "curves"), query))

    def holdouts(self, project: str | Identified) -> Listing[Holdout]:
        """How often each holdout was used, to choose what, and how far it can still be trusted."""
        return Listing(Holdout.of(item) for item in self._items(path(project, "holdouts"), {}))

    def retire_holdout(
        self, project: str | Identified, name: str, note: str | None = None, *, retired: bool = True
    ) -> None:
        """Refuses further runs on the holdout, or takes them again where `retired` is False."""
        self._call("PATCH", path(project, "holdouts", name), {"retired": retired} | said({"note": note}))

    def forecasts(self, project: str | Identified, *, group: str | None = None) -> Forecasts:
        """What was forecast for each run before it was posted, beside what it measured."""
        pages = list(self._pages(path(project, "forecasts"), said({"group": group})))
        items = [Forecast.of(item) for page in pages for item in page["items"]]
        return Forecasts(items, pages[0]["record"], pages[0].get("due", 0))
