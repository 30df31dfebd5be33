"""AOM's API: push and clear, query, statistics, notification history."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from reconciler.emulator.aom.query import Query, read_marker, read_search, write_marker
from reconciler.emulator.aom.report import count_by_step, read_reports
from reconciler.emulator.aom.store import Store, as_json, seq_of_sn, sn_of
from reconciler.emulator.errors import aom_error
from reconciler.emulator.services import Services, hidden_for
from reconciler.emulator.wire import JSON, HttpError, is_json, json_response, text

ALL_ENTERPRISE_PROJECTS = "all_granted_eps"


def aom_routes(services: Services, store: Store) -> APIRouter:
    """The routes of AOM's push and query pages."""
    router = APIRouter(tags=["AOM"])
    settings, clock = services.settings, services.clock

    def refuse(operation: str, status: int, message: str | None = None) -> HttpError:
        return HttpError(aom_error(settings, operation, status, message))

    async def admit(request: Request, operation: str, *, json: bool = True) -> bytes:
        body = await request.body()
        if not services.access.huawei(request, body):
            raise refuse(operation, 401)
        if json and not is_json(request):
            raise refuse(operation, 400, "Content-Type must be application/json")
        return body

    def search_of(request: Request, body: bytes, operation: str) -> Query:
        now = clock.now()
        store.catch_up(now)
        enterprise = request.headers.get("enterprise-project-id")
        if not enterprise and settings.default_enterprise_project == "default":
            enterprise = "0"
        if enterprise == ALL_ENTERPRISE_PROJECTS:
            enterprise = None
        try:
            return read_search(
                body,
                request.query_params.get("type"),
                request.path_params["project_id"],
                enterprise or None,
                now,
                settings,
            )
        except ValueError as error:
            raise refuse(operation, 400, f"The request body is illegal: {error}") from None

    @router.put("/v2/{project_id}/push/events", status_code=204)
    async def push(request: Request) -> Response:
        clearing = request.query_params.get("action") == "clear"
        operation = "clear" if clearing else "push"
        body = await admit(request, operation)
        try:
            good, bad = read_reports(body, clearing, settings)
        except ValueError as error:
            raise refuse(operation, 400, f"parse eventParam failed: {error}") from None
        if good and (not bad or not store.rejects_whole):
            store.write(
                good,
                clearing=clearing,
                project=request.path_params["project_id"],
                enterprise_project=request.headers.get("enterprise-project-id") or "0",
                now=clock.now(),
                hidden_for=hidden_for(request),
            )
        if bad:
            raise refuse(operation, 400, f"parse eventParam failed: {'; '.join(bad[:10])}")
        return Response(status_code=204)

    @router.post("/v2/{project_id}/events")
    async def query(request: Request) -> Response:
        search = search_of(request, await admit(request, "query"), "query")
        marker = request.query_params.get("marker")
        try:
            limit = _limit(request.query_params.get("limit"), settings.page_limit)
            after = read_marker(marker, search)
        except ValueError as error:
            raise refuse("query", 400, f"The request is illegal: {error}") from None
        found = list(store.select_keyed(search.order, *search.page(after, limit + 1)))
        shown = found[:limit]
        following = write_marker(shown[-1][1]) if len(found) > limit else ""
        return Response(
            f'{{"events":[{",".join(as_json(row) for row, _ in shown)}],"page_info":{{"current_count":{len(shown)},'
            f'"previous_marker":{text(marker or "0")},"next_marker":{text(following)}}}}}',
            media_type=JSON,
        )

    @router.post("/v2/{project_id}/events/statistic")
    async def statistic(request: Request) -> Response:
        search = search_of(request, await admit(request, "statistic"), "statistic")
        by_start = settings.time_range_on == "start"
        found = store.severities(f"WHERE {search.where}", search.parameters)
        times = ((severity, starts_at if by_start else arrives_at) for severity, starts_at, arrives_at in found)
        return json_response(count_by_step(times, search.start, search.end, search.step))

    @router.get("/v2/{project_id}/alarm-notified-histories")
    async def notified(request: Request) -> Response:
        await admit(request, "notified", json=False)
        serial = request.query_params.get("event_sn")
        if not serial:
            raise refuse("notified", 400, "event_sn is missing")
        now = clock.now()
        store.catch_up(now)
        seq = seq_of_sn(serial)
        if store.project_of(seq) != request.path_params["project_id"]:
            return json_response({"notified_histories": []})
        notifications = [
            {
                "action_rule": rule,
                "notifier_channel": "SMN",
                "smn_channel": {
                    "sent_time": sent_at,
                    "smn_notified_history": [
                        {
                            "smn_notified_content": f"{rule} notified about {sn_of(seq)}",
                            "smn_subscription_status": 1,
                            "smn_subscription_type": "email",
                        }
                    ],
                    "smn_request_id": request_id,
                    "smn_response_body": text({"request_id": request_id}),
                    "smn_response_code": code,
                    "smn_topic": topic,
                },
            }
            for sent_at, rule, topic, code, request_id in store.notifications.sent(seq, now)
        ]
        histories = [{"event_sn": serial, "notifications": notifications}] if notifications else []
        return json_response({"notified_histories": histories})

    return router


def _limit(value: str | None, most: int) -> int:
    if value is None or value == "":
        return min(1_000, most)
    if not value.isascii() or not value.isdecimal() or len(value) > 9 or int(value) < 1:
        raise ValueError("limit is a whole number, 1 or more")
    return min(int(value), most)
