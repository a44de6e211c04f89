"""Calls that ask what to buy, and what if; none of them changes anything."""

from collections.abc import Iterable, Mapping, Sequence

from tranche.answers import Json, Money
from tranche.errors import SimulationFailed
from tranche.http import Connection, Identified, path, said
from tranche.plans import Allocation
from tranche.questions import (
    MeasurementPlan,
    Representation,
    Requirements,
    ScenarioPlan,
    Simulation,
    SourceValue,
    TrainingMix,
)
from tranche.rows import Listing

POLL_S = 1.0


class PlanningCalls(Connection):
    def next_allocation(
        self,
        project: str | Identified,
        *,
        budget: Money | None = None,
        policy: str | None = None,
        exploration: float | None = None,
        hold: Mapping[str, int] | None = None,
        draws: int | None = None,
        seed: int | None = None,
        groups: str | None = None,
    ) -> Allocation:
        """Asks what to buy next; what is None here is left to the service.

        `hold` fixes the orders of some sources; the rest is optimised.
        """
        asked = {"budget": budget, "policy": policy, "exploration": exploration, "draws": draws, "seed": seed}
        question = said({**asked, "hold": dict(hold) if hold else None}, as_text=False)
        query: dict[str, str | list[str]] = said({**asked, "groups": groups})
        if hold:
            query["hold"] = [f"{source}:{order}" for source, order in hold.items()]
        return Allocation.of(self._call("GET", path(project, "allocations", "next"), query=query), question)

    def what_if(
        self, project: str | Identified, scenarios: Iterable[Json], *, draws: int | None = None, seed: int | None = None
    ) -> Listing[ScenarioPlan]:
        """Plans up to 20 scenarios side by side; differences are to the first."""
        body = {"scenarios": list(scenarios), **said({"draws": draws, "seed": seed}, as_text=False)}
        answer = self._call("POST", path(project, "allocations", "what-if"), body)
        return Listing(ScenarioPlan.of(row) for row in answer["scenarios"])

    def requirements(
        self,
        project: str | Identified,
        *,
        chance: float | None = None,
        joint: bool | None = None,
        targets: Mapping[str, float | None] | None = None,
        budgets: Iterable[Money] | None = None,
        draws: int | None = None,
        seed: int | None = None,
    ) -> Requirements:
        """Asks for the least money with which every group reaches its target with `chance`, `joint` for all together;
        `targets` stand in for the groups' own."""
        asked = {"chance": chance, "joint": joint, "targets": targets, "draws": draws, "seed": seed}
        body = said({**asked, "budgets": None if budgets is None else list(budgets)}, as_text=False)
        return Requirements.of(self._call("POST", path(project, "requirements"), body))

    def simulate(
        self,
        project: str | Identified,
        policies: Iterable[str] | None = None,
        *,
        chosen: str | None = None,
        replicates: int | None = None,
        rounds: int | None = None,
        budget: Money | None = None,
        seed: int | None = None,
        timeout_s: float = 3600.0,
    ) -> Simulation:
        """Plays the collection game on the project's own posterior and waits for the answer. Raises TimeoutError after
        `timeout_s` seconds, and SimulationFailed where the service gives it up."""
        asked = {"chosen": chosen, "replicates": replicates, "rounds": rounds, "budget": budget, "seed": seed}
        body = said({**asked, "policies": None if policies is None else list(policies)}, as_text=False)
        answer = self._call("POST", path(project, "simulations"), body)
        waited_s = 0.0
        while answer["state"] in ("queued", "running"):
            if waited_s >= timeout_s:
                raise TimeoutError(f"simulation {answer['id']} is {answer['state']} after {timeout_s:g} s")
            self._sleep(POLL_S)
            waited_s += POLL_S
            answer = self._call("GET", path(project, "simulations", answer["id"]))
        if answer["state"] != "succeeded":
            raise SimulationFailed(f"simulation {answer['id']} has {answer['state']}: {answer['error']}")
        return Simulation.of(answer)

    def measurement_plan(
        self,
        project: str | Identified,
        runs: int | None = None,
        *,
        draws: int | None = None,
        seed: int | None = None,
        pilot: tuple[str, int] | None = None,
    ) -> MeasurementPlan:
        """Asks on which compositions of what is held the next training runs tell most, at most `runs`; that costs
        compute and no samples. `subsets` draws them. `pilot`: a source and a number of its samples, with which runs
        would tell what these are worth."""
        query = said({"runs": runs, "draws": draws, "seed": seed, "pilot": pilot and f"{pilot[0]}:{pilot[1]}"})
        return MeasurementPlan.of(self._call("GET", path(project, "measurement-plan"), query=query))

    def training_mix(
        self,
        project: str | Identified,
        *,
        temperature: float | None = None,
        samples: int | None = None,
        max_repeats: float | None = None,
        late_share: float | None = None,
        late_temperature: float | None = None,
    ) -> TrainingMix:
        """Asks how to show what is held to a training run: `temperature` 1 as it is, more for more of the small groups,
        and another temperature in the last `late_share` of the run. Raises Conflict while nothing is held."""
        asked = {"temperature": temperature, "samples": samples, "max_repeats": max_repeats}
        query = said({**asked, "late_share": late_share, "late_temperature": late_temperature})
        return TrainingMix.of(self._call("GET", path(project, "training-mix"), query=query))

    def representation(
        self, project: str | Identified, *, attributes: Sequence[str] | None = None, pairs: bool | None = None
    ) -> Representation:
        """Asks whom the held samples are like: those of each level of the `attributes` (left out, those of the
        project's population, or all), and of every two of them with `pairs`."""
        query = said({"attributes": ",".join(attributes) if attributes else None, "pairs": pairs})
        return Representation.of(self._call("GET", path(project, "representation"), query=query))

    def source_values(
        self,
        project: str | Identified,
        *,
        players: str | None = None,
        draws: int | None = None,
        seed: int | None = None,
    ) -> Listing[SourceValue]:
        """Asks what each source's deliveries have been worth, the most valuable first; `players` "vendors" joins the
        sources of a connection. Raises Conflict where none has delivered."""
        query = said({"players": players, "draws": draws, "seed": seed})
        answer = self._call("GET", path(project, "sources", "value"), query=query)
        return Listing(SourceValue.of(one) for one in answer["items"])
