"""The dashboard: pages made on the server, from the same services as the API."""

from app.web import assets, connections, create, endpoints, projects, signin

ROUTERS = [
    assets.router,
    signin.router,
    create.router,
    projects.router,
    connections.router,
    endpoints.router,
]
