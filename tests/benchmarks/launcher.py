"""Run one command and print what it cost, as JSON: seconds, processor seconds, peak bytes, exit code.

A small process of its own, for a child inherits the peak memory of whoever starts it. Its arguments are the command.
"""

import json
import os
import sys
import time

if __name__ == "__main__":
    nowhere = os.open(os.devnull, os.O_WRONLY)
    begun = time.perf_counter()
    child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nowhere, 1)])
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - begun
    cost = (seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, os.waitstatus_to_exitcode(status))
    sys.stdout.write(json.dumps(cost))
