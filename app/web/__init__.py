"""The dashboard: pages made on the server, from the same services as the API."""

from app.web import assets, project_page, projects, signin

ROUTERS = [
    assets.router,
    signin.router,
    projects.router,
    project_page.router,
]
