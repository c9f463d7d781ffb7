"""Asking a model, again if need be, until a step is whole."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from turnpike.agent_runtime.events.writer import LogWriter
from turnpike.agent_runtime.models.prompt import Message, ModelClient, ModelError, Prompt
from turnpike.agent_runtime.models.refusals import REASONS
from turnpike.agent_runtime.turns.estimating import reckoned
from turnpike.agent_runtime.turns.listening import Heard, listen
from turnpike.agent_runtime.turns.model import TurnFailedError
from turnpike.api.agent_runtime.v1.event_pb2 import ModelRetrying, StepStarted

# Each one voids what readers saw, and is paid for.
_MOST_CUTS = 3
_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the phases of a turn may take."""

    first_chunk: timedelta
    idle: timedelta
    tool: timedelta
    turn: timedelta
    """How long a turn may go on without committing anything."""


Void = Callable[[int, int], Awaitable[Prompt]]
"""Voids what was said since a mark and bills it; returns what to ask in the try of a number."""


async def ask(
    client: ModelClient,
    prompt: Prompt,
    writer: LogWriter,
    *,
    step: int,
    tried: int,
    patience: Patience,
    void: Void,
    heard_so_far: Callable[[Heard], None],
) -> Heard:
    """Returns what the model says in one step, having written it to the log.

    A call that fails before it says anything is made again, after what the
    provider asks for, for as long as the turn may take; one that is cut is voided
    by a reset and made again, three times at most.

    Args:
        client: The way to the model.
        prompt: What it is asked.
        writer: The turn's log.
        step: The step's number.
        tried: How often that was tried before, by whoever.
        patience: How long things may take.
        void: Voids a try that was paid for.
        heard_so_far: Told of each attempt, for whoever must end it early.

    Raises:
        TurnFailedError: The model cannot be had, or refuses.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + patience.turn.total_seconds()
    mark, attempt, cuts = writer.mark(), tried, 0
    while True:
        attempt += 1
        heard = Heard(attempt=attempt)
        heard_so_far(heard)
        _say_started(writer, step, attempt, prompt)
        try:
            async with aclosing(client.stream(prompt)) as stream:
                await listen(stream, writer, heard, first=patience.first_chunk, idle=patience.idle)
        except ModelError as error:
            heard.failed = True
            delay = _delay(error, attempt - tried)
            cuts += heard.anything
            if not error.transient or cuts > _MOST_CUTS or loop.time() + delay > give_up_at:
                raise TurnFailedError(REASONS[error.reason], str(error)) from error
            if heard.is_paid:
                # Of this step nothing is left then, not even that it began.
                prompt = await void(mark, attempt + 1)
                mark = writer.mark()
            _say_retrying(writer, error, delay)
            await asyncio.sleep(delay)
            continue
        return heard


def prompt_bytes(messages: Sequence[Message]) -> int:
    """Returns about how many bytes a prompt has."""
    return sum(len(m.text) + sum(len(use.arguments) for use in m.calls) for m in messages)


def _say_started(writer: LogWriter, step: int, attempt: int, prompt: Prompt) -> None:
    writer.emit(
        step_started=StepStarted(
            step=step,
            attempt=attempt,
            model=prompt.model.name,
            prompt_tokens=reckoned(prompt.messages),
        )
    )


def _say_retrying(writer: LogWriter, error: ModelError, delay: float) -> None:
    wait = Duration()
    wait.FromTimedelta(timedelta(seconds=delay))
    writer.emit(model_retrying=ModelRetrying(reason=error.reason, delay=wait))


def _delay(error: ModelError, attempt: int) -> float:
    if error.retry_after is not None:
        return max(error.retry_after, 0.0)
    return min(_FIRST_DELAY_SECONDS * 2 ** min(attempt - 1, 10), _LONGEST_DELAY_SECONDS)
