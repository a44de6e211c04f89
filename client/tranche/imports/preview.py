"""What would be posted, in words and as a table."""

from collections.abc import Iterator, Sequence

from tranche.imports.logged import Found
from tranche.runs import Observation

ROWS_SHOWN, GROUPS_SHOWN, WIDEST = 10, 8, 36


def preview(found: Found, project: str) -> str:
    return "\n".join(lines(found, project))


def lines(found: Found, project: str) -> Iterator[str]:
    runs = found.observations
    groups = sorted({group for run in runs for group in run.metrics})
    measured = f"{counted(len(groups), 'group')}: {', '.join(groups[:20])}"
    yield f"{counted(len(runs), 'run')} for {project}, measured on {measured}"
    sizes = sorted(sum(run.counts.values()) for run in runs)
    if sizes:
        yield f"trained on {sizes[0]:,} to {sizes[-1]:,} samples"
    for reason, count in found.left_out.most_common():
        yield f"left out: {counted(count, 'run')}, {reason}"
    if found.no_groups:
        names = sorted(found.no_groups)
        yield f"not read, for no group of the project: {', '.join(names[:20])}{' …' if len(names) > 20 else ''}"
    if runs:
        yield ""
        yield from table(runs[:ROWS_SHOWN], groups[:GROUPS_SHOWN])
        if len(runs) > ROWS_SHOWN or len(groups) > GROUPS_SHOWN:
            yield f"(the first {ROWS_SHOWN} runs and {GROUPS_SHOWN} groups at most)"


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def table(runs: Sequence[Observation], groups: Sequence[str]) -> Iterator[str]:
    rows = [["run", *(f"{group}: n, value" for group in groups)]]
    rows += [[str(run.external_id), *(cell(run, group) for group in groups)] for run in runs]
    widths = [min(WIDEST, max(len(row[place]) for row in rows)) for place in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(text[:width].ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def cell(run: Observation, group: str) -> str:
    metric = run.metrics.get(group)
    count = f"{run.counts.get(group, 0):,}"
    if metric is None:
        return f"{count}, –"
    error = f" ± {metric.stderr:g}" if metric.stderr is not None else ""
    size = f" of {metric.eval_size:,}" if metric.eval_size is not None else ""
    return f"{count}, {metric.value:g}{error}{size}"
