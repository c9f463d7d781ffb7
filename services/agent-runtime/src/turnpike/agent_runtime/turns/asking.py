"""Asking a model, again or another if need be, until a step is whole."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from turnpike.agent_runtime.events.writer import LogWriter
from turnpike.agent_runtime.models.configs import Candidate
from turnpike.agent_runtime.models.prompt import Message, Model, ModelError, Prompt
from turnpike.agent_runtime.models.refusals import REASONS
from turnpike.agent_runtime.models.routing import Router
from turnpike.agent_runtime.turns.estimating import reckoned
from turnpike.agent_runtime.turns.listening import Heard, listen
from turnpike.agent_runtime.turns.model import TurnFailedError
from turnpike.api.agent_runtime.v1.event_pb2 import ModelChanged, ModelRetrying, StepStarted
from turnpike.database.failures import is_unavailable

# Each one voids what readers saw, and is paid for.
_MOST_CUTS = 3
_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 30.0
# So many of the longest waits with a slot, then the slot is given back all the same.
_WAITS_WITH_SLOT = 5
_READ_AGAIN_SECONDS = 0.2
_READ_PATIENCE_SECONDS = 30.0
# Whoever else is asked would have to say it again.
_HOPELESS = frozenset({"CONTENT_FILTERED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the phases of a turn may take."""

    first_chunk: timedelta
    idle: timedelta
    tool: timedelta
    turn: timedelta
    """How long a turn may go on without committing anything."""

    slot: timedelta = timedelta(seconds=2)
    """How long a turn keeps its slot while it waits for a provider."""


class ProviderWaitError(Exception):
    """Nobody who is left may be asked just now: the turn is to wait without a slot."""

    def __init__(self, candidate: Candidate, failure: ModelError, *, delay: float, waited: float):
        super().__init__(str(failure))
        self.credential = candidate.id
        """What the turn waits for."""

        self.failure = TurnFailedError(REASONS[failure.reason], str(failure))
        """What ends the turn if it may not wait."""

        self.delay = timedelta(seconds=delay)
        self.waited = timedelta(seconds=waited)
        """How long it was without anything committed before."""

    @property
    def event(self) -> ModelRetrying:
        """What readers are told."""
        return ModelRetrying(reason="WAITING", delay=_duration(self.delay.total_seconds()))


