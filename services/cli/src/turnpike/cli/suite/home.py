"""The folder of a local suite: its lock, its keys, and what it says about itself."""

import fcntl
import json
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from turnpike.cli.errors import CommandError

# Longer than a suite may take to stop.
_PATIENCE = timedelta(seconds=30)


class Home:
    """What a suite keeps between runs, for its owner's eyes only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.logs = self.folder / "logs"
        self.blobs = self.folder / "blobs"
        self.admin_key = self.folder / "admin.key"
        self.run_file = self.folder / "run.json"
        self.credentials = self.folder / "credentials.json"
        self._lock = self.folder / "lock"

    def create(self) -> None:
        """Makes the folder, for its owner alone."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
        except OSError as error:
            raise CommandError(f"cannot use {str(self.folder)!r}: {error.strerror}") from error

    @contextmanager
    def locked(self, holder: int) -> Generator[None]:
        """Holds the home for process `holder`; refuses while another one runs on it.

        The kernel frees the lock of a process that was killed. What that process had started may
        take a moment to go, which is waited for.
        """
        with self._lock.open("a+") as lock:
            self._acquire(lock.fileno())
            lock.truncate(0)
            lock.write(str(holder))
            lock.flush()
            yield

    def write_private(self, path: Path, text: str) -> None:
        """Replaces a file at once, readable by its owner alone."""
        partial = path.with_name(f"{path.name}.new")
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        partial.replace(path)

    def _acquire(self, descriptor: int) -> None:
        give_up = time.monotonic() + _PATIENCE.total_seconds()
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = self._holder()
                if _is_alive(holder) or time.monotonic() > give_up:
                    raise CommandError(
                        f"a suite already runs on {str(self.folder)!r} (process {holder}); "
                        "stop it, or give another TURNPIKE_HOME"
                    ) from None
                time.sleep(0.05)
            else:
                return

    def _holder(self) -> int:
        try:
            return int(self._lock.read_text())
        except ValueError:
            # It has the lock, and is about to write its number.
            return os.getpid()


def read_object(path: Path) -> dict[str, object]:
    """Returns the JSON object in `path`; raises CommandError when there is none."""
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise CommandError(f"{str(path)!r} does not exist") from error
    except (OSError, ValueError) as error:
        raise CommandError(f"{str(path)!r} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise CommandError(f"{str(path)!r} does not hold an object")
    return content


def _is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    # One that was killed stays listed until its parent looks.
    return stat.rpartition(")")[2].split()[0] != "Z"
