"""A guarded process with a child, and a detached grandchild: prints their ids as JSON, then waits.

`guarded.py FOLDER`
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from turnpike.cli.stack.children import Child, started
from turnpike.cli.suite.guard import run_guarded
from turnpike.cli.suite.strays import end_strays

# The grandchild heeds no polite signal.
GRANDCHILD = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
)
CHILD = f"""
import subprocess, sys, time
grandchild = subprocess.Popen(
    [sys.executable, "-c", {GRANDCHILD!r}], start_new_session=True, stdout=subprocess.PIPE
)
grandchild.stdout.readline()
print(grandchild.pid, flush=True)
time.sleep(60)
"""


def body() -> int:
    log = Path(sys.argv[1]) / "log"
    child = Child([sys.executable, "-c", CHILD], log=log)
    while not log.read_text().endswith("\n"):
        time.sleep(0.01)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    print(json.dumps([os.getpid(), child.pid, int(log.read_text())]), flush=True)
    while not stopping:
        signal.pause()
    child.stop()
    end_strays(started())
    return 7


run_guarded(body)
