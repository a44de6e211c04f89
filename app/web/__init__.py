"""The dashboard: pages made on the server, from the same services as the API."""

from app.web import assets, projects, signin

ROUTERS = [
    assets.router,
    signin.router,
    projects.router,
]
