"""Runs of an MLflow tracking store, read page by page with MLflow's own client."""

import os
from collections.abc import Iterator
from typing import Any

from tranche.imports.logged import ImportRefused, LoggedRun
from tranche.sheets.instants import since_1970

PAGE = 500


def mlflow_runs(tracking_uri: str | None, experiment: str) -> Iterator[LoggedRun]:
    """Every run of the experiment, by its name or id. Raises ImportRefused."""
    # Reading an old folder of files is no reason to refuse it, as MLflow 3 does unless this is set.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise ImportRefused("MLflow is not installed here: pip install 'tranche-client[mlflow]'") from None
    try:
        client = MlflowClient(tracking_uri=tracking_uri)
        number = experiment_id(client, experiment)
        token: str | None = None
        while True:
            page = client.search_runs([number], max_results=PAGE, page_token=token)
            yield from map(logged, page)
            token = page.token
            if not token:
                return
    except MlflowException as error:
        raise ImportRefused(f"MLflow says: {error}") from None


def experiment_id(client: Any, experiment: str) -> str:
    """Raises ImportRefused naming the experiments that there are."""
    found = client.get_experiment_by_name(experiment)
    every = client.search_experiments(max_results=1000)
    for one in [found] if found is not None else every:
        if experiment in (one.name, one.experiment_id):
            number: str = one.experiment_id
            return number
    shown = ", ".join(sorted(one.name for one in every)[:40])
    raise ImportRefused(f"there is no experiment '{experiment}'; there are: {shown or 'none'}")


def logged(run: Any) -> LoggedRun:
    values = {f"params.{name}": value for name, value in run.data.params.items()}
    values.update({f"metrics.{name}": value for name, value in run.data.metrics.items()})
    ended = run.info.end_time
    at = None if ended is None else since_1970(ended, 1000)
    return LoggedRun(run.info.run_id, values, run.info.status, at)
