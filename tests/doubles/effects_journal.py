"""What an MCP server of ours did and was asked, kept in a file that outlives it."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One line: an effect that happened, or a request that came in."""

    kind: str
    time: float
    pid: int
    tool: str = ""
    arguments: dict[str, Any] | None = None
    meta: dict[str, Any] | None = None
    headers: dict[str, str] | None = None

    @property
    def tag(self) -> str:
        """The tag that the tool was called with."""
        return str((self.arguments or {}).get("tag", ""))


class Journal:
    """A file of JSON lines, safe to append to from several processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def note(self, kind: str, **fields: Any) -> None:
        """Appends an entry; it is in the file when this returns."""
        line = json.dumps({"kind": kind, "time": time.time(), "pid": os.getpid(), **fields})
        with self.path.open("a") as file:
            file.write(line + "\n")

    def entries(self, kind: str = "") -> list[Entry]:
        """Returns the entries of a kind, or all, oldest first."""
        # A line without its end is still being written by another process.
        complete = self.path.read_text().rpartition("\n")[0]
        lines = (json.loads(line) for line in complete.splitlines())
        return [Entry(**line) for line in lines if kind in ("", line["kind"])]

    def effects(self, tag: str) -> int:
        """Counts the effects that happened under a tag."""
        return sum(entry.tag == tag for entry in self.entries("effect"))

    def counts(self) -> dict[str, int]:
        """Counts the entries of each kind."""
        entries = self.entries()
        return {kind: sum(e.kind == kind for e in entries) for kind in {e.kind for e in entries}}
