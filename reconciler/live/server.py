"""The server of a drill's page: runs in a separate thread, so that visitors cannot delay the drill."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from reconciler.core.clock import Clock
from reconciler.live.app import create_app
from reconciler.live.live_run import LiveRun
from reconciler.serving import configure, listen, running_in_thread, url_of

GRACE_S = 2
"""How long visitors have to fetch the final state of the run."""
MAX_CONNECTIONS = 100


@dataclass(frozen=True, slots=True)
class LivePage:
    """The address of the page, and its other host names; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 0
    hostnames: frozenset[str] = frozenset()
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


@contextmanager
def serving_page(page: LivePage, clock: Clock, redact: Callable[[object], object]) -> Iterator[tuple[LiveRun, str]]:
    """Serve the page while the block runs; gives the live run that it shows, and its URL. Raises OSError if it cannot
    listen.
    """
    live_run = LiveRun(clock, redact)
    with listen(page.host, page.port) as listener:
        config = configure(
            create_app(live_run, token=page.token, hosts=page.hostnames | {page.host}),
            max_connections=MAX_CONNECTIONS,
            grace=GRACE_S,
        )
        with running_in_thread(config, listener, "page of the drill"):
            try:
                yield live_run, url_of(listener, tls=False)
            finally:
                live_run.finish()
