"""IAM: tokens for a user and a password, and the ids of projects."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from reconciler.emulator.errors import iam_error
from reconciler.emulator.services import Services
from reconciler.emulator.wire import HttpError, json_response, parse


def iam_routes(services: Services) -> APIRouter:
    """The routes for tokens and for project ids."""
    router = APIRouter(tags=["IAM"])
    settings = services.settings

    @router.post("/v3/auth/tokens", status_code=201)
    async def token(request: Request) -> Response:
        try:
            auth = _at(parse(await request.body()), "auth")
            methods = _at(auth, "identity", "methods")
            user = _at(auth, "identity", "password", "user")
            name, password = _text(user, "name"), _text(user, "password")
            domain = _text(user, "domain", "name")
            project_id, project_name = _project(_at(auth, "scope", "project"))
        except ValueError as error:
            raise HttpError(iam_error(400, f"Invalid input: {error}")) from None
        if not isinstance(methods, list) or "password" not in methods:
            raise HttpError(iam_error(400, "Invalid input: identity.methods must hold 'password'"))
        known = any(
            each.name == name and each.password == password and each.domain in (None, domain) for each in settings.users
        )
        if settings.users and not known:
            raise HttpError(iam_error(401, "The username or password is wrong."))
        issued_at = services.clock.now()
        issued, expires_at = services.access.issue()
        if project_id is None:
            project_id = settings.projects.get(project_name or "", project_name)
        account = {"id": domain, "name": domain}
        response = json_response(
            {
                "token": {
                    "expires_at": _iso(expires_at),
                    "issued_at": _iso(issued_at),
                    "methods": ["password"],
                    "catalog": [],
                    "roles": [],
                    "project": {"id": project_id, "name": project_name or project_id, "domain": account},
                    "user": {"id": name, "name": name, "domain": account, "password_expires_at": ""},
                }
            },
            201,
        )
        response.headers["X-Subject-Token"] = issued
        return response

    @router.get("/v3/projects")
    async def projects(request: Request) -> Response:
        if not services.access.huawei(request, b""):
            raise HttpError(iam_error(401, "The request you have made requires authentication."))
        name = request.query_params.get("name")
        named = {name: settings.projects.get(name, name)} if name else settings.projects
        listed = [{"id": project, "name": each, "enabled": True} for each, project in named.items()]
        return json_response({"projects": listed, "links": {}})

    return router


def _at(value: object, *path: str) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            raise ValueError(f"{'.'.join(path)} is missing")
    return value


def _text(value: object, *path: str) -> str:
    found = _at(value, *path)
    if not isinstance(found, str) or not found:
        raise ValueError(f"{'.'.join(path)} must be text")
    return found


def _project(project: object) -> tuple[str | None, str | None]:
    """Id and name of the scope's project; the request gives one of them."""
    if isinstance(project, dict) and "id" in project:
        return _text(project, "id"), None
    return None, _text(project, "name")


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
