"""Admin endpoints of Alertmanager: replace its configuration, stop and start its peers."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from reconciler.emulator.alertmanager.cluster import Cluster, Peer
from reconciler.emulator.alertmanager.config import parse_config
from reconciler.emulator.alertmanager.routes import alert_item
from reconciler.emulator.alertmanager.suppression import Suppression
from reconciler.emulator.wire import HttpError, json_response, parse


def alertmanager_admin_routes(cluster: Cluster) -> APIRouter:
    """The routes below ``/admin/alertmanager`` (docs/emulator.md)."""
    router = APIRouter(prefix="/admin/alertmanager", tags=["admin"])

    @router.get("")
    async def show_cluster() -> Response:
        """List all peers, each with the alerts it holds, including resolved ones."""
        now = cluster.catch_up()
        quiet = Suppression((), (), (), now)
        return json_response(
            {
                "peers": [
                    {
                        "peer": peer.number,
                        "running": peer.dispatcher is not None,
                        "alerts": [
                            {**alert_item(alert, (), quiet), "resolved": alert.is_resolved(now)}
                            for alert in peer.alerts.values()
                        ],
                    }
                    for peer in cluster.peers
                ]
            }
        )

    @router.put("/config")
    async def configure(request: Request) -> Response:
        """Load another configuration, given as the JSON form of an ``alertmanager.yml``."""
        try:
            cluster.configure(parse_config(parse(await request.body()), cluster.version))
        except ValueError as error:
            raise _refuse(str(error)) from None
        return Response(status_code=204)

    @router.post("/stop")
    async def stop_peer(request: Request) -> Response:
        """Stop a peer (``{"peer": 1, "kill": false}``): it drops every connection until it is started again."""
        peer, killed = await _order(request)
        cluster.stop(peer, killed=killed)
        return Response(status_code=204)

    @router.post("/restart")
    async def restart_peer(request: Request) -> Response:
        """Stop and start a peer, or start one that is down (``{"peer": 1, "kill": false}``): its alerts are lost."""
        peer, killed = await _order(request)
        if peer.dispatcher is not None:
            cluster.stop(peer, killed=killed)
        cluster.start(peer)
        return Response(status_code=204)

    async def _order(request: Request) -> tuple[Peer, bool]:
        body = await request.body()
        try:
            value = parse(body) if body else {}
        except ValueError:
            value = None
        if (
            not isinstance(value, dict)
            or value.keys() - {"peer", "kill"}
            or not isinstance(value.get("kill", False), bool)
        ):
            raise _refuse('give {"peer": 1}, and "kill": true if it is not to stop in order')
        number = value.get("peer", 1)
        peer = next((each for each in cluster.peers if each.number == number), None)
        if peer is None:
            raise _refuse(f"there is no peer {number}", 404)
        return peer, value.get("kill", False)

    return router


def _refuse(message: str, status: int = 400) -> HttpError:
    return HttpError(json_response({"error": message}, status))
