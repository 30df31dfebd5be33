"""CES's API: report, list, details."""

from __future__ import annotations

import re

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from reconciler.emulator.ces.store import CUSTOM, LEVELS, NAME, STATES, SUB_CUSTOM, CesStore, Filter, read_items
from reconciler.emulator.errors import ces_error
from reconciler.emulator.services import Services, hidden_for
from reconciler.emulator.wire import HttpError, json_response

EVENT_TYPES = ("EVENT.SYS", CUSTOM)
SUB_EVENT_TYPES = ("SUB_EVENT.OPS", "SUB_EVENT.PLAN", SUB_CUSTOM)
EARLIEST, LATEST = 1_111_111_111_111, 9_999_999_999_999
"""The bounds of a listing's from and to."""
PAGE = 100
_NUMBER = re.compile(r"\d{1,18}")


def ces_routes(services: Services, store: CesStore) -> APIRouter:
    """The routes of CES's report, list and details pages."""
    router = APIRouter(tags=["CES"])
    settings, clock = services.settings, services.clock

    async def admit(request: Request) -> tuple[bytes, str]:
        body = await request.body()
        if not services.access.huawei(request, body):
            raise HttpError(ces_error(401))
        project: str = request.path_params["project_id"]
        if len(project) > 64:
            raise HttpError(ces_error(400, "project_id has more than 64 characters"))
        return body, project

    @router.post("/V1.0/{project_id}/events", status_code=201)
    async def report(request: Request) -> Response:
        body, project = await admit(request)
        now = clock.now()
        try:
            items = read_items(body, now)
        except ValueError as error:
            raise HttpError(ces_error(400, str(error))) from None
        ids = store.add(items, project, now + max(hidden_for(request), settings.visible_after))
        answers = [{"event_id": event_id, "event_name": item.name} for event_id, item in zip(ids, items, strict=True)]
        return json_response(answers, settings.ces_status)

    @router.get("/V1.0/{project_id}/events")
    async def listing(request: Request) -> Response:
        _, project = await admit(request)
        try:
            query = _Query(request)
            none_of_ours = query.system_only()
            name = query.matching("event_name", NAME)
            start, end = query.window(EARLIEST, LATEST)
            first, limit = query.page()
        except ValueError as error:
            raise HttpError(ces_error(400, str(error))) from None
        wanted = Filter(project, clock.now(), name=name, start=start, end=end)
        events, total = ([], 0) if none_of_ours else store.summaries(wanted, first, limit)
        return json_response({"events": events, "meta_data": {"total": total}})

    @router.get("/V1.0/{project_id}/event/{event_name}")
    async def details(request: Request) -> Response:
        _, project = await admit(request)
        try:
            query = _Query(request)
            none_of_ours = query.system_only()
            start, end = query.window(0, 10**18)
            first, limit = query.page()
            wanted = Filter(
                project,
                clock.now(),
                name=request.path_params["event_name"],
                source=query.text("event_source"),
                level=query.choice("event_level", LEVELS),
                user=query.text("event_user"),
                state=query.choice("event_state", STATES),
                start=start,
                end=end,
            )
        except ValueError as error:
            raise HttpError(ces_error(400, str(error))) from None
        events, total = ([], 0) if none_of_ours else store.events(wanted, first, limit)
        users, sources = ([], []) if none_of_ours else store.users_and_sources(wanted)
        if settings.ces_newlines == "escape":
            for event in events:
                detail = event["detail"]
                if isinstance(detail, dict) and isinstance(detail.get("content"), str):
                    detail["content"] = detail["content"].replace("\n", "\\n")
        return json_response(
            {
                "event_name": wanted.name,
                "event_type": CUSTOM,
                "sub_event_type": SUB_CUSTOM,
                "event_users": users,
                "event_sources": sources,
                "event_info": events,
                "meta_data": {"total": total},
            }
        )

    return router


class _Query:
    """The query parameters of a listing. Raises ValueError that names the invalid one."""

    def __init__(self, request: Request) -> None:
        self._parameters = request.query_params

    def text(self, name: str) -> str | None:
        return self._parameters.get(name) or None

    def choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        value = self.text(name)
        if value is not None and value not in choices:
            raise ValueError(f"{name} must be {' or '.join(choices)}")
        return value

    def matching(self, name: str, pattern: re.Pattern[str]) -> str | None:
        value = self.text(name)
        if value is not None and not pattern.fullmatch(value):
            raise ValueError(f"{name} is not well formed")
        return value

    def number(self, name: str, least: int, most: int) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if not value.isascii() or not _NUMBER.fullmatch(value) or not least <= int(value) <= most:
            raise ValueError(f"{name} must be a whole number from {least} to {most}")
        return int(value)

    def window(self, least: int, most: int) -> tuple[int | None, int | None]:
        start, end = self.number("from", least, most), self.number("to", least, most)
        if start is not None and end is not None and start >= end:
            raise ValueError("from must be less than to")
        return start, end

    def page(self) -> tuple[int, int]:
        return self.number("start", 0, 10**9) or 0, self.number("limit", 1, PAGE) or PAGE

    def system_only(self) -> bool:
        """Whether only system events are queried, of which this service has none."""
        kind = self.choice("event_type", EVENT_TYPES)
        sub = self.choice("sub_event_type", SUB_EVENT_TYPES)
        return kind not in (None, CUSTOM) or sub not in (None, SUB_CUSTOM)
