"""The admin endpoints: faults, the clock, recorded requests, stored objects, and the reset."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from reconciler.emulator.alertmanager.cluster import Cluster
from reconciler.emulator.aom.notifications import parse_rule
from reconciler.emulator.aom.store import Store, as_json
from reconciler.emulator.bcm.store import BcmStore, read_alarms
from reconciler.emulator.ces.store import CesStore
from reconciler.emulator.fault import FaultInjector, parse_fault
from reconciler.emulator.record import Recorder
from reconciler.emulator.services import Services
from reconciler.emulator.settings import read_switches
from reconciler.emulator.smn.service import SmnService
from reconciler.emulator.wire import HttpError, is_integer, json_response, parse

MAX_SPEED = 1_000_000


@dataclass(frozen=True, slots=True)
class Admin:
    """What the admin endpoints read and change."""

    services: Services
    faults: FaultInjector
    recorder: Recorder
    alarms: Store
    events: CesStore
    histories: BcmStore
    smn: SmnService
    cluster: Cluster


def admin_routes(admin: Admin) -> APIRouter:
    """The routes below ``/admin`` (docs/emulator.md)."""
    router = APIRouter(prefix="/admin", tags=["admin"])
    clock = admin.services.clock

    def show_clock() -> Response:
        return json_response({"now": clock.now(), "speed": clock.speed(), "offset": clock.offset()})

    @router.get("/faults")
    async def list_faults() -> Response:
        return json_response({"faults": admin.faults.listing()})

    @router.post("/faults", status_code=201)
    async def add_fault(request: Request) -> Response:
        """Add ``{"fault": TEXT}`` or ``{"faults": [TEXT, ...]}``; none is added if one is invalid."""
        body = await _object(request)
        several = body.get("faults", [body.get("fault")])
        if not isinstance(several, list) or not all(isinstance(each, str) for each in several):
            raise _refuse('give {"fault": "push:status=503"} or {"faults": [...]}')
        try:
            parsed = [parse_fault(each) for each in several]
        except ValueError as error:
            raise _refuse(str(error)) from None
        return json_response({"ids": [admin.faults.add(fault) for fault in parsed]}, 201)

    @router.delete("/faults", status_code=204)
    async def clear_faults() -> Response:
        admin.faults.clear()
        return Response(status_code=204)

    @router.delete("/faults/{number}", status_code=204)
    async def remove_fault(number: int) -> Response:
        if not admin.faults.remove(number):
            raise _refuse(f"there is no fault {number}", 404)
        return Response(status_code=204)

    @router.get("/clock")
    async def read_clock() -> Response:
        return show_clock()

    @router.post("/clock")
    async def set_clock(request: Request) -> Response:
        """Set ``now`` (epoch ms), ``advance`` by ms, or have it ``offset`` ms ahead; ``speed`` scales the time from
        then on.
        """
        body = await _object(request)
        unknown = body.keys() - {"now", "advance", "offset", "speed"}
        times = [key for key in ("now", "advance", "offset") if key in body]
        if unknown or len(times) > 1 or not body:
            raise _refuse("give one of now, advance and offset (milliseconds), and speed if it is to change")
        speed = body.get("speed")
        if speed is not None and (
            isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 <= speed <= MAX_SPEED
        ):
            raise _refuse(f"speed is a number from 0 (stands still) to {MAX_SPEED}")
        now = None
        for key in times:
            value = body[key]
            if not isinstance(value, int) or not is_integer(value) or abs(value) > 10**15:
                raise _refuse(f"{key} is a whole number of milliseconds")
            now = value + {"now": 0, "advance": clock.now(), "offset": clock.underlying()}[key]
        clock.set(now=now, speed=speed)
        await admin.cluster.drain()
        return show_clock()

    @router.delete("/clock")
    async def reset_clock() -> Response:
        clock.reset()
        admin.cluster.wake()
        return show_clock()

    @router.get("/requests")
    async def list_requests(operation: str | None = None, after: int = 0) -> Response:
        return json_response({"requests": [asdict(each) for each in admin.recorder.listing(operation, after)]})

    @router.delete("/requests", status_code=204)
    async def clear_requests() -> Response:
        admin.recorder.clear()
        return Response(status_code=204)

    @router.get("/alarms")
    async def list_alarms() -> Response:
        """List all that AOM holds, oldest first, each with its project and whether it is active; then what is not
        visible yet.
        """
        now = clock.now()
        admin.alarms.catch_up(now)
        rows = list(admin.alarms.select("ORDER BY seq", {"now": now}))
        stored = [
            {**_event(as_json(row)), "project_id": project, "active": active}
            for row, (project, active) in zip(rows, admin.alarms.standing(now), strict=True)
        ]
        return json_response({"alarms": stored, "pending": admin.alarms.pending()})

    @router.put("/aom/switches", status_code=204)
    async def set_switches(request: Request) -> Response:
        """Set ``on_repeat`` and ``on_bad_event`` until the next reset, as if the service had changed."""
        body = await _object(request)
        if not body or body.keys() - {"on_repeat", "on_bad_event"}:
            raise _refuse("give on_repeat, on_bad_event or both")
        try:
            admin.alarms.set_switches(read_switches(f"{name}={value}" for name, value in body.items()))
        except ValueError as error:
            raise _refuse(str(error)) from None
        return Response(status_code=204)

    @router.get("/notifications")
    async def list_rules() -> Response:
        return json_response({"rules": [asdict(rule) for rule in admin.alarms.notifications.rules()]})

    @router.post("/notifications", status_code=201)
    async def add_rule(request: Request) -> Response:
        """Add a rule ``{name, topic?, code?, after?, match?}``, or replace the rule of that name."""
        try:
            rule = parse_rule(await _object(request))
        except ValueError as error:
            raise _refuse(str(error)) from None
        admin.alarms.notifications.add([rule])
        return json_response(asdict(rule), 201)

    @router.delete("/notifications", status_code=204)
    async def remove_rules() -> Response:
        admin.alarms.notifications.remove()
        return Response(status_code=204)

    @router.get("/ces/events")
    async def list_events() -> Response:
        """List all that CES holds, oldest first, each with its project and when it becomes visible."""
        return json_response({"events": admin.events.everything()})

    @router.get("/bcm/alarms")
    async def list_histories() -> Response:
        return json_response({"alarms": admin.histories.everything()})

    @router.post("/bcm/alarms", status_code=201)
    async def put_histories(request: Request) -> Response:
        """Add alarm histories, an array or ``{"alarms": [...]}``, or replace those with the same id."""
        try:
            alarms = read_alarms(parse(await request.body()), clock.now())
        except ValueError as error:
            raise _refuse(str(error)) from None
        admin.histories.put(alarms)
        return json_response({"ids": [alarm.id for alarm in alarms]}, 201)

    @router.delete("/bcm/alarms", status_code=204)
    async def remove_histories() -> Response:
        admin.histories.reset()
        return Response(status_code=204)

    @router.get("/smn/attempts")
    async def list_attempts() -> Response:
        """List what was sent to SMN's endpoints, oldest first, and the response to each."""
        return json_response({"attempts": admin.smn.attempts()})

    @router.post("/reset", status_code=204)
    async def reset() -> Response:
        """Delete stored objects, recorded requests and faults, and reset the clock and the switches to the settings."""
        admin.faults.reset()
        admin.recorder.clear()
        admin.alarms.reset()
        admin.events.reset()
        admin.histories.reset()
        admin.smn.reset()
        admin.services.access.reset()
        clock.reset()
        admin.cluster.reset()
        return Response(status_code=204)

    return router


async def _object(request: Request) -> dict[str, object]:
    try:
        value = parse(await request.body())
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _refuse("the body must be a JSON object")
    return value


def _event(text: str) -> dict[str, object]:
    value = parse(text.encode())
    assert isinstance(value, dict)  # noqa: S101 - narrows a type
    return value


def _refuse(message: str, status: int = 400) -> HttpError:
    return HttpError(json_response({"error": message}, status))
