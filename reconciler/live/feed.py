"""The feed: sends each visitor the sections of the page that have changed since its last message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

from reconciler.live.live_run import LiveRun
from reconciler.views.html.live import clock, live_html, live_sections
from reconciler.views.phrases.drill import headline

TICK_S = 1.0
"""How often (s) the page is rendered if only the time has changed."""
PACE_S = 0.2
"""How long (s) changes are collected before the page is rendered."""
HEARTBEAT_S = 5.0
"""How often (s) a visitor is sent the time; a closed connection is noticed then."""


class Feed:
    """Renders the page while it has visitors. A slow visitor skips states, so that no messages queue up."""

    def __init__(self, live_run: LiveRun) -> None:
        self._live_run = live_run
        self._sections: dict[str, tuple[int, str]] = {}
        self._version = 0
        self._visitors = 0
        self._ended = False
        self._changed = asyncio.Event()
        self._news = asyncio.Condition()

    def page(self) -> str | None:
        """The page as it is now; None before the run has a record."""
        record = self._live_run.record()
        return None if record is None else live_html(record, self._live_run.clock.now())

    async def run(self) -> None:
        """Render until the run has ended."""
        loop = asyncio.get_running_loop()

        def listener() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._changed.set)

        self._live_run.listen(listener)
        while not self._ended:
            finished = self._live_run.finished
            if self._visitors or finished:
                self._draw()
            async with self._news:
                self._ended = finished
                self._news.notify_all()
            if finished:
                return
            await asyncio.sleep(PACE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S - PACE_S):
                    await self._changed.wait()
            self._changed.clear()

    async def messages(self) -> AsyncIterator[str]:
        """Server-sent events for one visitor: all sections at first, then those that change."""
        self._visitors += 1
        try:
            self._draw()
            seen = 0
            yield "retry: 1000\n\n"
            while True:
                ended, version = self._ended, self._version
                yield self._message(seen, end=ended)
                seen = version
                if ended:
                    return
                await self._wait(seen)
        finally:
            self._visitors -= 1

    async def _wait(self, seen: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_S), self._news:
                await self._news.wait_for(lambda: self._version > seen or self._ended)

    def _draw(self) -> None:
        record = self._live_run.record()
        if record is None:
            return
        main, inside = live_sections(record, self._live_run.clock.now())
        changed = {key: html for key, html in (main | inside).items() if self._sections.get(key, (0, None))[1] != html}
        if changed:
            self._version += 1
            self._sections |= {key: (self._version, html) for key, html in changed.items()}

    def _message(self, seen: int, *, end: bool) -> str:
        record = self._live_run.record()
        news = {
            "clock": {"at": None, "speed": 1, "over": False}
            if record is None
            else clock(record, self._live_run.clock.now()),
            "title": None if record is None else f"{record.drill} · {headline(record)}",
            "sections": {key: html for key, (version, html) in self._sections.items() if version > seen},
            "end": end,
        }
        return f"data: {json.dumps(news, ensure_ascii=True)}\n\n"
