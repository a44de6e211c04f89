"""The dashboard: pages made on the server, from the same services as the API."""

from app.web import (
    charts_page,
    create,
    curves_page,
    endpoints,
    exports,
    keys_page,
    measurement_page,
    project_page,
    projects,
    rounds_page,
    scenarios_page,
    signin,
    simulations_page,
    training_page,
)
from app.web.editing import (
    group_editor,
    limit_editor,
    member_files,
    objective_editor,
    project_editor,
    requirements_page,
    runs_page,
    source_editor,
)
from app.web.held import representation_page
from app.web.past import hindsight_page
from app.web.proposals import orders, waiting
from app.web.site import assets
from app.web.vendors import connecting, connections

ROUTERS = [
    assets.router,
    charts_page.router,
    signin.router,
    create.router,
    projects.router,
    project_page.router,
    curves_page.router,
    scenarios_page.router,
    simulations_page.router,
    measurement_page.router,
    training_page.router,
    representation_page.router,
    exports.router,
    # Hindsight stands where a round would: it comes first.
    hindsight_page.router,
    rounds_page.router,
    connecting.router,
    orders.router,
    waiting.router,
    connections.router,
    endpoints.router,
    keys_page.router,
    project_editor.router,
    group_editor.router,
    source_editor.router,
    limit_editor.router,
    objective_editor.router,
    runs_page.router,
    requirements_page.router,
    member_files.router,
]
