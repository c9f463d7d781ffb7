"""What processes use: processor time and memory, from /proc."""

import os
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def descendants(pids: Iterable[int]) -> set[int]:
    """Returns processes and all that they started."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := stat_of(int(folder.name))):
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: set[int] = set()
    left = list(pids)
    while left:
        pid = left.pop()
        if pid not in found:
            found.add(pid)
            left += children.get(pid, [])
    return found


def stat_of(pid: int) -> list[str]:
    """Returns the fields of a process's state after its name; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def processor_seconds(pids: Iterable[int]) -> float:
    """Returns how long processes have computed."""
    fields = (stat_of(pid) for pid in pids)
    return sum(int(each[11]) + int(each[12]) for each in fields if each) / TICKS


def memory_megabytes(pids: Iterable[int]) -> float:
    """Returns what processes hold, shared memory by its share (PSS)."""
    return sum(proportional_kilobytes(pid) for pid in pids) / 1000


def proportional_kilobytes(pid: int) -> int:
    """Returns a process's PSS; nothing when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def name_of(pid: int) -> str:
    """Returns the program that a process runs."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
