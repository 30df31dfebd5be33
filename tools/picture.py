"""The terminal picture of the README: what a real run on a terminal wrote, as SVG."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 108
COMMANDS = (
    ("reconciler init --name checkout-drill", False),
    ("reconciler apply --auto-approve", False),
    ("reconciler plan --var message='Still only a drill'", True),
    ("reconciler apply --auto-approve --var message='Still only a drill' | tail -1", True),
    ("reconciler plan --var message='Still only a drill'", True),
)
"""What is run, in this order, in an empty directory; and whether it is shown."""


def picture() -> str:
    """The SVG; the same for the same behaviour."""
    # With a height too: without it Rich asks the environment for both.
    console = Console(
        record=True, width=WIDTH, height=100, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    with tempfile.TemporaryDirectory() as directory:
        for command, shown in COMMANDS:
            written = _run(command, Path(directory))
            if shown:
                console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
                console.print(Text.from_ansi(written))
                console.print()
    # Without the fonts that Rich would have every reader fetch from elsewhere: any monospaced one will do.
    return re.sub(
        r"@font-face \{.*?\}\s*", "", console.export_svg(title="checkout-drill", unique_id="reconciler"), flags=re.S
    )


def _run(command: str, directory: Path) -> str:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, WIDTH, 0, 0))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {key: os.environ[key] for key in ("HOME", "LANG") if key in os.environ}
    env = {**kept, "TERM": "xterm-256color", "COLUMNS": str(WIDTH), "PATH": path}
    with subprocess.Popen(  # noqa: S603 - a command of ours
        ["bash", "-c", command],  # noqa: S607 - found as its user finds it
        cwd=directory,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ):
        os.close(theirs)
        pieces = []
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # how Linux tells that nobody writes any more
                break
            if not piece:
                break
            pieces.append(piece)
    os.close(ours)
    return b"".join(pieces).decode().replace("\r\n", "\n").rstrip("\n")
