"""The application: endpoints for senders, a query API, metrics and health."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI
from fastapi import Query as Parameter
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from reconciler.core.duration import parse_instant
from reconciler.receive.access import (
    HEADERS,
    HostMiddleware,
    RefusedError,
    busy_refusal,
    check_bearer,
    check_sender,
    hook_of,
    json_response,
)
from reconciler.receive.intake import Intake
from reconciler.receive.metrics import CONTENT_TYPE, Metrics
from reconciler.receive.payload import Payload
from reconciler.receive.settings import Settings
from reconciler.receive.store import (
    DeliveryQuery,
    DeliverySource,
    DeliveryStore,
    RetentionLimits,
    StoreError,
    open_store,
)
from reconciler.receive.writer import GroupWriter

FORMAT_VERSION = "1.0"
MAX_PAGE = 1_000
MAX_VALUES = 100
"""How many keys or fingerprints one query may name."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def create_app(settings: Settings) -> FastAPI:
    """The receiver as an ASGI application, with its database open. Raises ValueError if the database cannot be used."""
    store = open_store(settings.db)
    metrics = Metrics(settings.clock())
    limits = RetentionLimits(settings.retention, settings.body_retention, settings.max_deliveries)
    writer = GroupWriter(store, limits, settings.clock, settings.max_pending, metrics.committed)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(writer.close)
        store.close()

    app = FastAPI(title="reconciler receive", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.metrics = metrics
    app.include_router(_sender_routes(settings, Intake(settings, writer, metrics)))
    app.include_router(_query_routes(settings, store, writer))
    app.include_router(_operator_routes(writer, metrics))
    app.add_middleware(HostMiddleware, hosts=settings.hosts)

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)  # noqa: S101 - narrows a type
        metrics.refused(error.reason)
        return error.response

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - narrows a type
        names = sorted({str(each["loc"][-1]) for each in error.errors()})
        return json_response({"error": f"query parameters that are not valid: {', '.join(names)}"}, 400)

    @app.exception_handler(HTTPException)
    async def unknown(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - narrows a type
        metrics.refused("path")
        return json_response({"error": error.detail}, error.status_code, error.headers)

    return app


def _sender_routes(settings: Settings, intake: Intake) -> APIRouter:
    router = APIRouter()

    @router.post("/alertmanager")
    @router.post("/alertmanager/{name}")
    async def alertmanager(request: Request, name: str | None = None) -> Response:
        """Alertmanager's webhook; ``name`` is used as the receiver if a custom payload has none."""
        check_sender(request.headers, settings.sender_token)
        if name is not None and not _NAME.fullmatch(name):
            raise RefusedError(404, "path", "not found")
        async with intake.body(request, DeliverySource.ALERTMANAGER) as body:
            payload = await intake.payload(body)
            return await intake.store(intake.delivery(request, DeliverySource.ALERTMANAGER, payload, body, name=name))

    @router.post("/hook/{token}")
    async def hook(request: Request, token: str) -> Response:
        """A sender that can be given a URL but no header."""
        name = hook_of(settings.hooks, token)
        async with intake.body(request, DeliverySource.HOOK) as body:
            payload = await intake.payload(body)
            return await intake.store(intake.delivery(request, DeliverySource.HOOK, payload, body, name=name))

    if settings.smn_topics:
        _add_smn(router, settings, intake)
    return router


def _add_smn(router: APIRouter, settings: Settings, intake: Intake) -> None:
    from reconciler.receive.smn.endpoint import SmnEndpoint, UnreachableError
    from reconciler.receive.smn.message import SmnError, SmnType

    endpoint = SmnEndpoint(settings)

    @router.post("/smn")
    async def smn(request: Request) -> Response:
        """An HTTP(S) subscription of Huawei Cloud SMN."""
        async with intake.body(request, DeliverySource.SMN) as body:
            try:
                message = await endpoint.accept(body)
            except SmnError as error:
                raise RefusedError(403, "smn", str(error)) from None
            except UnreachableError as error:
                raise busy_refusal("smn", str(error)) from None
            if message.type is not SmnType.NOTIFY:
                return json_response({"status": "confirmed" if message.type is SmnType.CONFIRM else "noted"})
            payload = await intake.payload(message.message.encode("utf-8", "replace"))
            delivery = intake.delivery(
                request,
                DeliverySource.SMN,
                # Only the topic is signed: a receiver named in the text is ignored.
                Payload(payload.alerts, None, payload.status, payload.group_key, payload.truncated),
                body,
                name=message.topic_urn,
                message_id=message.message_id,
                sent_at=parse_instant(message.timestamp),
            )
            return await intake.store(delivery)


def _query_routes(settings: Settings, store: DeliveryStore, writer: GroupWriter) -> APIRouter:
    router = APIRouter()

    async def asked(work: partial[Any]) -> Any:
        try:
            return await asyncio.to_thread(work)
        except StoreError:
            raise busy_refusal("store", "the database cannot be read now") from None

    @router.get("/deliveries")
    async def deliveries(
        request: Request,
        key: Annotated[list[str] | None, Parameter(max_length=MAX_VALUES)] = None,
        fingerprint: Annotated[list[str] | None, Parameter(max_length=MAX_VALUES)] = None,
        stack: str | None = None,
        address: str | None = None,
        receiver: str | None = None,
        source: DeliverySource | None = None,
        since: str = "0",
        after: Annotated[int, Parameter(ge=0, lt=2**63)] = 0,
        limit: Annotated[int, Parameter(ge=1, le=MAX_PAGE)] = 100,
    ) -> Response:
        """Deliveries with an alert that matches, oldest first, each with the alerts that match."""
        check_bearer(request.headers, settings.token)
        keys, fingerprints = tuple(key or ()), tuple(fingerprint or ())
        query = DeliveryQuery(keys, fingerprints, stack, address, receiver, source, _since(since), after, limit)
        page = await asked(partial(store.find, query))
        # The stored uptime of this run ends at its last heartbeat, which may be before ``since``.
        stored = await asked(partial(store.listening, min(query.since, writer.started)))
        now = settings.clock()
        until = {each: each.until for each in stored}
        until |= {each: now for each in stored if each.since == writer.started and writer.healthy}
        return json_response(
            {
                "format_version": FORMAT_VERSION,
                "now": now,
                "listening": [{"since": each.since, "until": end} for each, end in until.items() if end >= query.since],
                "truncated": page.truncated,
                "next": page.deliveries[-1].id if page.more else None,
                "deliveries": [asdict(each) for each in page.deliveries],
            }
        )

    @router.get("/deliveries/{number}/body")
    async def body(request: Request, number: int) -> Response:
        """The body of a delivery in base64, for as long as it is kept."""
        check_bearer(request.headers, settings.token)
        content = await asked(partial(store.body, number)) if 0 < number < 2**63 else None
        if content is None:
            raise RefusedError(404, "path", "there is no such delivery, or its body is not kept any more")
        return json_response({"format_version": FORMAT_VERSION, "id": number, "body": b64encode(content).decode()})

    return router


def _operator_routes(writer: GroupWriter, metrics: Metrics) -> APIRouter:
    router = APIRouter()

    @router.get("/metrics")
    async def show_metrics() -> Response:
        text = metrics.text(writer.pending, writer.healthy)
        return Response(text, headers={**HEADERS, "Content-Type": CONTENT_TYPE})

    @router.get("/healthz")
    async def healthz() -> Response:
        if not writer.healthy:
            return json_response({"status": "cannot store deliveries"}, 503)
        return json_response({"status": "ok"})

    return router


def _since(text: str) -> int:
    """Epoch milliseconds of an instant, or of a number of epoch milliseconds."""
    try:
        since = int(text) if text.isdecimal() else parse_instant(text)
    except (ValueError, OverflowError):
        since = -1
    if not 0 <= since < 2**62:
        raise RefusedError(400, "query", "'since' is not an instant: RFC 3339, or epoch milliseconds")
    return since
