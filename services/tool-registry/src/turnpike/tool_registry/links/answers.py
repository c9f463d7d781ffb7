"""What a server's answer to `tools/call` is: a result, a task, or a question."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from turnpike.tool_registry.links.faults import InputRequiredError

Result: TypeAlias = Mapping[str, Any]

_POLL_SECONDS = 1.0
_LEAST_SECONDS, _MOST_SECONDS = 0.1, 30.0


@dataclass(frozen=True, slots=True)
class Task:
    """A call that the server goes on with, connection or none."""

    id: str
    status: str
    pause: float
    """Seconds to wait before it is asked after again."""

    message: str
    result: Result | None
    """Given with its end, by servers that do so."""

    requests: Result = field(default_factory=dict[str, Any])
    """What it asks of a person while it waits for that."""

    @property
    def is_over(self) -> bool:
        """Whether it will not change any more."""
        return self.status in ("completed", "failed", "cancelled")


def to_task(answer: Result) -> Task | None:
    """Returns the task that an answer speaks of; None when it is a plain result.

    Raises:
        InputRequiredError: The answer is a question.
    """
    if answer.get("resultType") == "input_required":
        wanted = {key: answer[key] for key in ("inputRequests", "requestState") if key in answer}
        raise InputRequiredError("the tool needs an answer from a person", wanted)
    nested = answer.get("task")
    shown = cast("Result", nested) if isinstance(nested, dict) else answer
    identity = shown.get("taskId")
    if not isinstance(identity, str) or not identity:
        return None
    result, requests = answer.get("result"), shown.get("inputRequests")
    return Task(
        id=identity,
        status=str(shown.get("status", "working")),
        pause=_pause(shown),
        message=str(shown.get("statusMessage") or ""),
        result=cast("Result", result) if isinstance(result, dict) else None,
        requests=cast("Result", requests) if isinstance(requests, dict) else {},
    )


def _pause(shown: Result) -> float:
    given = shown.get("pollIntervalMs", shown.get("pollInterval"))
    seconds = given / 1000 if isinstance(given, int | float) else _POLL_SECONDS
    return min(max(seconds, _LEAST_SECONDS), _MOST_SECONDS)
