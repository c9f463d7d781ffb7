"""What a client is told while a call runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from turnpike.api.agent_runtime.v1.event_pb2 import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something to tell."""

    progress: float
    """Rises with each."""

    total: float | None
    message: str


class Notes:
    """Turns a log into what is told of it; progress only ever rises."""

    def __init__(self, *, of_tool: bool) -> None:
        """Takes whether the log is of one call, whose own progress is what counts."""
        self._of_tool = of_tool
        self._reached = 0.0

    def of(self, events: Sequence[Event]) -> list[Note]:
        """Returns what is to be told of events."""
        return [note for event in events if (note := self._of(event)) is not None]

    def _of(self, event: Event) -> Note | None:
        match event.WhichOneof("body"):
            case "tool_progress" if self._of_tool:
                said = event.tool_progress
                return self._note(said.progress, said.total or None, said.message)
            case "tool_requested" if not self._of_tool:
                return self._step(f"calls {event.tool_requested.name}")
            case "step_started" if not self._of_tool:
                return self._step(f"asks its model, step {event.step_started.step}")
            case "model_retrying":
                return self._step(f"waits: {event.model_retrying.reason}")
            case _:
                return None

    def _step(self, message: str) -> Note | None:
        return self._note(self._reached + 1, None, message)

    def _note(self, progress: float, total: float | None, message: str) -> Note | None:
        if progress <= self._reached:
            return None
        self._reached = progress
        return Note(progress=progress, total=total, message=message)
