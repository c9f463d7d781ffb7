"""Asking a model for a word, to see whether it can be asked."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta

from turnpike.agent_runtime.models.clients import Clients
from turnpike.agent_runtime.models.configs import Candidate, Models, Wanted
from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    Message,
    ModelError,
    Prompt,
    UsagePiece,
)
from turnpike.agent_runtime.models.refusals import REASONS
from turnpike.telemetry import traceparent

_SAY = Message(role="user", text="Answer with the one word: ready")
_MOST_OUTPUT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What came of asking one model: `reason` is empty when it answered."""

    model: str
    reason: str = ""
    message: str = ""
    first_event: timedelta | None = None
    own_key: bool = False


class Prober:
    """Asks models for a word."""

    def __init__(self, models: Models, clients: Clients, *, patience: timedelta) -> None:
        self._models = models
        self._clients = clients
        self._patience = patience

    async def probe(self, wanted: Wanted) -> list[Probe] | None:
        """Asks a model, or all members of a pool side by side; None when there is none."""
        try:
            choice = await self._models.choice(wanted)
        except ModelError as error:
            return [Probe(model=wanted.name, reason=REASONS[error.reason], message=str(error))]
        if choice is None:
            return None
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(each)) for each in choice.candidates]
        return [task.result() for task in tasks]

    async def _ask(self, candidate: Candidate) -> Probe:
        model = replace(candidate.model, max_output=_MOST_OUTPUT)
        prompt = Prompt(model=model, messages=(_SAY,), tools=(), traceparent=traceparent())
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                first_event = await self._first_event(prompt)
        except ModelError as error:
            return Probe(
                model=model.name,
                reason=REASONS[error.reason],
                message=str(error),
                own_key=model.own_key,
            )
        except TimeoutError:
            seconds = self._patience.total_seconds()
            return Probe(
                model=model.name,
                reason="DEADLINE_EXCEEDED",
                message=f"it did not end within {seconds:.0f} s",
                own_key=model.own_key,
            )
        return Probe(model=model.name, first_event=first_event, own_key=model.own_key)

    async def _first_event(self, prompt: Prompt) -> timedelta:
        loop = asyncio.get_running_loop()
        began, first, ended = loop.time(), None, False
        async with aclosing(self._clients.client(prompt.model.provider).stream(prompt)) as stream:
            async for pieces in stream:
                if first is None and any(not isinstance(each, UsagePiece) for each in pieces):
                    first = loop.time() - began
                ended = ended or any(isinstance(each, EndPiece) for each in pieces)
        if first is None or not ended:
            raise ModelError("PROVIDER_UNREACHABLE", "the stream was cut", transient=True)
        return timedelta(seconds=first)
