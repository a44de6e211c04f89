"""Metrics by group from the results.json of lm-evaluation-harness (as of 0.4.13)."""

from collections.abc import Mapping
from typing import Any

from tranche.metrics import Metric, finite, whole

PROPORTIONS = frozenset({"acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match"})


def from_lm_eval(
    results: Mapping[str, Any], tasks: Mapping[str, str] | None = None, metric: str = "acc", *, filter: str = "none"
) -> dict[str, Metric]:
    """A metric of each task with its standard error, "metric,filter" and "metric_stderr,filter" in the file.

    tasks: which task measures which group; None for every task that has the metric, each a group of its name, without
    the file's aggregates of tasks. Where the harness states no error ("N/A", or 0 because all answers were equal),
    a metric that is a proportion of documents gets eval_size, the documents evaluated (`n-samples`).

    Raises TypeError for what is no such file, and ValueError for a task that is not there or lacks the metric, for two
    tasks of one group, and for a value that is not a number.
    """
    measured = results.get("results")
    if not isinstance(measured, Mapping):
        raise TypeError("there is no 'results' here: give the dict of a results.json of lm-evaluation-harness")
    wanted = _tasks(results, f"{metric},{filter}") if tasks is None else tasks
    found: dict[str, Metric] = {}
    for task, group in wanted.items():
        if group in found:
            raise ValueError(f"two tasks measure group {group!r}; choose one of them, or give each a group of its own")
        found[group] = _read(results, task, metric, filter)
    return found


def _tasks(results: Mapping[str, Any], name: str) -> dict[str, str]:
    aggregates = {group for group, members in results.get("group_subtasks", {}).items() if members}
    found = {task: task for task, row in results["results"].items() if name in row and task not in aggregates}
    if not found:
        raise ValueError(f"no task has the metric {name!r}")
    return found


def _read(results: Mapping[str, Any], task: str, metric: str, filter: str) -> Metric:
    rows: Mapping[str, Any] = results["results"]
    if task not in rows:
        raise ValueError(f"there is no task {task!r}; there are {', '.join(rows)}")
    row, name = rows[task], f"{metric},{filter}"
    if name not in row:
        named = ", ".join(key for key in row if "," in key and "_stderr," not in key)
        raise ValueError(f"task {task!r} has no metric {name!r}; it has {named}")
    value = finite(row[name], f"the {metric} of task {task!r}")
    stderr = row.get(f"{metric}_stderr,{filter}")
    if isinstance(stderr, int | float) and stderr > 0:
        return Metric(value, stderr=float(stderr))
    documents = results.get("n-samples", {}).get(task, {}).get("effective")
    if metric in PROPORTIONS and documents is not None:
        return Metric(value, eval_size=whole(documents, f"the n-samples of task {task!r}"))
    return Metric(value)
