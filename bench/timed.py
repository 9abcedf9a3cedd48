"""Runs a command and writes its exit code, seconds and peak memory in MB to a file descriptor, as JSON.

This is a small process of its own, because Linux adds the memory of the starting process to the peak of the program.
"""

import json
import os
import sys
import time

RUSAGE_UNITS_PER_MB = 1_000_000 if sys.platform == "darwin" else 1_000  # ru_maxrss: bytes on macOS, else kB

if __name__ == "__main__":
    begin = time.monotonic()
    process = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
    _, status, usage = os.wait4(process, 0)
    seconds = time.monotonic() - begin
    with os.fdopen(int(sys.argv[1]), "w") as out:
        json.dump([os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss / RUSAGE_UNITS_PER_MB], out)
