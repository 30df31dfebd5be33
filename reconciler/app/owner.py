"""The owner: who this process is, for the lease."""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import suppress

from reconciler.apply.lease import Owner


def owner() -> Owner:
    """The user, the host and the process."""
    return Owner(_user(), socket.gethostname(), os.getpid())


def _user() -> str:
    with suppress(OSError, KeyError):  # a container may run under a number nobody has a name for
        return getpass.getuser()
    return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
