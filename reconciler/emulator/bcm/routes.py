"""BCM's API: the alarm history list and the details of one alarm."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from reconciler.emulator.bcm.store import BcmStore, read_listing
from reconciler.emulator.errors import bcm_error
from reconciler.emulator.services import Services
from reconciler.emulator.settings import Settings
from reconciler.emulator.wire import HttpError, json_response


def bcm_routes(services: Services, store: BcmStore) -> APIRouter:
    """The routes of BCM's alarm history page."""
    router = APIRouter(tags=["BCM"])
    settings = services.settings

    async def admit(request: Request) -> bytes:
        body = await request.body()
        if not services.access.baidu(request, body):
            missing = not request.headers.get("authorization")
            reason = "the request is not signed" if missing else "the signature does not match"
            raise HttpError(bcm_error(401 if missing else 403, reason))
        return body

    def refuse(reason: str) -> HttpError:
        return HttpError(bcm_error(settings.bcm_error_status, reason))

    @router.post("/ah-api/v1/alarmhouse/alarm/list")
    async def listing(request: Request) -> Response:
        body = await admit(request)
        try:
            wanted = read_listing(body, services.clock.now())
        except ValueError as error:
            raise refuse(str(error)) from None
        alarms, total = store.find(wanted)
        result = {
            "alarms": [serialize(alarm, settings, detailed=False) for alarm in alarms],
            "pageNo": wanted.page,
            "pageSize": wanted.size,
            "totalCount": total,
        }
        return json_response({"success": True, "msg": "", "result": result})

    @router.get("/ah-api/v1/alarmhouse/alarm")
    async def detail(request: Request) -> Response:
        await admit(request)
        identifier, user = request.query_params.get("alarmId"), request.query_params.get("userId")
        if not identifier or not user:
            raise refuse(f"{'userId' if identifier else 'alarmId'} is required")
        alarm = store.get(identifier, user)
        if alarm is None:
            raise refuse(f"alarm {identifier} does not exist")
        return json_response({"success": True, "msg": "", "result": serialize(alarm, settings, detailed=True)})

    return router


def serialize(alarm: dict[str, object], settings: Settings, *, detailed: bool) -> dict[str, object]:
    """An alarm in the spelling that the settings choose; only the details have metrics, as the appendix says."""
    result = dict(alarm)
    if not detailed:
        result.pop("alertMetrics", None)
    elif settings.bcm_operator != "as-stored":
        result["alertMetrics"] = _with_operator(result.get("alertMetrics"), settings.bcm_operator)
    if settings.bcm_end_time == "absent" and result.get("endTime") == 0:
        del result["endTime"]
    resource = result.get("resource")
    if settings.bcm_instance_id != "as-stored" and isinstance(resource, dict):
        identifiers = resource.get("identifiers")
        if isinstance(identifiers, dict):
            renamed = {
                settings.bcm_instance_id if str(key).lower() == "instanceid" else key: value
                for key, value in identifiers.items()
            }
            result["resource"] = {**resource, "identifiers": renamed}
    for path in settings.bcm_omit:
        result = _without(result, path.split("."))
    return result


def _with_operator(metrics: object, prefix: str) -> object:
    if not isinstance(metrics, list):
        return metrics
    changed = []
    for each in metrics:
        rule = each.get("rule") if isinstance(each, dict) else None
        operator = rule.get("operator") if isinstance(rule, dict) else None
        if isinstance(rule, dict) and isinstance(operator, str):
            name = operator.removeprefix("OPERATOR_TYPE_").removeprefix("OPER_TYPE_")
            each = {**each, "rule": {**rule, "operator": f"{prefix}_{name}"}}
        changed.append(each)
    return changed


def _without(value: dict[str, object], path: list[str]) -> dict[str, object]:
    """A copy without the value at the path, if it exists."""
    key, *rest = path
    if key not in value:
        return value
    inner = value[key]
    if rest and isinstance(inner, dict):
        return {**value, key: _without(inner, rest)}
    return value if rest else {each: part for each, part in value.items() if each != key}
