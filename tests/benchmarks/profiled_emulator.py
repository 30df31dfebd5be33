"""The emulator, all in memory, under the standard library's profiler.

``python -m tests.benchmarks.profiled_emulator FILE`` prints its address, serves until it is interrupted, and then
writes to the file where its time went since it listened.
"""

from __future__ import annotations

import sys
from cProfile import Profile

from reconciler.emulator.server import serve
from reconciler.emulator.settings import Settings

if __name__ == "__main__":
    profile = Profile()

    def ready(url: str) -> None:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        profile.enable()

    serve(Settings(), port=0, on_ready=ready)
    profile.disable()
    profile.dump_stats(sys.argv[1])
