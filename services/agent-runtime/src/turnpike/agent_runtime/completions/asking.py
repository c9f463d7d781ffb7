"""Asking a model for a client: let in, told as it comes, settled whatever happens."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from turnpike.agent_runtime.completions.admission import Admitted, Door
from turnpike.agent_runtime.completions.errors import told as failed
from turnpike.agent_runtime.completions.keeping import Kept
from turnpike.agent_runtime.completions.model import Question, Told
from turnpike.agent_runtime.completions.settling import Settlement
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    Model,
    ModelClient,
    ModelError,
    Piece,
    UsagePiece,
)
from turnpike.agent_runtime.prefix.clients import ClientSessions
from turnpike.agent_runtime.refusing import NotAdmittedError
from turnpike.rpc.errors import ForbiddenError, RemoteError

logger = logging.getLogger(__name__)

# Another model would say the same of it.
_OF_THE_QUESTION = frozenset({"CONTENT_FILTERED", "PROVIDER_ERROR"})
_RENEWAL_SECONDS = 0.5
_LAST_WORDS_SECONDS = 2.0
_LAST_SETTLEMENTS_SECONDS = 5.0

Choices = Callable[[Question], Awaitable[tuple[Question, Sequence[Model]]]]
"""Returns a question as its tenant's filters leave it, and the models that its name means, the
first choice first.

