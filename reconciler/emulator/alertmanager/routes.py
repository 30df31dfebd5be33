"""Alertmanager's API and the JSON of its responses: alerts, groups, receivers, status, silences, health."""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from reconciler.emulator.alertmanager.alert import Alert, SchemaError, read_alerts
from reconciler.emulator.alertmanager.cluster import Cluster, Peer
from reconciler.emulator.alertmanager.instant import MS, Instant
from reconciler.emulator.alertmanager.matcher import Matcher, PatternError, compile_pattern, match_all, parse_matcher
from reconciler.emulator.alertmanager.silence import Silence, UnknownSilenceError, read_silence
from reconciler.emulator.alertmanager.suppression import Suppression
from reconciler.emulator.errors import alertmanager_error
from reconciler.emulator.middleware import ABORT
from reconciler.emulator.services import Services, hidden_for
from reconciler.emulator.wire import JSON, HttpError, json_response, text


def alert_item(alert: Alert, receivers: Iterable[str], suppression: Suppression) -> dict[str, object]:
    """One alert as ``gettableAlert`` of API v2."""
    silenced, inhibited = suppression.silenced_by(alert.labels), suppression.inhibited_by(alert.labels)
    item: dict[str, object] = {
        "annotations": alert.annotations,
        "endsAt": alert.ends_at.in_milliseconds(),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": name} for name in receivers],
        "startsAt": alert.starts_at.in_milliseconds(),
        "status": {
            "inhibitedBy": inhibited,
            "silencedBy": silenced,
            "state": "suppressed" if silenced or inhibited else "active",
        },
        "updatedAt": Instant(alert.updated_at).in_milliseconds(),
        "labels": alert.labels,
    }
    if alert.generator_url:
        item["generatorURL"] = alert.generator_url
    return item


def silence_item(silence: Silence, now: int) -> dict[str, object]:
    """One silence as ``gettableSilence`` of API v2."""
    return {
        "id": silence.id,
        "status": {"state": silence.state(now)},
        "updatedAt": Instant(silence.updated_at).in_milliseconds(),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": silence.ends_at.in_milliseconds(),
        "matchers": [
            {"isEqual": each.is_equal, "isRegex": each.is_regex, "name": each.name, "value": each.value}
            for each in silence.matchers
        ],
        "startsAt": silence.starts_at.in_milliseconds(),
        **({"annotations": dict(silence.annotations)} if silence.annotations else {}),
    }


def status_item(cluster: Cluster, peer: Peer) -> dict[str, object]:
    """The status of a peer as ``alertmanagerStatus`` of API v2."""
    members: dict[str, object] = {"peers": [], "status": "disabled"}
    if len(cluster.peers) > 1:
        running = [each for each in cluster.peers if each.dispatcher is not None]
        members = {
            "name": peer.name,
            "peers": [{"address": f"127.0.0.1:{9093 + each.number}", "name": each.name} for each in running],
            "status": "ready",
        }
    return {
        "cluster": members,
        "config": {"original": text(cluster.config.original) + "\n"},
        "uptime": Instant(peer.started_at).in_milliseconds(),
        "versionInfo": {
            "branch": "emulator",
            "buildDate": "",
            "buildUser": "",
            "goVersion": "",
            "revision": "",
            "version": cluster.version,
        },
    }


METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
_TRUE = frozenset({"1", "checked", "enabled", "ok", "on", "selected", "t", "true", "y", "yes"})
_MEDIA_TYPE = re.compile(r"\s*[\w!#$&^.+-]+/[\w!#$&^.+-]+\s*(;\s*[\w-]+=(\"[^\"]*\"|[^;\s\"]+)\s*)*;?\s*", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)

Handler = Callable[[Request, Peer], Awaitable[Response]]


def alertmanager_routes(services: Services, cluster: Cluster) -> APIRouter:
    """The routes of every peer under its prefix: ``/alertmanager``, ``/alertmanager-2`` and so on."""
    router = APIRouter(tags=["Alertmanager"])
    api = _Api(services, cluster)

    def add(peer: Peer) -> None:
        @router.api_route(peer.prefix + "/{path:path}", methods=METHODS, include_in_schema=False)
        async def serve(request: Request, path: str) -> Response:
            return await api.serve(request, f"/{path}", peer)

    for peer in cluster.peers:
        add(peer)
    return router


