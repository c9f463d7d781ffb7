"""What came of a call, as `tools/call` answers it."""

from typing import Any

import orjson

from turnpike.api.agent_runtime.v1.turn_pb2 import TOOL_OUTCOME_OK, TURN_STATUS_COMPLETED, Turn

_TURN = "turnpike/turn"
_THREAD = "turnpike/thread"
_COMPLETE = {"resultType": "complete"}


def of_call(turn: Turn) -> dict[str, Any]:
    """Returns the result of a turn of one call."""
    completed = turn.status == TURN_STATUS_COMPLETED
    content: list[Any] = []
    answer: dict[str, Any] = {"content": content, "_meta": {_TURN: turn.id}}
    for call in turn.calls:
        content += orjson.loads(call.result or "[]")
        completed = completed and call.outcome == TOOL_OUTCOME_OK
        structured = orjson.loads(call.structured or "null")
        if isinstance(structured, dict):
            answer["structuredContent"] = structured
    content += _why(turn)
    return answer | {"isError": not completed, **_COMPLETE}


def of_agent(turn: Turn) -> dict[str, Any]:
    """Returns what an agent answered, and where to go on."""
    said = [{"type": "text", "text": turn.text}] if turn.text else []
    return {
        "content": [*said, *_why(turn)],
        "isError": turn.status != TURN_STATUS_COMPLETED,
        "_meta": {_TURN: turn.id, _THREAD: turn.thread},
        **_COMPLETE,
    }


def unfit(why: str) -> dict[str, Any]:
    """Returns what a model is told whose arguments do not fit: it may mend them."""
    return {"content": [{"type": "text", "text": why}], "isError": True, **_COMPLETE}


def _why(turn: Turn) -> list[Any]:
    """Returns why a turn did not complete."""
    if not turn.HasField("error"):
        return []
    return [{"type": "text", "text": f"{turn.error.reason}: {turn.error.message}"}]
