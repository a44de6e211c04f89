"""Wires the service together; decides nothing, and does nothing at import."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES

from app.api import erasures, health, jobs
from app.api.admission import Door, Doorway
from app.api.admission.computations import Computations
from app.api.arrivals import CORS, Heads, PlainText, Prefixed
from app.api.contract import finish_contract, operation_id
from app.api.exports import charts, provenance, reports, tables
from app.api.http import problems
from app.api.http.runtime import SOFTWARE_VERSION, Runtime
from app.api.keys.paths import WholeParts
from app.api.observations import curves, forecasts, holdouts, measurements, observations
from app.api.planning import (
    allocations,
    hindsight,
    representation,
    requirements,
    scenarios,
    simulations,
    source_values,
    training_mix,
)
from app.api.projects import audit, groups, keys, projects, sources
from app.api.purchases import deliveries, ledger, manifests, orders, purchases, rounds
from app.api.vendors import connections, hooks, inbox
from app.api.vendors import orders as vendor_orders
from app.api.webhooks import endpoints, events, messages
from app.clock import utc_now
from app.jobs.client import JobClient
from app.services.access.keys import peppers
from app.services.curves.fits import Fits
from app.settings import Settings
from app.store.db import connect
from app.store.upkeep.readiness import Readiness
from app.telemetry.addresses import hide_secrets
from app.telemetry.service import watch_service
from app.web import ROUTERS
from app.web.site import problems as page_problems

LEAST_COMPRESSED = 8_000
"""Bytes; less goes into a few packets as it is, and most answers are less."""
UNCOMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "text/html", tables.XLSX)
"""Pages too: beside what a visitor typed they hold the form's token, and how long both are when compressed tells it."""
DESCRIPTION = (
    "Plans data collection: post what you measured after each training run, get what the next round should buy."
)


def create_app(settings: Settings, clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """The service on the database of `settings`. Connects lazily; the lifespan closes what was opened."""
    database = connect(settings)
    engine = JobClient(database)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.webhooks.close()
        engine.close()
        database.close()

    # Its API documentation fetches nothing from elsewhere.
    app = FastAPIOffline(
        title="Tranche",
        summary="What should the next round of data collection buy?",
        description=DESCRIPTION,
        version=SOFTWARE_VERSION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        webhooks=messages.described,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        # It is asked before a span is opened, and so before one could name a vendor's token.
        telemetry={"exclude": hide_secrets},
    )
    fits = Fits(settings.cache_mb * 1_000_000)
    app.state.runtime = Runtime(
        settings,
        database,
        clock,
        peppers(settings.secret_keys),
        fits,
        engine.enqueue,
        Readiness(database),
        Door(settings, clock),
        Computations.of(settings),
    )
    app.state.webhooks = hooks.gather_webhooks(app.state.runtime)
    watch_service(app, lambda: app.state.runtime.database, lambda: app.state.runtime.fits)
    # The last that is added is the first that sees a request.
    app.add_middleware(Prefixed, prefix=settings.path_prefix)
    app.add_middleware(WholeParts)
    app.add_middleware(PlainText)
    app.add_middleware(Heads)
    app.add_middleware(
        GZipMiddleware, minimum_size=LEAST_COMPRESSED, compresslevel=4, exclude_content_types=UNCOMPRESSED
    )
    app.add_middleware(Doorway)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, **CORS)
    problems.install(app)
    # What the sources are worth stands where a source of the key "value" would, and what hindsight says where a round
    # would: they come first.
    known = (observations, curves, forecasts, measurements, holdouts)
    resources = (projects, erasures, groups, source_values, sources, *known)
    planning = (allocations, scenarios, requirements, simulations, training_mix, representation)
    buying = (hindsight, rounds, purchases, orders, deliveries, manifests, ledger)
    vendors = (connections, inbox, vendor_orders, hooks)
    for module in (*resources, *planning, *buying, *vendors, events, endpoints, jobs, keys, audit, health):
        app.include_router(module.router)
    app.include_router(inbox.questions)
    app.include_router(jobs.streams)
    app.include_router(simulations.charts)
    app.include_router(charts.router)
    app.include_router(tables.router)
    app.include_router(reports.router)
    app.include_router(provenance.router)
    for module in (groups, sources, manifests, vendor_orders):
        app.include_router(module.bulk)
    for router in ROUTERS:
        app.include_router(router)
    page_problems.install(app)
    finish_contract(app)
    return app
