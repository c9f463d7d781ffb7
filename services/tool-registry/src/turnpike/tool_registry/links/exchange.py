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

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._last = Progress()
        self._asked: list[dict[str, Any]] = []

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Takes a progress notification."""
        self._last = Progress(progress, total, (message or "")[:_MOST_MESSAGE])
        self._heard(self._last)

    def log(self, data: Any) -> None:
        """Takes a line of the server's log."""
        message = data if isinstance(data, str) else repr(data)
        self._heard(Progress(self._last.progress, self._last.total, message[:_MOST_MESSAGE]))

    def ask(self, asked: dict[str, Any]) -> None:
        """Takes a question to a person, which was answered with a cancel."""
        self._asked.append(asked)

    def settled(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the answer, or raises `InputRequiredError` when a question led to it."""
        if self._asked:
            requests = {
                str(number): {"method": "elicitation/create", "params": asked}
                for number, asked in enumerate(self._asked)
            }
            raise InputRequiredError(
                "the tool needs an answer from a person", {"inputRequests": requests}
            )
        return answer
