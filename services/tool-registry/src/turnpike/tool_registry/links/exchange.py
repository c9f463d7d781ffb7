"""What a server says about one call before it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from turnpike.tool_registry.links.faults import InputRequiredError

_MOST_MESSAGE = 2000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call has come."""

    progress: float = 0.0
    total: float | None = None
    message: str = ""


Heard: TypeAlias = Callable[[Progress], None]
"""Is told of progress; must not block."""


class Exchange:
    """One call under way."""

    def __init__(self, heard: Heard, replies: Mapping[str, Any]) -> None:
        """Takes what persons gave to earlier questions, by the question's number."""
        self._heard = heard
        self._replies = replies
        self._questions = 0
        self._last = Progress()
        self._asked: dict[str, dict[str, Any]] = {}

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Takes a progress notification."""
        self._last = Progress(progress, total, (message or "")[:_MOST_MESSAGE])
        self._heard(self._last)

    def log(self, data: Any) -> None:
        """Takes a line of the server's log."""
        message = data if isinstance(data, str) else repr(data)
        self._heard(Progress(self._last.progress, self._last.total, message[:_MOST_MESSAGE]))

    def ask(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        """Takes a question to a person; returns the answer that is known, or a cancel."""
        number = str(self._questions)
        self._questions += 1
        reply = self._replies.get(number)
        if reply is None:
            self._asked[number] = asked
            return {"action": "cancel"}
        return reply

    def settled(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the answer, or raises `InputRequiredError` when a question led to it."""
        if self._asked:
            requests = {
                number: {"method": "elicitation/create", "params": asked}
                for number, asked in self._asked.items()
            }
            raise InputRequiredError(
                "the tool needs an answer from a person",
                {"inputRequests": requests, "asksAgain": True},
            )
        return answer