class Asking:
    """One step's model calls.

    A call that fails before it says anything is made again, by another credential or of another
    model if there is one, else after what the provider asks for; one that is cut is voided by a
    reset and made again, three times at most.
    """

    def __init__(
        self,
        router: Router,
        prompt: Callable[[Model, int], Awaitable[Prompt]],
        writer: LogWriter,
        *,
        step: int,
        tried: int,
        patience: Patience,
        void: Callable[[int], Awaitable[None]],
        heard_so_far: Callable[[Heard], None],
    ) -> None:
        """Takes whom to ask and what.

        Args:
            router: The ways to the model.
            prompt: Returns what a model is asked in the try of a number, once it is granted.
            writer: The turn's log.
            step: The step's number.
            tried: How often that was tried before, by whoever.
            patience: How long things may take.
            void: Voids what was said since a mark, and bills it.
            heard_so_far: Told of each attempt, for whoever must end it early.
        """
        self._router = router
        self._prompt = prompt
        self._writer = writer
        self._step = step
        self._patience = patience
        self._void = void
        self._tried = tried
        self._heard_so_far = heard_so_far
        self._began = asyncio.get_running_loop().time()
        self._mark = writer.mark()
        self._attempt, self._cuts = tried, 0
        self._waited = 0.0
        self._out: set[str] = set()
        self._rests: dict[str, float] = {}
        self._last: tuple[Candidate, ModelError] | None = None
        self._failed = ""

    async def ask(self) -> Heard:
        """Returns what the model says in one step, having written it to the log.

        Raises:
            TurnFailedError: The model cannot be had, or refuses.
            ProviderWaitError: It cannot be had just now.
        """
        while True:
            candidate = await self._next()
            self._attempt += 1
            prompt = await self._prompt(candidate.model, self._attempt)
            heard = Heard(model=candidate.model, attempt=self._attempt)
            self._heard_so_far(heard)
            self._say_started(prompt)
            try:
                await self._listen(candidate, prompt, heard)
            except ModelError as error:
                await self._recover(candidate, heard, error)
            else:
                return heard

    async def _listen(self, candidate: Candidate, prompt: Prompt, heard: Heard) -> None:
        async with aclosing(self._router.client(candidate).stream(prompt)) as stream:
            await listen(
                stream,
                self._writer,
                heard,
                first=self._patience.first_chunk,
                idle=self._patience.idle,
                on_first=lambda: self._router.answered(candidate),
            )

    async def _recover(self, candidate: Candidate, heard: Heard, error: ModelError) -> None:
        """Makes ready for the next call, or says why there is none."""
        heard.failed = True
        self._cuts += heard.anything
        self._last = candidate, error
        self._failed = candidate.id
        if error.reason in _HOPELESS or self._cuts > _MOST_CUTS:
            raise _failure(error) from error
        if not error.transient:
            self._out.add(candidate.id)
        now = asyncio.get_running_loop().time()
        rests = await self._router.failed(
            candidate, error, _delay(error, self._attempt - self._tried)
        )
        self._rests[candidate.id] = now + rests
        if error.reason == "CONTEXT_LENGTH":
            await self._leave_smaller(candidate)
        if heard.is_paid:
            # Of this step nothing is left then, not even that it began.
            await self._void(self._mark)
            self._mark = self._writer.mark()

    async def _leave_smaller(self, candidate: Candidate) -> None:
        window = candidate.model.context_window
        for each in await self._candidates():
            if each.model.context_window <= window:
                self._out.add(each.id)

    async def _next(self) -> Candidate:
        """Returns who is asked next, once they may be."""
        while True:
            left = [each for each in await self._candidates() if each.id not in self._out]
            if not left:
                raise self._given_up()
            # Whoever failed just now may have rested by now, and is asked after all others.
            left.sort(key=lambda each: each.id == self._failed)
            soonest, shortest = left[0], math.inf
            for candidate in left:
                wait = await self._wait_for(candidate)
                if not wait:
                    await self._router.take(candidate)
                    self._say_next(candidate)
                    return candidate
                if wait < shortest:
                    soonest, shortest = candidate, wait
            await self._wait(soonest, shortest)

    async def _candidates(self) -> list[Candidate]:
        """Reads who there is; a database that is away is waited for, and never guessed."""
        give_up_at = asyncio.get_running_loop().time() + _READ_PATIENCE_SECONDS
        while True:
            try:
                return await self._router.candidates()
            except ModelError as error:
                raise _failure(error) from error
            except Exception as error:
                if not is_unavailable(error) or asyncio.get_running_loop().time() > give_up_at:
                    raise
            await asyncio.sleep(_READ_AGAIN_SECONDS)

    async def _wait_for(self, candidate: Candidate) -> float:
        now = asyncio.get_running_loop().time()
        rests = max(self._router.rests(candidate), self._rests.get(candidate.id, 0.0) - now)
        return rests if rests > 0 else await self._router.must_wait(candidate)

    async def _wait(self, candidate: Candidate, seconds: float) -> None:
        """Waits with the slot for a little, or says that the turn is to wait without one."""
        loop = asyncio.get_running_loop()
        error = self._last[1] if self._last else _resting()
        since = loop.time() - self._began
        if since + seconds > self._patience.turn.total_seconds():
            raise _failure(error) from error
        most = self._patience.slot.total_seconds()
        if seconds > most or self._waited + seconds > most * _WAITS_WITH_SLOT:
            raise ProviderWaitError(candidate, error, delay=seconds, waited=since) from error
        self._say_retrying(error, seconds)
        self._waited += seconds
        await asyncio.sleep(seconds)
        self._failed = ""
        self._last = self._last and (candidate, error)

    def _given_up(self) -> TurnFailedError:
        if self._last is None:
            return TurnFailedError("MODEL_UNUSABLE", "there is no model to ask")
        return _failure(self._last[1])

    def _say_started(self, prompt: Prompt) -> None:
        started = StepStarted(
            step=self._step,
            attempt=self._attempt,
            model=prompt.model.name,
            prompt_tokens=reckoned(prompt.messages),
            own_key=prompt.model.costs_nothing,
        )
        self._writer.emit(step_started=started)

    def _say_next(self, candidate: Candidate) -> None:
        """Tells readers that it goes on elsewhere."""
        if self._last is None:
            return
        before, error = self._last
        if before.model.name != candidate.model.name:
            changed = ModelChanged(
                **{"reason": error.reason, "from": before.model.name, "to": candidate.model.name}
            )
            self._writer.emit(model_changed=changed)
        elif before.id != candidate.id:
            self._say_retrying(error, 0.0)

    def _say_retrying(self, error: ModelError, seconds: float) -> None:
        retrying = ModelRetrying(
            reason=error.reason, delay=_duration(seconds), attempt=self._attempt
        )
        self._writer.emit(model_retrying=retrying)


def prompt_bytes(messages: Sequence[Message]) -> int:
    """Returns about how many bytes a prompt has."""
    return sum(len(m.text) + sum(len(use.arguments) for use in m.calls) for m in messages)


def _failure(error: ModelError) -> TurnFailedError:
    return TurnFailedError(REASONS[error.reason], str(error))


def _resting() -> ModelError:
    return ModelError("RATE_LIMITED", "the provider asked to be left alone", transient=True)


def _delay(error: ModelError, attempt: int) -> float:
    if error.retry_after is not None:
        return max(error.retry_after, 0.0)
    return min(_FIRST_DELAY_SECONDS * 2 ** min(attempt - 1, 10), _LONGEST_DELAY_SECONDS)


def _duration(seconds: float) -> Duration:
    wait = Duration()
    wait.FromTimedelta(timedelta(seconds=seconds))
    return wait
