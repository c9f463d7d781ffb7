"""Marking up to where a provider is to keep a prompt."""

from collections.abc import Sequence
from typing import Any

from turnpike.agent_runtime.models.prompt import Caching

_MARK = {"type": "ephemeral"}
# Anthropic takes four marks. It finds a prefix that an earlier mark kept within twenty
# blocks before a later one, so two that slide with the conversation are enough.
_SLIDING = 2


def cache_arguments(caching: Caching) -> dict[str, Any]:
    """Returns the arguments that litellm passes on to a provider that takes them."""
    given = {
        "prompt_cache_key": caching.key,
        "prompt_cache_retention": caching.retention,
    }
    return {name: value for name, value in given.items() if value}


def places(roles: Sequence[str]) -> set[int]:
    """Returns which messages are marked: the instructions, and the last two that we sent.

    A mark is no part of what is hashed: the next request may move it.
    """
    ours = [i for i, role in enumerate(roles) if role in ("user", "tool")]
    first = {0} if roles and roles[0] == "system" else set[int]()
    return first | set(ours[-_SLIDING:])


def marked(message: dict[str, Any]) -> dict[str, Any]:
    """Returns a message with a mark at its end, where OpenRouter looks for it."""
    content = message.get("content")
    if isinstance(content, str) and content:
        part = {"type": "text", "text": content, "cache_control": _MARK}
        return {**message, "content": [part]}
    if isinstance(content, list) and content:
        return {**message, "content": [*content[:-1], {**content[-1], "cache_control": _MARK}]}
    return message


def marked_for_litellm(message: dict[str, Any]) -> dict[str, Any]:
    """Returns a message with a mark at its end, where litellm looks for it."""
    if message["role"] == "tool":
        return {**message, "cache_control": _MARK}
    return marked(message)
