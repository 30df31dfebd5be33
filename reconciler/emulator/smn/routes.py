"""SMN's API: topics, subscriptions, publishing, and the pages that messages link to."""

from __future__ import annotations

import re
import secrets

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from reconciler.emulator.services import Services
from reconciler.emulator.smn.service import SmnService, Subscription
from reconciler.emulator.wire import HttpError, json_response, parse

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
_TOPICS = "/v2/{project_id}/notifications/topics"
MAX_MESSAGE = 256 * 1024
MAX_SUBJECT = 512


def smn_routes(services: Services, smn: SmnService) -> APIRouter:
    """The routes of SMN, and those that its messages link to."""
    router = APIRouter(tags=["SMN"])

    async def admit(request: Request) -> dict[str, object]:
        body = await request.body()
        if not services.access.huawei(request, body):
            raise _refuse("SMN.00000013", "authentication failed", 401)
        if not body:
            return {}
        try:
            value = parse(body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise _refuse("SMN.00000002", "the body must be a JSON object")
        return value

    def topic_of(request: Request) -> str:
        urn: str = request.path_params["topic_urn"]
        if not smn.has_topic(urn):
            raise _refuse("SMN.00010008", "there is no such topic", 404)
        return urn

    @router.post(_TOPICS, status_code=201)
    async def create(request: Request) -> Response:
        body = await admit(request)
        name = _text(body, "name")
        if not _NAME.fullmatch(name):
            raise _refuse("SMN.00010005", "name must be of letters, digits, - and _")
        urn = smn.create_topic(request.path_params["project_id"], name, _text(body, "display_name"))
        return _done({"topic_urn": urn}, 201)

    @router.post(_TOPICS + "/{topic_urn}/subscriptions", status_code=201)
    async def subscribe(request: Request) -> Response:
        body = await admit(request)
        topic, protocol, endpoint = topic_of(request), _text(body, "protocol"), _text(body, "endpoint")
        if protocol not in ("http", "https") or not endpoint.startswith(f"{protocol}://"):
            raise _refuse("SMN.00010017", "only endpoints with the protocol http or https are emulated")
        base = str(request.base_url)
        subscription, fresh = smn.subscribe(topic, protocol, endpoint, _text(body, "remark"), base)
        return _done({"subscription_urn": subscription.subscription_urn}, 201 if fresh else 200)

    @router.get(_TOPICS + "/{topic_urn}/subscriptions")
    async def listing(request: Request) -> Response:
        await admit(request)
        found = [_document(each) for each in smn.subscriptions(topic_of(request))]
        return _done({"subscription_count": len(found), "subscriptions": found})

    @router.post(_TOPICS + "/{topic_urn}/publish")
    async def publish(request: Request) -> Response:
        body = await admit(request)
        topic, subject, message = topic_of(request), _text(body, "subject"), _text(body, "message")
        if not message or len(message.encode()) > MAX_MESSAGE or len(subject.encode()) > MAX_SUBJECT:
            raise _refuse("SMN.00010024", "message must not be empty, message and subject not too long")
        return _done({"message_id": smn.publish(topic, subject, message)})

    @router.delete("/v2/{project_id}/notifications/subscriptions/{subscription_urn}")
    async def unsubscribe(request: Request) -> Response:
        await admit(request)
        if not smn.unsubscribe(request.path_params["subscription_urn"]):
            raise _refuse("SMN.00010022", "there is no such subscription", 404)
        return _done({})

    @router.get("/smn/subscription/confirm")
    async def confirm(token: str = "", topic_urn: str = "") -> Response:
        subscription = smn.confirm(topic_urn, token)
        if subscription is None:
            raise _refuse("SMN.00010020", "there is no subscription with this token", 404)
        return _done({"subscription_urn": subscription.subscription_urn})

    @router.get("/smn/{name}")
    async def certificate(name: str) -> Response:
        if name != smn.signer.name:
            return Response(status_code=404)
        return Response(smn.signer.certificate, media_type="application/x-pem-file")

    return router


def _document(each: Subscription) -> dict[str, object]:
    return {
        "topic_urn": each.topic_urn,
        "subscription_urn": each.subscription_urn,
        "protocol": each.protocol,
        "endpoint": each.endpoint,
        "remark": each.remark,
        "status": each.status,
        "owner": each.topic_urn.split(":")[3],
    }


def _text(body: dict[str, object], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or "\0" in value:
        raise _refuse("SMN.00000002", f"{name} must be text")
    return value


def _done(fields: dict[str, object], status: int = 200) -> Response:
    return json_response({"request_id": secrets.token_hex(16), **fields}, status)


def _refuse(code: str, message: str, status: int = 400) -> HttpError:
    return HttpError(json_response({"request_id": secrets.token_hex(16), "code": code, "message": message}, status))
