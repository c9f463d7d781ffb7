"""What was looked at, and what was found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` says what to do when it is not `ok`."""

    subject: str
    ok: bool
    detail: str
    advice: str = ""

    def __str__(self) -> str:
        """Returns it as one line for people."""
        advice = f" — {self.advice}" if self.advice and not self.ok else ""
        return f"{'ok  ' if self.ok else 'fail'}  {self.subject}: {self.detail}{advice}"
