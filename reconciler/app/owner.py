"""The owner: who this process is, for the lease and the journal."""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import suppress

from reconciler.apply.lease import Owner
from reconciler.core.origin import origin


def owner() -> Owner:
    """The user, the host and the process; in a pipeline whoever started that, its URL and its commit."""
    found = origin(os.environ, _user(), socket.gethostname())
    return Owner(found.user, found.host, os.getpid(), found.pipeline, found.commit)


def _user() -> str:
    with suppress(OSError, KeyError):  # a container may run under a number nobody has a name for
        return getpass.getuser()
    return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
