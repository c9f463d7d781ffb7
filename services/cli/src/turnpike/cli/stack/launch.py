"""Becomes another program that dies with its parent. Run by path, with the standard library alone.

`launch.py PARENT SIGNAL ACCOUNT PROGRAM [ARGUMENT…]`: PARENT is the pid of the caller, SIGNAL what
the program is sent when that process is gone, ACCOUNT who runs it (`stack/accounts.py`).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000


def main() -> None:
    """Takes the account, ties the process to its parent, and becomes the program."""
    parent, death_signal, account = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    program = sys.argv[4:]
    take_account(account)
    # After the change of account, which would clear it.
    die_with(parent, death_signal)
    # Python ignores these, and what is ignored stays ignored across exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(program[0], program)  # noqa: S606 # no shell is wanted
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


def die_with(parent: int, death_signal: int) -> None:
    """Has the kernel send this process `death_signal` when its parent's thread is gone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    # The parent may have died before the kernel was told to watch it.
    if os.getppid() != parent:
        sys.exit("the process that asked for this one is gone")


def take_account(account: str) -> None:
    """Goes over to `same`, `mapped:UID:GID` (in a user namespace) or `switched:UID:GID`."""
    if account == "same":
        return
    kind, uid, gid = account.split(":")
    if kind == "mapped":
        map_account(int(uid), int(gid))
    else:
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))


def map_account(uid: int, gid: int) -> None:
    """Enters a user namespace in which the same account goes by another number."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        sys.exit(f"unshare: {os.strerror(ctypes.get_errno())}")
    try:
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{uid} {outer_uid} 1")
        write("/proc/self/gid_map", f"{gid} {outer_gid} 1")
    except OSError as error:
        sys.exit(f"mapping the user: {error.strerror}")


def write(path: str, text: str) -> None:
    """Writes `text` in one call, as the kernel's map files demand."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()