class _Api:
    def __init__(self, services: Services, cluster: Cluster) -> None:
        self._services = services
        self._cluster = cluster
        self._calls: dict[str, dict[str, Handler]] = {
            "/alerts": {"GET": self._query, "POST": self._push},
            "/alerts/groups": {"GET": self._groups},
            "/receivers": {"GET": self._receivers},
            "/silences": {"GET": self._silences, "POST": self._put_silence},
            "/status": {"GET": self._status},
        }
        self._silence_calls: dict[str, Handler] = {"GET": self._silence, "DELETE": self._expire}

    async def serve(self, request: Request, path: str, peer: Peer) -> Response:
        if peer.dispatcher is None:
            request.scope["extensions"][ABORT]["abort"]()
            return Response(status_code=502)
        if not self._is_admitted(request):
            return alertmanager_error(401)
        if path in ("/-/ready", "/-/healthy"):
            if request.method not in ("GET", "HEAD"):
                return Response("Method Not Allowed", 405, media_type="text/plain")
            return Response("OK", media_type="text/plain")
        if not path.startswith("/api/v2/"):
            return Response("404 page not found\n", 404, media_type="text/plain")
        calls = self._calls_of(path.removeprefix("/api/v2").rstrip("/"))
        if calls is None:
            return alertmanager_error(404, f"path {path} was not found")
        if request.method not in calls:
            return alertmanager_error(405, f"method {request.method} is not allowed, but [{','.join(calls)}] are")
        peer.external_url = str(request.base_url).rstrip("/") + peer.prefix
        self._cluster.catch_up()
        try:
            response = await calls[request.method](request, peer)
        except SchemaError as error:
            return alertmanager_error(422, str(error), error.code)
        response.headers["Cache-Control"] = "no-store"
        return response

    async def _push(self, request: Request, peer: Peer) -> Response:
        cluster = self._cluster
        body = await _json_body(request)
        now = cluster.now()
        try:
            good, bad = read_alerts(body, peer.update_time(now), cluster.config.resolve_timeout, cluster.version)
        except SchemaError:
            raise
        except ValueError as error:
            return alertmanager_error(400, f'parsing alerts body from "" failed, because {error}')
        peer.post(good, now, hidden_for(request) * MS)
        cluster.wake()
        return json_response("; ".join(bad), 400) if bad else Response()

    async def _query(self, request: Request, peer: Peer) -> Response:
        now, config = self._cluster.now(), self._cluster.config
        suppression = self._suppression(peer, now)
        shows, receiver = self._alert_filter(request, suppression), _receiver_filter(request)
        items = []
        for alert in peer.unresolved_alerts(now):
            receivers = [route.receiver for route in config.route.find(alert.labels)]
            if (receiver is None or any(map(receiver.fullmatch, receivers))) and shows(alert):
                items.append(alert_item(alert, receivers, suppression))
        return json_response(items)

    async def _groups(self, request: Request, peer: Peer) -> Response:
        now = self._cluster.now()
        suppression = self._suppression(peer, now)
        shows, receiver = self._alert_filter(request, suppression), _receiver_filter(request)
        assert peer.dispatcher is not None  # noqa: S101 - narrows a type
        found: list[tuple[str, dict[str, str], list[Alert]]] = []
        receivers: dict[str, list[str]] = {}
        for group in peer.dispatcher.groups():
            if receiver is not None and not receiver.fullmatch(group.route.receiver):
                continue
            alerts = [each for each in group.sorted_alerts() if not each.is_resolved(now) and shows(each)]
            if alerts:
                found.append((group.route.receiver, dict(group.labels), alerts))
            for alert in alerts:
                receivers.setdefault(alert.fingerprint, []).append(group.route.receiver)
        return json_response(
            [
                {
                    "alerts": [alert_item(each, sorted(receivers[each.fingerprint]), suppression) for each in alerts],
                    "labels": labels,
                    "receiver": {"name": name},
                }
                for name, labels, alerts in found
            ]
        )

    async def _receivers(self, _request: Request, _peer: Peer) -> Response:
        return json_response([{"name": name} for name in self._cluster.config.receivers])

    async def _status(self, _request: Request, peer: Peer) -> Response:
        return json_response(status_item(self._cluster, peer))

    async def _silences(self, request: Request, _peer: Peer) -> Response:
        now, matchers = self._cluster.now(), self._matchers(request)
        listed = self._cluster.silences.listing(now)
        return json_response([silence_item(each, now) for each in listed if each.has_all(matchers)])

    async def _put_silence(self, request: Request, _peer: Peer) -> Response:
        body = await _json_body(request)
        try:
            silence = read_silence(body, self._cluster.version)
        except SchemaError:
            raise
        except PatternError as error:
            return json_response(str(error), 400)
        except ValueError as error:
            return alertmanager_error(400, f'parsing silence body from "" failed, because {error}')
        try:
            identifier = self._cluster.silences.put(silence, self._cluster.now())
        except UnknownSilenceError as error:
            return json_response(str(error), 404)
        except ValueError as error:
            return json_response(str(error), 400)
        self._cluster.silences_changed()
        return json_response({"silenceID": identifier})

    async def _silence(self, request: Request, _peer: Peer) -> Response:
        try:
            silence = self._cluster.silences.get(_silence_id(request))
        except UnknownSilenceError:
            return Response(status_code=404)
        return json_response(silence_item(silence, self._cluster.now()))

    async def _expire(self, request: Request, _peer: Peer) -> Response:
        try:
            self._cluster.silences.expire(_silence_id(request), self._cluster.now())
        except UnknownSilenceError as error:
            return json_response(str(error), 500) if self._cluster.version == "0.25.0" else Response(status_code=404)
        self._cluster.silences_changed()
        return Response()

    def _calls_of(self, path: str) -> dict[str, Handler] | None:
        if re.fullmatch(r"/silence/[^/]+", path):
            return self._silence_calls
        return self._calls.get(path)

    def _is_admitted(self, request: Request) -> bool:
        """Whether the request is authorized: always, unless the settings name users (basic authentication) or a token
        (bearer).
        """
        settings = self._services.settings
        if not settings.users and settings.token is None:
            return True
        kind, _, credentials = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return settings.token is not None and _same(credentials.strip(), settings.token)
        if kind.lower() != "basic":
            return False
        try:
            name, _, password = b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return any(_same(name, user.name) and _same(password, user.password) for user in settings.users)

    def _suppression(self, peer: Peer, now: int) -> Suppression:
        silences = self._cluster.silences.unexpired(now)
        return Suppression(silences, self._cluster.config.inhibit_rules, peer.alerts.values(), now)

    def _alert_filter(self, request: Request, suppression: Suppression) -> Callable[[Alert], bool]:
        """A predicate for alerts that match the query's filters and switches."""
        matchers = self._matchers(request)
        active, silenced, inhibited = (_switch(request, name) for name in ("active", "silenced", "inhibited"))
        every_state = active and silenced and inhibited

        def shows(alert: Alert) -> bool:
            if not match_all(matchers, alert.labels):
                return False
            if every_state:
                return True
            silences, inhibitors = suppression.silenced_by(alert.labels), suppression.inhibited_by(alert.labels)
            if not silences and not inhibitors:
                return active
            return (silenced or not silences) and (inhibited or not inhibitors)

        return shows

    def _matchers(self, request: Request) -> Sequence[Matcher]:
        try:
            return [parse_matcher(text, self._cluster.version) for text in request.query_params.getlist("filter")]
        except ValueError as error:
            raise HttpError(json_response(str(error), 400)) from None


