"""How many tokens a prompt has at most, before a provider has counted it.

No token is shorter than a byte, so a text's bytes are never too few. What a provider has
counted once counts as it said: only what came after is taken by its bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from turnpike.agent_runtime.models.prompt import Message, ToolDefinition
from turnpike.agent_runtime.tools.toolset import Tool
from turnpike.agent_runtime.turns.attaching import PICTURE_TOKENS

DEFAULT_MAX_OUTPUT = 8192
"""How much a model may answer when its configuration does not say."""

_AROUND = 16
"""What a wire format or a chat template puts around a message, a call or a tool."""

BYTES_PER_TOKEN = 4
"""Of what nobody counted, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one model call may use at most."""

    model: str
    """The model's name in its tenant."""

    input_tokens: int
    max_output_tokens: int


def text_bound(text: str) -> int:
    """Returns how many tokens a text of one message has at most."""
    return len(text.encode()) + _AROUND


def messages_bound(messages: Iterable[Message]) -> int:
    """Returns how many tokens messages have at most."""
    return sum(
        text_bound(message.text)
        + PICTURE_TOKENS * len(message.pictures)
        + sum(
            text_bound(use.arguments) + len(use.name.encode()) + len(use.id)
            for use in message.calls
        )
        for message in messages
    )


def tools_bound(tools: Sequence[ToolDefinition]) -> int:
    """Returns how many tokens tools' definitions have at most."""
    return sum(
        text_bound(tool.description) + len(tool.name) + len(tool.input_schema.encode())
        for tool in tools
    )


def tools_reckoned(tools: Iterable[Tool]) -> int:
    """Returns about how many tokens tools' definitions have."""
    said = sum(len(t.name) + len(t.description) + len(t.input_schema) for t in tools)
    return said // BYTES_PER_TOKEN


def reckoned(messages: Iterable[Message]) -> int:
    """Returns about how many tokens messages have: what a call that reported nothing is billed."""
    said = sum(len(m.text) + sum(len(use.arguments) for use in m.calls) for m in messages)
    return said // BYTES_PER_TOKEN
