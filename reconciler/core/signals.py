"""What the handler of a signal may do."""

from __future__ import annotations

import _thread
from collections.abc import Callable


def call_outside_handler(work: Callable[[], None]) -> None:
    """Call a function on behalf of a signal handler, in a thread of its own.

    A handler runs between two instructions of the main thread, which may hold any lock at that moment: that of an event
    it waits for, or of a stream it writes. The handler would wait for it forever. So it must not start a ``Thread``
    either, which takes locks too.
    """
    _thread.start_new_thread(work, ())
