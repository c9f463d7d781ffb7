"""The planner: the model that the platform asks for itself, where there is one."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from turnpike.agent_runtime.models.configs import Candidate, Wanted
from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    Message,
    Model,
    ModelError,
    Prompt,
    ReasoningPiece,
    TextPiece,
    UsagePiece,
)
from turnpike.agent_runtime.models.routing import Router, Ways
from turnpike.telemetry import traceparent

_MOST_OUTPUT = 512
_BYTES_PER_TOKEN = 4
_FIRST_DELAY_SECONDS = 1.0


@dataclass(slots=True)
class Told:
    """One call of the planner, and what it used."""

    model: Model
    prompt_bytes: int
    text: list[str] = field(default_factory=list[str])
    pieces: int = 0
    reported: UsagePiece | None = None
    refused: bool = False
    """The call failed before it said anything: nobody pays for it."""

    @property
    def usage(self) -> UsagePiece:
        """What it used: as reported, else reckoned as every cut call is."""
        return self.reported or UsagePiece(
            input_tokens=self.prompt_bytes // _BYTES_PER_TOKEN, output_tokens=self.pieces
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What the planner said; nothing when it failed or took too long."""

    text: str
    calls: tuple[Told, ...]
    """What is to be recorded, whatever came of it."""


class Planner:
    """Asks whoever has the role; without one, or when it fails, everything goes on as before."""

    def __init__(self, ways: Ways, *, patience: timedelta) -> None:
        """Takes the ways to models, and how long all of it may take."""
        self._ways = ways
        self._patience = patience

    async def ask(
        self,
        messages: tuple[Message, ...],
        *,
        tenant: UUID,
        principal: UUID,
        turn: UUID,
        fence: int,
    ) -> Planned:
        """Returns what the planner says, for a claim of a turn. That it fails is no error.

        Each of its credentials is asked once at most, and never one that rests.
        """
        wanted = Wanted(tenant=tenant, principal=principal, name="", role="planner")
        router = Router(self._ways, wanted, turn=turn, fence=fence)
        calls: list[Told] = []
        text = ""
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                for candidate in await router.candidates():
                    if text := await self._try(router, candidate, messages, calls):
                        break
        except (ModelError, TimeoutError):
            # Nobody has the role, or whoever has it may not be asked, or is too slow.
            text = ""
        return Planned(text=text, calls=tuple(each for each in calls if not each.refused))

    async def _try(
        self,
        router: Router,
        candidate: Candidate,
        messages: tuple[Message, ...],
        calls: list[Told],
    ) -> str:
        if router.rests(candidate) or await router.must_wait(candidate):
            return ""
        model = candidate.model
        bound = min(model.max_output or _MOST_OUTPUT, _MOST_OUTPUT)
        prompt = Prompt(
            model=replace(model, max_output=bound),
            messages=messages,
            tools=(),
            traceparent=traceparent(),
        )
        told = Told(model, sum(len(each.text) for each in messages))
        calls.append(told)
        try:
            await self._hear(router, candidate, prompt, told)
        except ModelError as error:
            told.refused = not told.pieces
            wait = _FIRST_DELAY_SECONDS if error.retry_after is None else error.retry_after
            await router.failed(candidate, error, wait)
            return ""
        return "".join(told.text)

    async def _hear(self, router: Router, candidate: Candidate, prompt: Prompt, told: Told) -> None:
        ended = False
        async with aclosing(router.client(candidate).stream(prompt)) as stream:
            async for pieces in stream:
                for piece in pieces:
                    match piece:
                        case TextPiece():
                            told.text.append(piece.text)
                            told.pieces += 1
                        case UsagePiece():
                            told.reported = piece
                        case EndPiece():
                            ended = True
                        case _:
                            told.pieces += isinstance(piece, ReasoningPiece)
                if told.pieces:
                    await router.answered(candidate)
        if not ended:
            raise ModelError("PROVIDER_UNREACHABLE", "the stream was cut", transient=True)
