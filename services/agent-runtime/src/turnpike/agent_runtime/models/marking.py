"""Marking up to where a provider is to keep a prompt, in litellm's terms."""

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


def marked(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns messages with marks: on the instructions, and on the last two that we sent.

    A mark is no part of what is hashed: the next request may move it.
    """
    ours = [i for i, each in enumerate(messages) if each["role"] in ("user", "tool")]
    places = set(ours[-_SLIDING:])
    if messages and messages[0]["role"] == "system":
        places.add(0)
    return [_marked(each) if i in places else each for i, each in enumerate(messages)]


def _marked(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if message["role"] == "tool":
        return {**message, "cache_control": _MARK}
    if isinstance(content, str) and content:
        part = {"type": "text", "text": content, "cache_control": _MARK}
        return {**message, "content": [part]}
    if isinstance(content, list) and content:
        return {**message, "content": [*content[:-1], {**content[-1], "cache_control": _MARK}]}
    return message
