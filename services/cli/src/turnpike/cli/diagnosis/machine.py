"""What the machine must offer before anything can start."""

import os
import platform
import subprocess
import sys
from pathlib import Path

from turnpike.cli.diagnosis.finding import Finding
from turnpike.cli.stack.accounts import choose_account
from turnpike.cli.stack.errors import StackError
from turnpike.cli.stack.ports import is_free
from turnpike.cli.stack.postgres import postgres_binary
from turnpike.cli.stack.redis import valkey_server
from turnpike.cli.suite.home import Home

_OLDEST = (3, 11)
_TIMEOUT = 10


def check_python() -> Finding:
    """Looks at the interpreter's version."""
    return Finding(
        "python",
        sys.version_info >= _OLDEST,
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "install Python 3.11 or newer",
    )


def check_postgres() -> Finding:
    """Looks whether the wheel's PostgreSQL runs here."""
    advice = "run `make install` again, or set TURNPIKE_DATABASE_URL"
    try:
        account = choose_account()
        version = _version(postgres_binary(account))
    except StackError as error:
        return Finding("postgres", False, str(error), advice)
    return Finding("postgres", bool(version), f"{version or 'does not run'} ({account})", advice)


def check_redis() -> Finding:
    """Looks whether the wheel's Valkey runs here."""
    advice = "run `make install` again, or set TURNPIKE_REDIS_URL"
    try:
        version = _version(valkey_server())
    except StackError as error:
        return Finding("redis", False, str(error), advice)
    return Finding("redis", bool(version), version or "does not run", advice)


def check_home(home: Home) -> Finding:
    """Looks whether the home can be written, and by nobody else read."""
    folder = home.folder
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("home", False, f"{there} cannot be written", "give another TURNPIKE_HOME")
    open_files = [path for path in (home.admin_key, home.credentials) if _is_open(path)]
    if open_files:
        names = " ".join(str(path) for path in open_files)
        return Finding("home", False, f"others may read {names}", f"chmod 600 {names}")
    return Finding("home", True, str(folder))


def check_port(port: int) -> Finding:
    """Looks whether the gateway's port is free."""
    free = port == 0 or is_free("127.0.0.1", port)
    detail = f"{port} is {'free' if free else 'taken'}"
    return Finding("port", free, detail, "give another --http-port or TURNPIKE_HTTP_PORT")


def _version(binary: Path) -> str:
    try:
        run = subprocess.run(  # noqa: S603 # a wheel's binary
            [binary, "--version"], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & 0o077)
