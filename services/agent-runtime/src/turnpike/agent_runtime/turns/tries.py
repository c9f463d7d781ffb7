"""The tries at a turn's model calls: granted before each, and paid for when it is voided."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

from turnpike.agent_runtime.events.model import Batch, Claim
from turnpike.agent_runtime.events.writer import Body, LogWriter
from turnpike.agent_runtime.models.configs import Wanted
from turnpike.agent_runtime.models.prompt import Model, Prompt
from turnpike.agent_runtime.models.routing import Router
from turnpike.agent_runtime.turns import stating
from turnpike.agent_runtime.turns.allowance import Allowance
from turnpike.agent_runtime.turns.asking import Asking, Patience
from turnpike.agent_runtime.turns.counting import observe_first_delta
from turnpike.agent_runtime.turns.course import Course
from turnpike.agent_runtime.turns.model import FREE, Rate, Spend, Turn
from turnpike.agent_runtime.turns.parts import Parts
from turnpike.agent_runtime.turns.preparing import Prepared
from turnpike.telemetry import span, traceparent


class Tries:
    """Asks a turn's models, for one claim; what each try says goes into its course."""

    def __init__(
        self,
        parts: Parts,
        claim: Claim,
        turn: Turn,
        prepared: Prepared,
        allowance: Allowance,
        course: Course,
        writer: LogWriter,
    ) -> None:
        self._parts = parts
        self._claim = claim
        self._turn = turn
        self._prepared = prepared
        self._allowance = allowance
        self._course = course
        self._writer = writer
        wanted = Wanted(
            tenant=turn.tenant,
            principal=turn.principal,
            name=prepared.model_name,
            turn=turn.id,
            thread=turn.thread,
        )
        self._router = Router(
            parts.ways, wanted, turn=turn.id, fence=claim.fence, known=prepared.choice
        )
        self._granting: asyncio.Future[int | None] | None = None

    @property
    def rate(self) -> Rate:
        """What the model that is asked costs."""
        model = self._course.model
        return FREE if model.costs_nothing else self._allowance.rate(model.name)

    async def ask(self, number: int) -> None:
        """Asks for a step until it is whole.

        Raises:
            TurnFailedError: Nobody can say it.
            ProviderWaitError: Nobody may be asked just now.
        """
        model = self._course.model
        with span(f"chat {model.model}", "client", _asking(model, number)) as asking:
            heard = await Asking(
                self._router,
                partial(self._prompt, number),
                self._writer,
                step=number,
                tried=self._tried(number),
                patience=self._patience(number),
                void=self._void,
                heard_so_far=self._course.hear,
            ).ask()
            if number == 1:
                observe_first_delta(self._turn.created, heard.began, heard.first_delta)
            asking.set("gen_ai.response.model", self._course.model.model)
            used = self._course.reply(self.rate).usage
            asking.set("gen_ai.usage.input_tokens", used.input_tokens)
            asking.set("gen_ai.usage.output_tokens", used.output_tokens)
            asking.set("gen_ai.response.finish_reasons", heard.ended)

    def grant_ahead(self, number: int) -> None:
        """Begins to have a step's model call granted, for the `ask` that comes next."""
        granting = asyncio.ensure_future(self._limit(number))
        # Whoever is stopped meanwhile does not ask what came of it.
        granting.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._granting = granting

    def forgo_grant(self) -> None:
        """Takes back what `grant_ahead` began: nobody is going to ask."""
        granting, self._granting = self._granting, None
        if granting is not None:
            granting.cancel()

    async def void_what_was_left(self, *after: Body) -> None:
        """Voids what an owner before this one showed, and bills it for who is dead."""
        left, committed = self._prepared.left, self._turn.committed_seq
        if left is None:
            await self._writer.reset(committed, self._store_reset, *after)
        else:
            await self._reset(committed, left.spend(self._allowance.rate(left.model)), *after)

    def _patience(self, number: int) -> Patience:
        """Returns how long things may take: who waited without a slot waits no more with one."""
        patience = self._parts.patience
        waited = self._turn.waits_step == number
        return replace(patience, slot=timedelta(0)) if waited else patience

    def _tried(self, number: int) -> int:
        """Returns how often a step's model was asked by owners before this one."""
        tried = self._turn.standing.attempts(number)
        left = self._prepared.left
        return max(tried, left.attempt) if left and left.step == number else tried

    async def _limit(self, number: int, attempt: int = 0) -> int | None:
        """Has a model call granted; returns the limit of its answer."""
        estimate = self._course.estimate(self._prepared.toolset)
        return await self._allowance.cover(number, attempt or self._tried(number) + 1, estimate)

    async def _prompt(self, number: int, model: Model, attempt: int) -> Prompt:
        """Returns what a model is asked in a try of a step, once that is granted."""
        granting, self._granting = self._granting, None
        if granting is not None:
            await asyncio.wait({granting})
        ahead = model.name == self._course.model.name
        self._course.use(model)
        limit = granting.result() if granting and ahead else await self._limit(number, attempt)
        return self._course.prompt(traceparent(), limit)

    async def _void(self, mark: int) -> None:
        """Voids a try that was paid for."""
        await self._reset(mark, self._course.reply(self.rate).spend)

    async def _reset(self, mark: int, spend: Spend, *after: Body) -> None:
        async def store(batch: Batch) -> None:
            await self._allowance.kept()
            await self._parts.store.commit_void(self._claim, spend, batch)
            self._course.forget()
            self._parts.owed()

        await self._writer.reset(mark, store, *after, stating.used(spend))
        self._allowance.spent(spend.usage)

    async def _store_reset(self, batch: Batch) -> None:
        await self._parts.store.commit_log(self._claim, batch)
        self._course.forget()


def _asking(model: Model, step: int) -> dict[str, str | int]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": model.provider,
        "gen_ai.request.model": model.model,
        "turnpike.step": step,
    }
