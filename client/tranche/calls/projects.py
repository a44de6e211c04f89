"""Calls on projects, groups and sources."""

from collections.abc import Iterable, Mapping
from typing import Any

from tranche.answers import Json, Money, known
from tranche.http import Connection, Identified, path, said
from tranche.projects import Group, Project, Source
from tranche.rows import Listing


class ProjectCalls(Connection):
    def ensure_project(
        self,
        *,
        external_id: str,
        name: str | None = None,
        metric: Json | str,
        budget: Json | Money,
        groups: Iterable[Json] = (),
        **more: Any,
    ) -> Project:
        """The project of this `external_id`, created where there is none, so that a script may run again.

        The same content again gives the same project; another content raises TrancheError (409). The name is the
        external id where none is given; `more` is as in `create_project`.
        """
        named = external_id if name is None else name
        return self.create_project(
            named, metric=metric, budget=budget, groups=groups, external_id=external_id, **more
        )  # fmt: skip

    def create_project(
        self, name: str, *, metric: Json | str, budget: Json | Money, groups: Iterable[Json] = (), **more: Any
    ) -> Project:
        """Creates a project with its groups; `more` takes objective, currency, recipe, model, sources, set_limits, …

        `model` left out is joint, one model on all groups' data, or separate where the metric is R²."""
        body = {"name": name, "metric": metric, "budget": budget, "groups": list(groups), **more}
        return known(Project, self._call("POST", "/v1/projects", body))

    def get_project(self, project: str | Identified) -> Project:
        return known(Project, self._call("GET", path(project)))

    def projects(self) -> Listing[Project]:
        """Every project that the key may see."""
        return Listing(known(Project, item) for item in self._items("/v1/projects"))

    def find_project(self, *, name: str | None = None, external_id: str | None = None) -> Project | None:
        """The project of this name, or of this external id; None where there is none.

        Raises LookupError where several have the name, and TypeError unless exactly one of both is given.
        """
        if (name is None) == (external_id is None):
            raise TypeError("find_project takes either a name or an external_id")
        asked = said({"name": name, "external_id": external_id})
        found = [known(Project, item) for item in self._items("/v1/projects", asked)]
        if len(found) > 1:
            ids = ", ".join(project.id for project in found)
            raise LookupError(f"{len(found)} projects are called {name!r}: {ids}; ask for one by its id")
        return found[0] if found else None

    def update_project(self, project: str | Identified, **changes: Any) -> Project:
        """Changes the named fields of a project, such as its budget."""
        return known(Project, self._call("PATCH", path(project), changes))

    def groups(self, project: str | Identified) -> Listing[Group]:
        return Listing(known(Group, item) for item in self._items(path(project, "groups")))

    def update_group(self, project: str | Identified, key: str, **changes: Any) -> Group:
        """Changes the named fields of a group, such as its `target`; what was bought goes to `record_purchase`."""
        return known(Group, self._call("PATCH", path(project, "groups", key), changes))

    def sources(self, project: str | Identified) -> Listing[Source]:
        return Listing(Source.of(item) for item in self._items(path(project, "sources")))

    def add_source(
        self,
        project: str | Identified,
        key: str,
        *,
        unit_cost: Money,
        group: str | None = None,
        yields: Mapping[str, float] | None = None,
        **more: Any,
    ) -> Source:
        """Adds an offer for a `group`, or for several with their shares (`yields`); `more` takes kind, name, min_order,
        max_order, lot_size, labels_per_item, fixed_cost, price_tiers, ..."""
        delivers = {"group": group} if yields is None else {"yields": dict(yields)}
        offer = {"key": key, "unit_cost": unit_cost, **delivers, **more}
        return Source.of(self._call("POST", path(project, "sources"), offer))
