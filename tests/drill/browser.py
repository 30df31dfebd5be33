"""A headless Chromium, driven over its debugging pipe: no driver, no network, nothing kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

FIND = Path(__file__).parents[2] / ".ci" / "browser"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)


class Page:
    """One tab. Commands and events are those of the DevTools protocol."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._numbers = count(1)
        self._buffer = b""
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def open(self, page: Path | str, *, width: int, scheme: str = "light") -> None:
        """Load a file or a URL at a width, and wait until it is there."""
        self.emulate_display(width, scheme)
        self.events.clear()
        done = self.call("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        if "loaderId" not in done:  # the same page, elsewhere in it
            return
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def emulate_display(self, width: int, scheme: str) -> None:
        """Show the page at another width and in other colours, without loading it anew."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def wait(self, expression: str) -> Any:
        """The value of an expression as soon as it is true."""
        deadline = time.monotonic() + 30
        while not (value := self.ask(expression)):
            assert time.monotonic() < deadline, f"{expression} does not become true"
            time.sleep(0.05)
        return value

    @property
    def complaints(self) -> list[str]:
        """What the console says: errors, warnings, violations of the page's own policy, exceptions.

        A request of the page before this one, whose server has ended, may be complained of late: it is left out.
        """
        bad = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        found = [event["params"] for event in self.events if event.get("method") in bad]
        numbers = [params.get("entry", {}).get("networkRequestId") for params in found]
        own = {None, *(event["params"]["requestId"] for event in self._requests)}
        return [json.dumps(params) for params, number in zip(found, numbers, strict=True) if number in own]

    @property
    def requested(self) -> list[str]:
        """The URLs of all requests the page made."""
        return [event["params"]["request"]["url"] for event in self._requests]

    @property
    def _requests(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            got = os.read(self._read, 1 << 16)
            assert got, "the browser is gone"
            self._buffer += got
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """A fresh browser with one tab, keeping what it writes in ``profile``.

    Its children may write there for a moment after it has gone, so the directory is not removed here. Fails where
    there is no browser (``.ci/browser`` installs it).
    """
    found = subprocess.run([FIND], capture_output=True, text=True, check=False)  # noqa: S603 - a command of ours
    assert found.returncode == 0, found.stderr
    to_browser, from_us = os.pipe()
    to_us, from_browser = os.pipe()

    # The browser reads commands on descriptor 3 and answers on 4.
    command = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
    browser = subprocess.Popen(  # noqa: S603 - a command of ours
        ["bash", "-c", command, found.stdout.strip(), *FLAGS, f"--user-data-dir={profile}"],  # noqa: S607 - found as its user finds it
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(profile)},
        start_new_session=True,
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Page(from_us, to_us)
    finally:
        os.close(from_us)
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        os.close(to_us)
