"""What a tenant's filters leave of what a client asks a model."""

from dataclasses import replace
from typing import Any

import orjson

from turnpike.agent_runtime.completions.model import Question
from turnpike.agent_runtime.filters.screens import Screen


def screened(screen: Screen, question: Question) -> Question:
    """Returns a question as filters leave what people say in it: the messages of users.

    A message that no filter masks stays as the client wrote it, byte for byte.

    Raises:
        TextRefusedError: A filter refuses it.
        InvalidArgumentError: It can not be searched.
    """
    messages = [_screened(screen, i, each) for i, each in enumerate(question.messages)]
    return replace(question, messages=messages)


def _screened(screen: Screen, index: int, message: bytes) -> bytes:
    said: dict[str, Any] = orjson.loads(message)
    if said.get("role") != "user":
        return message
    field = f"messages[{index}].content"
    content = said.get("content")
    if isinstance(content, list):
        parts: list[dict[str, Any]] = content
        left: Any = [_part(screen, field, each) for each in parts]
    else:
        left = screen.value(field, content)
    return message if left == content else orjson.dumps({**said, "content": left})


def _part(screen: Screen, field: str, part: dict[str, Any]) -> dict[str, Any]:
    """Returns what is left of a text; pictures and files are none."""
    if "text" not in part:
        return part
    return {**part, "text": screen.value(field, part["text"])}
