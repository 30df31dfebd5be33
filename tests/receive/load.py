"""Load: many deliveries over kept-alive connections, each with a key of its own."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.receive.sqlite import SqliteDeliveryStore
from reconciler.receive.store import DeliveryQuery


@dataclass(slots=True)
class Load:
    """What a receiver answered: the keys of deliveries that it said are stored, and how many it refused."""

    answered: list[str] = field(default_factory=list)
    refused: int = 0
    seconds: float = 0.0


def payload(key: str) -> bytes:
    """A webhook payload of Alertmanager, with one alert of ours."""
    labels = {"alertname": "checkout_latency", "severity": "critical", "reconciler_stack": "load"}
    labels["reconciler_address"] = f'alertmanager_alert.latency["{key}"]'
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "p99 above 2 s", "reconciler_key": key, "reconciler_run": "r" * 32},
        "startsAt": "2026-05-01T12:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph",
        "fingerprint": f"{abs(hash(key)):016x}"[:16],
    }
    return json.dumps(
        {
            "receiver": "oncall",
            "status": "firing",
            "alerts": [alert],
            "groupLabels": {"alertname": "checkout_latency"},
            "commonLabels": labels,
            "commonAnnotations": alert["annotations"],
            "externalURL": "http://alertmanager.example.com:9093",
            "version": "4",
            "groupKey": '{}:{alertname="checkout_latency"}',
            "truncatedAlerts": 0,
        }
    ).encode()


def send(url: str, name: str, *, connections: int, seconds: float, rate: float | None = None) -> Load:
    """Send until the time is over or the receiver is gone; ``rate`` is deliveries a second, None for all it takes."""
    return asyncio.run(_send(url, name, connections, seconds, rate))


async def _send(url: str, name: str, connections: int, seconds: float, rate: float | None) -> Load:
    load, begun = Load(), time.monotonic()
    pause = 0.0 if rate is None else connections / rate

    async def work(worker: int) -> None:
        where = urlsplit(url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        head = f"POST /alertmanager HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\n"
        number, due = 0, time.monotonic() + pause * worker / connections
        try:
            while time.monotonic() - begun < seconds:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due += pause
                key = f"{name}-{worker}-{number}"
                number += 1
                body = payload(key)
                writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                header = await reader.readuntil(b"\r\n\r\n")
                length = int(header.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                if header.split(b" ", 2)[1] == b"200":
                    load.answered.append(key)
                else:
                    load.refused += 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the receiver is gone
        finally:
            writer.close()

    await asyncio.gather(*map(work, range(connections)))
    load.seconds = time.monotonic() - begun
    return load


def stored_keys(path: Path) -> set[str | None]:
    """The keys of all deliveries in a receiver's database."""
    store = SqliteDeliveryStore(path)
    found, after = set[str | None](), 0
    while deliveries := store.find(DeliveryQuery(after=after, limit=1_000)).deliveries:
        found |= {alert.key for each in deliveries for alert in each.alerts}
        after = deliveries[-1].id
    store.close()
    return found


def peak(pid: int) -> int | None:
    """The most memory (KiB) that a process has held; None where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), None)
