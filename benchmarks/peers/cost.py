"""Runs a command and prints, as JSON, what it wrote and what it cost.

A process of its own, and a small one: what a process has at its most in memory counts what its
parent had when it was forked.
"""

import json
import os
import subprocess
import sys
import tempfile
from time import monotonic

with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
    started = monotonic()
    process = subprocess.Popen(sys.argv[1:], stdout=output, stderr=errors)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cost = {
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "wall_s": round(monotonic() - started, 2),
        "mib": round(used.ru_maxrss / 1024),
    }
    for name, file in (("output", output), ("errors", errors)):
        file.seek(0)
        cost[name] = file.read().decode(errors="replace")
    print(json.dumps(cost))
