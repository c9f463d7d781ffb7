"""Prompts as litellm takes them: OpenAI's form, with what each provider wants besides."""

from typing import Any

import orjson

from turnpike.agent_runtime.models.marking import marked_for_litellm, places
from turnpike.agent_runtime.models.openai_wire import tools_to_wire, wire_of
from turnpike.agent_runtime.models.pictures import shown
from turnpike.agent_runtime.models.prompt import Model, ModelError, Prompt
from turnpike.agent_runtime.models.thoughts import (
    BLOCKS,
    has_thoughts,
    of_kind,
    signed_calls,
    taken,
)

# Whose signed reasoning litellm returns as it is; others would refuse the field.
_THINKERS = frozenset({"anthropic", "azure_ai", "bedrock"})
_GOOGLE = frozenset({"gemini"})


def messages_of(prompt: Prompt) -> list[dict[str, Any]]:
    """Returns a prompt's messages."""
    messages = [
        _message(shown(wire_of(message), prompt.pictures), prompt.model)
        for message in prompt.messages
    ]
    if prompt.caching.breakpoints:
        for i in places([message.role for message in prompt.messages]):
            messages[i] = marked_for_litellm(messages[i])
    return messages


def tools_of(prompt: Prompt) -> list[dict[str, Any]]:
    """Returns a prompt's tools."""
    if prompt.tools_wire:
        return orjson.loads(prompt.tools_wire)
    return orjson.loads(orjson.dumps(tools_to_wire(prompt.tools)))


def _message(wire: bytes, model: Model) -> dict[str, Any]:
    message: dict[str, Any] = orjson.loads(wire)
    _check_images(message)
    if has_thoughts(wire):
        _return_thoughts(message, model)
    for call in message.get("tool_calls") or ():
        function = call["function"]
        function["arguments"] = _object(function["arguments"])
    return message


def _check_images(message: dict[str, Any]) -> None:
    """Refuses images by address, which litellm would fetch itself for some providers."""
    content = message.get("content")
    for part in content if isinstance(content, list) else ():
        image = part.get("image_url") if isinstance(part, dict) else None
        url = image.get("url") if isinstance(image, dict) else image
        if image is not None and not str(url).startswith("data:"):
            raise ModelError(
                "MODEL_UNUSABLE", "this provider is sent images as data URLs alone", transient=False
            )


def _return_thoughts(message: dict[str, Any], model: Model) -> None:
    blocks = taken(message, model)
    if model.provider in _THINKERS:
        if thinking := of_kind(blocks, "thinking", "redacted_thinking"):
            message[BLOCKS] = thinking
    elif model.provider in _GOOGLE:
        for call, signature in signed_calls(message, blocks):
            call["provider_specific_fields"] = {"thought_signature": signature}
        if signed := [each["signature"] for each in of_kind(blocks, "text")]:
            message["provider_specific_fields"] = {"thought_signatures": signed}


def _object(arguments: str) -> str:
    """Returns the arguments as a JSON object, which most providers insist on."""
    try:
        fine = isinstance(orjson.loads(arguments or "{}"), dict)
    except orjson.JSONDecodeError:
        fine = False
    return (arguments or "{}") if fine else orjson.dumps({"arguments": arguments}).decode()
