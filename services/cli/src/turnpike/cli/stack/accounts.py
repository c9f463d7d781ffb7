"""Who runs PostgreSQL, which refuses root.

An ordinary user runs it as themselves. Root enters a user namespace where it goes by another number
and still owns its files, so that folders only root may enter are no obstacle. Where namespaces are
refused (many containers), root switches to an unprivileged account, and whatever that account
cannot reach is kept under `/var/lib/turnpike` instead.
"""

import os
import pwd
import secrets
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from turnpike.cli.stack.errors import StackError

_LAUNCHER = Path(__file__).with_name("launch.py")
_SHARED = Path("/var/lib/turnpike")


@dataclass(frozen=True)
class Account:
    """An account as `launch.py` takes it on; its files belong to `owner`, (user, group)."""

    spec: str
    owner: tuple[int, int]

    def __str__(self) -> str:
        """Returns it for people."""
        kind = self.spec.partition(":")[0]
        return {"same": "as this user", "mapped": "in a user namespace"}.get(
            kind, f"as user {self.owner[0]}"
        )

    def own(self, path: Path) -> None:
        """Gives `path` to the account, for itself alone."""
        os.chown(path, *self.owner)
        path.chmod(0o700 if path.is_dir() else 0o600)

    def reaches(self, folder: Path) -> bool:
        """Whether the account may enter `folder`'s parents, all the way down."""
        if self.spec == "same":
            return True
        return all(_may_enter(parent, self.owner) for parent in folder.resolve().parents)

    def place(self, folder: Path) -> Path:
        """Returns `folder`, made now, or the folder in its stead that the account can reach.

        A folder in its stead is named in `folder`, so that without it nobody takes up the old one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if self.reaches(folder):
            return folder
        name = folder / "place"
        if not name.exists():
            name.write_text(str(_shared() / secrets.token_hex(8)))
        return Path(name.read_text())

    def reachable(self, root: Path, *parts: str) -> Path:
        """Returns `root`, or a folder the account can reach with copies of the `parts` of it."""
        if all(self.reaches(root / part / "bin") for part in parts):
            return root
        target = _shared() / f"postgresql-{(root / parts[0]).stat().st_mtime_ns}"
        if not target.exists():
            partial = target.with_suffix(f".{os.getpid()}")
            for part in parts:
                shutil.copytree(root / part, partial / part)
            partial.rename(target)
        return target


def choose_account() -> Account:
    """Returns the account that PostgreSQL can run as here."""
    if os.geteuid() != 0 and _known(os.geteuid()):
        return Account("same", (os.geteuid(), os.getegid()))
    other = _unprivileged()
    mapped = Account(f"mapped:{other.pw_uid}:{other.pw_gid}", (os.geteuid(), os.getegid()))
    if _works(mapped):
        return mapped
    if os.geteuid() != 0:
        raise StackError(f"user {os.geteuid()} has no name in the system's list of users")
    return Account(f"switched:{other.pw_uid}:{other.pw_gid}", (other.pw_uid, other.pw_gid))


def _known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _unprivileged() -> pwd.struct_passwd:
    """`nobody`, or whoever else is not root: initdb wants its user to have a name."""
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        others = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    if not others:
        raise StackError("PostgreSQL refuses root, and the system lists no other user")
    return others[0]


def _works(account: Account) -> bool:
    probe = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), "9", account.spec]
    return subprocess.run([*probe, "/bin/true"], capture_output=True).returncode == 0  # noqa: S603


def _shared() -> Path:
    _SHARED.mkdir(mode=0o755, exist_ok=True)
    return _SHARED


def _may_enter(folder: Path, owner: tuple[int, int]) -> bool:
    status = folder.stat()
    if status.st_uid == owner[0]:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == owner[1]:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