async def _json_body(request: Request) -> bytes:
    """The body. Raises HttpError if its content type is not JSON."""
    body = await request.body()
    if not body:
        return body
    content_type = request.headers.get("content-type") or "application/octet-stream"
    if not _MEDIA_TYPE.fullmatch(content_type):
        message = f'parsing Content-Type header from "{content_type}" failed, because mime: invalid media parameter'
        raise HttpError(alertmanager_error(400, message))
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != JSON:
        message = f'unsupported media type "{media_type}", only [application/json] are allowed'
        raise HttpError(alertmanager_error(415, message))
    return body


def _receiver_filter(request: Request) -> re.Pattern[str] | None:
    pattern = request.query_params.get("receiver")
    if not pattern:
        return None
    try:
        return compile_pattern(pattern, f"^(?:{pattern})$")
    except PatternError as error:
        raise HttpError(json_response(f"failed to parse receiver param: {error}", 400)) from None


def _silence_id(request: Request) -> str:
    identifier: str = request.path_params["path"].rstrip("/").rpartition("/")[2]
    if not _UUID.fullmatch(identifier):
        raise SchemaError(601, f'silenceID in path must be of type uuid: "{identifier}"')
    return identifier


def _switch(request: Request, name: str) -> bool:
    """A boolean query parameter: true if absent or empty, false for any word that does not mean true."""
    value = request.query_params.get(name)
    return True if not value else value.lower() in _TRUE


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
