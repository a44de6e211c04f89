"""What is to be said of sources beside a plan: whether they are worth their price, and what runs leave unsaid."""

from collections.abc import Mapping, Sequence

from app.planner.problem import Problem
from app.planner.quality import Judged, judged
from app.planner.wording import Warning
from app.services.ledger.holdings import Holdings
from app.services.ledger.worths import CLEAN, Learnt, worth_of
from app.store.member_rows import AnyGroup, AnySource


def verdicts_of(problem: Problem, sources: Sequence[AnySource], holdings: Holdings) -> Mapping[str, Judged]:
    """By source, at the terms of the problem, which are those of `sources`."""
    return judged(problem.sources, {source.key: holdings.record(source).quality for source in sources})


def mixed_unknown(
    groups: Sequence[AnyGroup], sources: Sequence[AnySource], holdings: Holdings, learnt: Learnt
) -> list[Warning]:
    """Groups with samples from sources that are not clean, and runs on more than was there at the start that do not say
    what of them they were trained on."""
    brought: dict[int, str] = {}
    for source in sources:
        if worth_of(source) != CLEAN and source.id in holdings.tallies:
            for group_id, one in holdings.tallies[source.id].accepted_of.items():
                if one.count:
                    brought.setdefault(group_id, source.key)
    found = []
    for group in groups:
        if group.id in brought and learnt.bare.get(group.key, 0) > group.initial_count:
            name = brought[group.id]
            detail = (
                f"A run was trained on {learnt.bare[group.key]:,} samples, more than the {group.initial_count:,} of the"
                f" start, and does not say how many came from '{name}', whose samples are not worth clean ones: its"
                " curve takes them all for clean. Post such runs with `from`."
            )
            found.append(Warning("mixed_unknown", detail, group.key, name))
    return found
