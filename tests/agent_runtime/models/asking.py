"""Prompts for the tests of model clients, and what comes of them."""

from contextlib import aclosing
from uuid import uuid4

import pytest

from turnpike.agent_runtime.models.clients import Clients
from turnpike.agent_runtime.models.prompt import (
    Message,
    Model,
    ModelError,
    Piece,
    Prompt,
    ToolDefinition,
)

TRACEPARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


def prompt_for(
    url: str,
    *messages: Message,
    provider: str = "openai",
    model: str = "model-1",
    tools: tuple[ToolDefinition, ...] = (),
    api_key: str = "sk-secret",
) -> Prompt:
    reached = Model(
        tenant=uuid4(),
        name="a-model",
        provider=provider,
        model=model,
        base_url=url,
        api_key=api_key,
        prices=None,
    )
    said = messages or (Message(role="user", text="hi"),)
    return Prompt(model=reached, messages=said, tools=tools, traceparent=TRACEPARENT)


async def all_of(clients: Clients, prompt: Prompt) -> list[Piece]:
    async with aclosing(clients.client(prompt.model.provider).stream(prompt)) as stream:
        return [piece async for pieces in stream for piece in pieces]


async def failure_of(clients: Clients, prompt: Prompt) -> ModelError:
    with pytest.raises(ModelError) as failure:
        await all_of(clients, prompt)
    return failure.value
