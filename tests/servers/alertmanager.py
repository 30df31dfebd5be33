"""The real Prometheus Alertmanager, alone or as a cluster of two, on free ports of loopback.

Where there is none, ``.ci/alertmanager`` installs Debian's. A machine that can have neither fails the tests that
need it.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import requests

from tests.servers.ports import free_port

FIND = Path(__file__).parents[2] / ".ci" / "alertmanager"
START_S = 30.0
"""How long a start may take on a busy machine."""
STOP_S = 30.0


def alertmanager_config(
    webhook_url: str | None = None,
    *,
    group_wait: str = "1s",
    group_interval: str = "2s",
    repeat_interval: str = "1h",
    group_by: Sequence[str] = ("alertname",),
    send_resolved: bool = True,
) -> dict[str, Any]:
    """A configuration with one receiver, ``hook``, that posts to a webhook; without a URL it notifies nobody."""
    webhooks = [{"url": webhook_url, "send_resolved": send_resolved}] if webhook_url else []
    return {
        "global": {"resolve_timeout": "1m"},
        "route": {
            "receiver": "hook",
            "group_by": list(group_by),
            "group_wait": group_wait,
            "group_interval": group_interval,
            "repeat_interval": repeat_interval,
        },
        "receivers": [{"name": "hook", "webhook_configs": webhooks}],
    }


class Alertmanager:
    """One server process; a restart keeps its port and its storage."""

    def __init__(self, directory: Path, config: Mapping[str, object], *, flags: Sequence[str] = ()) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # JSON is YAML.
        (directory / "alertmanager.yml").write_text(json.dumps(config), encoding="utf-8")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start the process and return at once."""
        command = [
            programs()[0],
            f"--config.file={self._directory / 'alertmanager.yml'}",
            f"--storage.path={self._directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            *(self._flags or ["--cluster.listen-address="]),
        ]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603 - a command of ours

    def wait_until_ready(self, peers: int = 0) -> None:
        """Return when it answers and, in a cluster, sees this many peers."""
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                if requests.get(f"{self.url}/-/ready", timeout=5).status_code == 200 and self._sees(peers):
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.02)
        log = (self._directory / "log").read_text(encoding="utf-8", errors="replace")[-2_000:]
        raise RuntimeError(f"Alertmanager did not start:\n{log}")

    def start(self, peers: int = 0) -> None:
        self.launch()
        self.wait_until_ready(peers)

    def terminate(self) -> None:
        """Stop it in order (SIGTERM), so that it writes its silences and its notification log."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_S)
            self._process = None

    def kill(self) -> None:
        """Stop it at once (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_S)
            self._process = None

    def restart(self, *, kill: bool = False, peers: int = 0) -> None:
        if kill:
            self.kill()
        else:
            self.terminate()
        self.start(peers)

    def _sees(self, peers: int) -> bool:
        if not peers:
            return True
        cluster = requests.get(f"{self.url}/api/v2/status", timeout=5).json()["cluster"]
        return bool(cluster["status"] == "ready" and len(cluster["peers"]) == peers)


@contextmanager
def alertmanager(directory: Path, config: Mapping[str, object]) -> Iterator[Alertmanager]:
    """A server alone for as long as the block lasts."""
    server = Alertmanager(directory, config)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def alertmanager_cluster(
    directory: Path, config: Mapping[str, object], *, peer_timeout: str = "1s"
) -> Iterator[tuple[Alertmanager, Alertmanager]]:
    """Two servers that know each other; the second to notify waits ``peer_timeout`` for the first."""
    ports = free_port(), free_port()

    def peer(index: int) -> Alertmanager:
        flags = [
            f"--cluster.listen-address=127.0.0.1:{ports[index]}",
            f"--cluster.advertise-address=127.0.0.1:{ports[index]}",
            f"--cluster.peer=127.0.0.1:{ports[1 - index]}",
            f"--cluster.peer-timeout={peer_timeout}",
            "--cluster.settle-timeout=1s",
            "--cluster.gossip-interval=50ms",
            "--cluster.pushpull-interval=1s",
        ]
        return Alertmanager(directory / f"peer-{index + 1}", config, flags=flags)

    servers = peer(0), peer(1)
    try:
        for server in servers:
            server.launch()
        for server in servers:
            server.wait_until_ready(peers=2)
        yield servers
    finally:
        for server in servers:
            server.kill()


def amtool(url: str, *arguments: str, check: bool = True) -> str:
    """What amtool says, asked of a server."""
    command = [programs()[1], f"--alertmanager.url={url}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - a command of ours
    assert not check or done.returncode == 0, done.stderr
    return done.stdout if done.returncode == 0 else done.stderr


@cache
def programs() -> tuple[str, str]:
    """The paths of the server and of amtool; RuntimeError, with what to do, where there are none."""
    done = subprocess.run([FIND], capture_output=True, text=True, timeout=300, check=False)  # noqa: S603 - a command of ours
    if done.returncode != 0:
        raise RuntimeError(f"the tests need a Prometheus Alertmanager: {done.stderr.strip()[-1_000:]}")
    server, tool = done.stdout.split()[-2:]
    return server, tool