Raises `ModelError` when they are unusable, and what filters raise.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a model may say nothing."""

    first: timedelta
    idle: timedelta


class Completions:
    """Proxied calls. `serve` must be running.

    Args:
        replica: The id of this process, to gatekeeper.
        door: Lets calls in, and settles them.
        choices: See `Choices`.
        client: Returns the way to a provider's models.
        sessions: The ledgers of clients' conversations.
        settlement: Returns what settles a call.
        patience: How long a model may say nothing.
    """

    def __init__(
        self,
        *,
        replica: UUID,
        door: Door,
        choices: Choices,
        client: Callable[[str], ModelClient],
        sessions: ClientSessions,
        settlement: Callable[[Admitted], Settlement],
        patience: Patience,
    ) -> None:
        self._replica = replica
        self._door = door
        self._choices = choices
        self._client = client
        self._sessions = sessions
        self._settlement = settlement
        self._patience = patience
        self._running: dict[UUID, Admitted] = {}
        self._stopped: dict[UUID, str] = {}
        self._waits: dict[UUID, asyncio.Timeout] = {}
        self._group: asyncio.TaskGroup | None = None

    async def serve(self) -> None:
        """Keeps the slots of the calls under way; once cancelled it settles what ended last."""
        settling: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            self._group, self._settling = group, settling
            try:
                while True:
                    await asyncio.sleep(_RENEWAL_SECONDS)
                    await self._renew()
            finally:
                self._group = None
                if settling:
                    await asyncio.wait(set(settling), timeout=_LAST_SETTLEMENTS_SECONDS)

    async def ask(self, question: Question) -> AsyncGenerator[list[Piece]]:
        """Yields what a model says: all that arrived together, as one list.

        What was used is the last but one piece, the end the last. Closing it ends
        the provider's call, and settles what was used until then.

        Raises:
            NotFoundError: There is no such model.
            TextRefusedError: A filter of the tenant's refuses what is said.
            AgentRuntimeError: The call failed.
            NotAdmittedError: It was not admitted.
        """
        question, models = await self._models(question)
        admitted = await self._admit(question, models)
        told = Told()
        settlement = self._settlement(admitted)
        self._running[question.id] = admitted
        self._spawn(settlement.begin())
        try:
            async with aclosing(self._answer(admitted, models, told)) as answer:
                async for pieces in answer:
                    yield pieces
        except ModelError as error:
            raise failed(error) from error
        finally:
            self._running.pop(question.id, None)
            self._stopped.pop(question.id, None)
            self._spawn(settlement.end(told))

    async def _admit(self, question: Question, models: Sequence[Model]) -> Admitted:
        try:
            return await self._door.admit(question, models)
        except RemoteError as refusal:
            raise NotAdmittedError(refusal, question.id) from refusal

    async def _models(self, question: Question) -> tuple[Question, Sequence[Model]]:
        try:
            question, models = await self._choices(question)
        except ModelError as error:
            raise failed(error) from error
        if not models:
            raise NotFoundError("model", question.model)
        return question, models

    async def _answer(
        self, admitted: Admitted, models: Sequence[Model], told: Told
    ) -> AsyncGenerator[list[Piece]]:
        """Yields one model's answer and its end: the first's that says anything."""
        *others, last = models
        for model in others:
            try:
                async with aclosing(self._asked(admitted, model, told)) as answer:
                    async for pieces in answer:
                        yield pieces
            except ModelError as error:
                if told.pieces or error.reason in _OF_THE_QUESTION:
                    raise
                logger.info("model %s is passed over: %s", model.name, error.reason)
            else:
                return
        async with aclosing(self._asked(admitted, last, told)) as answer:
            async for pieces in answer:
                yield pieces

    async def _asked(
        self, admitted: Admitted, model: Model, told: Told
    ) -> AsyncGenerator[list[Piece]]:
        question = admitted.question
        if admitted.max_output:
            model = replace(model, max_output=admitted.max_output)
        told.model = model
        kept = Kept(self._sessions, question, model)
        prompt = await kept.begin()
        try:
            async with (
                aclosing(self._client(model.provider).stream(prompt)) as stream,
                aclosing(self._heard(stream, told, question.id)) as heard,
            ):
                async for pieces in heard:
                    yield pieces
                used, _ = told.used(question.size)
                yield [used, EndPiece(told.stop())]
        finally:
            # After the end: the client's stream is no longer by what is kept of it.
            kept.end(told)

    async def _heard(
        self, stream: AsyncGenerator[list[Piece]], heard: Told, call: UUID
    ) -> AsyncGenerator[list[Piece]]:
        patience = self._patience.first.total_seconds()
        while (pieces := await self._next(stream, patience, call)) is not None:
            heard.hear(pieces)
            self._check(call)
            said: list[Piece] = [p for p in pieces if not isinstance(p, UsagePiece | EndPiece)]
            if said:
                yield said
            if heard.ended:
                await _hear_usage(stream, heard)
                return
            if heard.pieces:
                patience = self._patience.idle.total_seconds()
        raise ModelError("PROVIDER_UNREACHABLE", "the answer was cut", transient=True)

    async def _next(
        self, stream: AsyncGenerator[list[Piece]], seconds: float, call: UUID
    ) -> list[Piece] | None:
        try:
            async with asyncio.timeout(seconds) as wait:
                self._waits[call] = wait
                self._check(call)
                return await anext(stream, None)
        except TimeoutError:
            self._check(call)
            message = f"the model said nothing for {seconds:.0f} s"
            raise ModelError("TIMEOUT", message, transient=True) from None
        finally:
            self._waits.pop(call, None)

    def _check(self, call: UUID) -> None:
        if reason := self._stopped.get(call):
            raise ForbiddenError("the call was stopped", reason=reason)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        if self._group is None:
            # Stopping: what is owed already stands.
            work.close()
            return
        task = self._group.create_task(work)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _renew(self) -> None:
        if not self._running:
            return
        try:
            revoked = await self._door.renew(self._replica, list(self._running.values()))
        except RemoteError as error:
            logger.warning("slots are not renewed: %s", error)
            return
        self._stopped |= {call: why for call, why in revoked.items() if call in self._running}
        for call in revoked:
            # Who waits for a silent model is not to wait on.
            if (wait := self._waits.get(call)) and not wait.expired():
                wait.reschedule(asyncio.get_running_loop().time())


async def _hear_usage(stream: AsyncGenerator[list[Piece]], heard: Told) -> None:
    if heard.usage is not None:
        return
    try:
        async with asyncio.timeout(_LAST_WORDS_SECONDS):
            async for pieces in stream:
                heard.hear(pieces)
                if heard.usage is not None:
                    return
    except (ModelError, TimeoutError):
        # The answer is whole; what it used is reckoned.
        return
