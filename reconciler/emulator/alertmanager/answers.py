"""Answers: alerts, groups, silences and the status as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.emulator.alertmanager.alert import Alert
from reconciler.emulator.alertmanager.cluster import Cluster, Peer
from reconciler.emulator.alertmanager.instant import Instant
from reconciler.emulator.alertmanager.silence import Silence
from reconciler.emulator.alertmanager.suppression import Suppression
from reconciler.emulator.wire import text


def alert_item(alert: Alert, receivers: Iterable[str], suppression: Suppression) -> dict[str, object]:
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
