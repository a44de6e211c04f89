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
from app.web.site import assets
from app.web.vendors import connecting, connections

ROUTERS = [
    assets.router,
    charts_page.router,
    charts_page.scripts,
    signin.router,
    create.router,
    projects.router,
    project_page.router,
    curves_page.router,
    scenarios_page.router,
    simulations_page.router,
    measurement_page.router,
    training_page.router,
    exports.router,
    rounds_page.router,
    connecting.router,
    connections.router,
    endpoints.router,
    keys_page.router,
]
