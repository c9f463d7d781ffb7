"""Starting a double as a process of its own, for suites that outlive a test's loop."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Double:
    """A running double: where it listens, and its process."""

    url: str
    process: subprocess.Popen[str]

    @property
    def origin(self) -> str:
        """The URL without its path, for /log, /stats and the like."""
        return "/".join(self.url.split("/")[:3])


@contextmanager
def running(script: str, *arguments: str) -> Generator[Double]:
    """Runs a double while inside, such as `running("model_server")`."""
    command = [sys.executable, str(HERE / f"{script}.py"), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Double(json.loads(process.stdout.readline())["url"], process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
