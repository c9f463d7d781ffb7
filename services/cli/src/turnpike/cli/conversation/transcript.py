"""Writes a turn's events down for a person, as they come."""

import json
import sys
from typing import TextIO

from turnpike.cli.conversation.asking import told
from turnpike.cli.conversation.fold import Fold
from turnpike.cli.conversation.frames import Event
from turnpike.cli.terminal import Terminal

_LONGEST_ARGUMENTS = 200


class Transcript:
    """One turn on a terminal: the answer on stdout, all about it on stderr.

    What is written cannot be taken back: after a reset the text that still counts is written again,
    below a line that says so. With `--json` the events themselves are written, one a line.
    """

    def __init__(self, fold: Fold, terminal: Terminal) -> None:
        self._fold = fold
        self._terminal = terminal
        self._at_line_start = True

    def write(self, event: Event) -> None:
        """Writes what `event`, already folded, changes."""
        if self._terminal.as_json:
            self._terminal.result(event.fields, "")
            return
        match event.type:
            case "text.delta":
                self._print(str(event.fields["text"]), sys.stdout)
            case "log.reset":
                self._reset()
            case "turn.finished":
                self._finish(event)
            case _:
                self._note(event)

    def _note(self, event: Event) -> None:
        fields = event.fields
        match event.type:
            case "tool.requested":
                arguments = json.dumps(fields.get("arguments"), ensure_ascii=False)
                self._line(f"→ {fields['name']} {_shortened(arguments)}")
            case "tool.finished":
                self._line(f"← {self._fold.call(fields['call_id']).name}: {fields['outcome']}")
            case "tool.progress":
                self._line(f"… {fields.get('message') or fields.get('progress')}")
            case "approval.required" | "approval.decided" | "admission.waiting":
                for line in told(event):
                    self._line(line)
            case "model.retrying":
                self._line(f"the model is asked again: {fields.get('reason')}")
            case _:
                return

    def _reset(self) -> None:
        text = self._fold.text()
        self._line("the answer was interrupted, and goes on:" if text else "the answer starts over")
        self._print(text, sys.stdout)

    def _finish(self, event: Event) -> None:
        self._end_line()
        status, error = event.fields.get("status"), event.fields.get("error") or {}
        if status != "COMPLETED":
            reason = " ".join(part for part in (error.get("reason"), error.get("message")) if part)
            self._line(f"turn {status}{': ' if reason else ''}{reason}")

    def _line(self, text: str) -> None:
        self._end_line()
        self._print(f"{text}\n", sys.stderr)

    def _end_line(self) -> None:
        if not self._at_line_start:
            self._print("\n", sys.stdout)

    def _print(self, text: str, stream: TextIO) -> None:
        if text:
            stream.write(text)
            stream.flush()
            self._at_line_start = text.endswith("\n")


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_ARGUMENTS else f"{text[:_LONGEST_ARGUMENTS]}…"
