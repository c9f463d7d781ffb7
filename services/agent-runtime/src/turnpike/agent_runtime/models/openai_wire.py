"""The OpenAI wire format: what is sent, and what its errors say."""

from collections.abc import Sequence
from typing import Any

import orjson

from turnpike.agent_runtime.models.marking import marked, places
from turnpike.agent_runtime.models.openai_thoughts import returned
from turnpike.agent_runtime.models.pictures import part, shown
from turnpike.agent_runtime.models.prompt import Message, Prompt, ToolDefinition
from turnpike.agent_runtime.models.thoughts import fields

_UNSAID = "no explanation"


def request_body(prompt: Prompt) -> bytes:
    """Returns the body of a streaming chat completion; the same prompt has the same bytes.

    What is the same for all requests of a session comes first, and the messages last: so the
    next request begins with the bytes of this one, and caches hit. A parameter that changes
    from request to request belongs after the messages.
    """
    body: dict[str, Any] = {
        "model": prompt.model.model,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    body |= _caching(prompt)
    if prompt.tools_wire:
        body["tools"] = orjson.Fragment(prompt.tools_wire)
    elif prompt.tools:
        body["tools"] = tools_to_wire(prompt.tools)
    body["messages"] = [orjson.Fragment(message) for message in _messages(prompt)]
    if prompt.model.max_output:
        # OpenAI's own newer models refuse the old name, other servers do not know the new one.
        # What is left of a budget changes from request to request.
        name = "max_tokens" if prompt.model.base_url else "max_completion_tokens"
        body[name] = prompt.model.max_output
    if prompt.parameters:
        body |= orjson.loads(prompt.parameters)
    return orjson.dumps(body)


def _messages(prompt: Prompt) -> list[bytes]:
    messages = [
        shown(returned(wire_of(message), prompt.model), prompt.pictures)
        for message in prompt.messages
    ]
    if prompt.caching.breakpoints:
        for i in places([message.role for message in prompt.messages]):
            messages[i] = orjson.dumps(marked(orjson.loads(messages[i])))
    return messages


def _caching(prompt: Prompt) -> dict[str, Any]:
    told = {
        "prompt_cache_key": prompt.caching.key,
        "prompt_cache_retention": prompt.caching.retention,
    }
    return {name: value for name, value in told.items() if value}


def tools_to_wire(tools: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
    """Returns tools as the wire has them, their schemas as they were written."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": orjson.Fragment(tool.input_schema or "{}"),
            },
        }
        for tool in tools
    ]


def wire_of(message: Message) -> bytes:
    """Returns a message's bytes in its ledgered form: the OpenAI wire's, and its thoughts."""
    return message.wire or orjson.dumps(message_to_wire(message))


def message_to_wire(message: Message) -> dict[str, Any]:
    """Returns a message in its ledgered form."""
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.text}
    wire: dict[str, Any] = {"role": message.role, "content": message.text}
    wire |= fields(message.thoughts)
    if message.pictures:
        said = [{"type": "text", "text": message.text}] if message.text else []
        wire["content"] = [*said, *(part(digest) for digest in message.pictures)]
    if message.calls:
        wire["content"] = message.text or None
        wire["tool_calls"] = [
            {
                "id": use.id,
                "type": "function",
                "function": {"name": use.name, "arguments": use.arguments},
            }
            for use in message.calls
        ]
    return wire


def error_message(document: bytes) -> tuple[str, str]:
    """Returns what the body of a provider's refusal says, and its codes."""
    try:
        body = orjson.loads(document)
    except orjson.JSONDecodeError:
        return _UNSAID, ""
    error = body.get("error", body) if isinstance(body, dict) else body
    return error_text(error), error_kind(error)


def error_kind(error: Any) -> str:
    """Returns the codes of a provider's error."""
    if not isinstance(error, dict):
        return ""
    return " ".join(str(error[name]) for name in ("type", "code", "status") if error.get(name))


def error_text(error: Any) -> str:
    """Returns what a provider's error says."""
    said = error.get("message") if isinstance(error, dict) else error
    return str(said) if said else _UNSAID
