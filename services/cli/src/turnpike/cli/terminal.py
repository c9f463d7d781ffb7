"""What a person, or a program that gave `--json`, is told."""

import json
import os
import sys
from typing import TextIO


class Terminal:
    """Results go to stdout, the way there to stderr; with `as_json` each line is an object."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def progress(self, message: str, **facts: object) -> None:
        """Tells what happens meanwhile."""
        self._write(sys.stderr, {"event": "progress", "message": message, **facts}, message)

    def result(self, facts: object, text: str) -> None:
        """Tells what the command was called for."""
        self._write(sys.stdout, facts, text)

    def error(self, message: str, **facts: object) -> None:
        """Tells why the command fails."""
        self._write(sys.stderr, {"event": "error", "message": message, **facts}, message)

    def _write(self, stream: TextIO, facts: object, text: str) -> None:
        line = json.dumps(facts, ensure_ascii=False, default=str) if self.as_json else text
        try:
            print(line, file=stream, flush=True)
        except BrokenPipeError:
            # No reason to stop what runs.
            abandon(stream)


def abandon(stream: TextIO) -> None:
    """Goes on without the reader of `stream`, who has gone."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, stream.fileno())
    os.close(descriptor)
