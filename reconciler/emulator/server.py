"""The server: every service's routes behind one middleware, in the foreground or in a background thread."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reconciler.database_check import MEND
from reconciler.emulator.access import Access, GuardMiddleware
from reconciler.emulator.admin import Admin, admin_routes
from reconciler.emulator.alertmanager.admin import alertmanager_admin_routes
from reconciler.emulator.alertmanager.cluster import Cluster
from reconciler.emulator.alertmanager.config import parse_config
from reconciler.emulator.alertmanager.routes import alertmanager_routes
from reconciler.emulator.aom.routes import aom_routes
from reconciler.emulator.aom.store import Store
from reconciler.emulator.bcm.routes import bcm_routes
from reconciler.emulator.bcm.store import BcmStore
from reconciler.emulator.ces.routes import ces_routes
from reconciler.emulator.ces.store import CesStore
from reconciler.emulator.clock import Clock
from reconciler.emulator.database import Database
from reconciler.emulator.fault import FaultInjector, parse_fault
from reconciler.emulator.iam import iam_routes
from reconciler.emulator.middleware import ABORT, RequestMiddleware
from reconciler.emulator.record import Recorder
from reconciler.emulator.seed import read_seed
from reconciler.emulator.services import Services
from reconciler.emulator.settings import Settings
from reconciler.emulator.smn.routes import smn_routes
from reconciler.emulator.smn.service import SmnService
from reconciler.emulator.wire import HttpError
from reconciler.serving import configure, listen, run_until_interrupted, running_in_thread, url_of


def create_app(settings: Settings) -> FastAPI:
    """The emulator as an ASGI application, with its database open. Raises ValueError for an invalid fault or seed."""
    lasting = [parse_fault(fault) if isinstance(fault, str) else fault for fault in settings.faults]
    database = Database(settings.db)
    clock = Clock(database, settings.clock)
    smn = SmnService(settings, clock)
    services = Services(settings, database, clock, Access(database, clock, settings))
    recorder = Recorder(settings.recorded_requests)
    cluster = Cluster(settings, database, clock)
    alarms, events, histories = Store(database, settings), CesStore(database), BcmStore(database)
    alarms.notifications.publish = smn.publish
    if settings.seed is not None:
        seed = read_seed(settings.seed, clock.now())
        histories.put(seed.alarms)
        alarms.notifications.add(seed.rules)
        lasting += seed.faults
        if seed.alertmanager is not None:
            cluster.configure(parse_config(seed.alertmanager, cluster.version))
    faults = FaultInjector(tuple(lasting))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sending = asyncio.create_task(smn.run())
        async with cluster.running():
            yield
        sending.cancel()
        database.close()

    app = FastAPI(title="reconciler emulator", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(aom_routes(services, alarms))
    app.include_router(iam_routes(services))
    app.include_router(ces_routes(services, events))
    app.include_router(bcm_routes(services, histories))
    app.include_router(smn_routes(services, smn))
    app.include_router(alertmanager_routes(services, cluster))
    app.include_router(admin_routes(Admin(services, faults, recorder, alarms, events, histories, smn, cluster)))
    app.include_router(alertmanager_admin_routes(cluster))
    app.add_middleware(RequestMiddleware, settings=settings, clock=clock, faults=faults, recorder=recorder)
    app.add_middleware(GuardMiddleware, settings=settings)

    @app.exception_handler(HttpError)
    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, HttpError)  # noqa: S101 - narrows a type
        return error.response

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        where = f"the database {settings.db} may be damaged: {MEND}" if settings.db else "a fault of the emulator"
        message = f"{type(error).__name__}: {error}; {where}"
        return JSONResponse({"error_code": "Emulator.0500", "error_msg": message}, 500)

    return app


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 in which a request can close its connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"abort": self.transport.abort}}


def serve(
    settings: Settings, host: str = "127.0.0.1", port: int = 8080, *, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve until interrupted; ``on_ready`` gets the base URL once connections are accepted.

    Raises OSError if the address cannot be bound, ValueError if the settings are invalid.
    """
    config = _config(_reached_at(settings, host))
    listener = listen(host, port)
    url = _url(settings, listener)
    run_until_interrupted(config, listener, lambda: on_ready(url) if on_ready else None)


@contextmanager
def running(settings: Settings, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve from a thread while the block runs; gives the base URL. Port 0 chooses a free port.

    Raises OSError if the address cannot be bound.
    """
    config = _config(_reached_at(settings, host))
    listener = listen(host, port)
    with running_in_thread(config, listener, "emulator"):
        yield _url(settings, listener)


def _reached_at(settings: Settings, host: str) -> Settings:
    """Settings that add the bound address to the accepted host names; a wildcard address adds none."""
    return settings if host in ("", "0.0.0.0", "::") else replace(settings, hosts=settings.hosts | {host})  # noqa: S104 - compared with, not listened on


def _config(settings: Settings) -> uvicorn.Config:
    return configure(
        create_app(settings),
        http=_Protocol,
        proxy_headers=True,
        certificate=settings.tls_certificate,
        key=settings.tls_key,
    )


def _url(settings: Settings, listener: socket.socket) -> str:
    return url_of(listener, tls=settings.tls_certificate is not None)
