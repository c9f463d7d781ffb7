"""Driving one turn, for one claim, from where it stands to its end."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from turnpike.agent_runtime.events.model import Batch, CancelDesiredError, Claim
from turnpike.agent_runtime.events.writer import Body, LogWriter
from turnpike.agent_runtime.policy.judging import Judge, Subject
from turnpike.agent_runtime.prefix.model import Entry
from turnpike.agent_runtime.tools.builtin import SEARCH
from turnpike.agent_runtime.turns import stating
from turnpike.agent_runtime.turns.allowance import Allowance
from turnpike.agent_runtime.turns.asking import ProviderWaitError
from turnpike.agent_runtime.turns.calling import Caller
from turnpike.agent_runtime.turns.course import Course
from turnpike.agent_runtime.turns.endings import Ending, Finished
from turnpike.agent_runtime.turns.invocation import Invocation, invocation_of
from turnpike.agent_runtime.turns.loading import LOAD_SKILL
from turnpike.agent_runtime.turns.model import Reply, Step, Turn, TurnFailedError
from turnpike.agent_runtime.turns.parts import Parts
from turnpike.agent_runtime.turns.pauses import Pauses
from turnpike.agent_runtime.turns.pausing import pause_for
from turnpike.agent_runtime.turns.preparing import Prepared
from turnpike.agent_runtime.turns.reviewing import Reviewer
from turnpike.agent_runtime.turns.stopping import CANCEL, Stop
from turnpike.agent_runtime.turns.tries import Tries
from turnpike.rpc.errors import RemoteError
from turnpike.telemetry import adopt, span

_FLUSH_SECONDS = 2.0

OnEnd = Callable[[Finished], Awaitable[None]]
"""Told that the turn has ended, and what that left to be done."""

OnPause = Callable[[], Awaitable[None]]
"""Told that the turn waits for something, owned by nobody."""


class Driver:
    """Runs a turn. `run` ends when the turn has, or another claim is to go on with it."""

    def __init__(
        self,
        parts: Parts,
        claim: Claim,
        turn: Turn,
        prepared: Prepared,
        allowance: Allowance,
        *,
        on_end: OnEnd,
        on_pause: OnPause,
    ) -> None:
        self.status = ""
        """How the turn ended; empty until it has."""

        self._handing_over = False
        self._on_end = on_end
        self._parts = parts
        self._claim = claim
        self._turn = turn
        self._prepared = prepared
        self._allowance = allowance
        self._course = Course(
            turn, prepared.steps, prepared.said, prepared.model, head=prepared.head
        )
        self._stop: Stop | None = None
        self._work: asyncio.Task[None] | None = None
        self._ending = False
        self._titling: asyncio.Task[str] | None = None
        self._writer = LogWriter(
            parts.log,
            claim,
            last=prepared.last_seq,
            committed=turn.committed_seq,
            reserved=turn.reserved_seq,
            publish=lambda events: parts.tails.publish(turn.id, events),
            reserve=lambda up_to: parts.store.reserve(claim, up_to),
            may_open=parts.may_open,
        )
        subject = Subject(
            tenant=turn.tenant,
            principal=turn.principal,
            agent_version=turn.agent_version,
            policy=prepared.policy,
        )
        self._judge = Judge(parts.judges, subject)
        self._caller = Caller(
            parts.registry,
            Reviewer(prepared.toolset, self._judge, prepared.reviews, prepared.skills),
            self._writer,
            own={
                SEARCH: partial(parts.search.answer, prepared.toolset),
                LOAD_SKILL.name: prepared.skills.answer,
            },
            timeout=parts.patience.tool,
        )
        self._tries = Tries(parts, claim, turn, prepared, allowance, self._course, self._writer)
        self._pauses = Pauses(parts, claim, allowance, self._writer, on_pause=on_pause)

    def stop(self, stop: Stop) -> None:
        """Ends the turn early, keeping what was said; once it is ending this does nothing."""
        if self._stop is None and not (self._ending or self._pauses.stands):
            self._stop = stop
            if self._work is not None:
                self._work.cancel()

    def hand_over(self) -> None:
        """Ends the driver after the step that is under way; another replica goes on."""
        self._handing_over = True

    async def run(self) -> None:
        """Runs the turn to its end.

        Raises:
            FenceLostError: Another claim owns the turn.
            ExceptionGroup: Of whatever else failed; the turn is to be claimed again.
        """
        adopt(self._turn.traceparent)
        with span(f"invoke_agent {self._turn.agent}", attributes=self._attributes()):
            async with asyncio.TaskGroup() as group:
                appending = group.create_task(self._writer.run())
                await self._begin()
                if self._prepared.first:
                    self._titling = self._parts.titles.begin(self._turn, self._allowance)
                self._work = group.create_task(self._or_end(self._run, "FAILED"))
                if self._stop is not None:
                    self._work.cancel()
                await asyncio.wait({self._work})
                if self._work.cancelled() and self._stop is not None:
                    await self._end_stopped(self._stop)
                await self._flush()
                appending.cancel()

    async def end(self, stop: Stop) -> None:
        """Ends the turn without running it.

        Raises:
            FenceLostError: Another claim owns the turn.
            ExceptionGroup: Of whatever else failed; the turn is to be claimed again.
        """
        await self._state(lambda: self._end_stopped(stop))

    async def wait_for_admission(self, refusal: RemoteError) -> None:
        """Leaves a turn that was paused to wait until it is let in, or ends it.

        Raises:
            FenceLostError: Another claim owns the turn.
            ExceptionGroup: Of whatever else failed; the turn is to be claimed again.
        """
        told = self._turn.admission_reason
        waiting = partial(self._pauses.for_admission, refusal, told=told)
        await self._state(lambda: self._or_end(waiting, "EXPIRED"))

    async def _state(self, ending: Callable[[], Awaitable[None]]) -> None:
        """States what becomes of a turn that is not run, above what was left of it."""
        adopt(self._turn.traceparent)
        async with asyncio.TaskGroup() as group:
            appending = group.create_task(self._writer.run())
            if self._is_uncommitted:
                await self._tries.void_what_was_left()
            await ending()
            await self._flush()
            appending.cancel()

    async def _or_end(self, work: Callable[[], Awaitable[None]], status: str) -> None:
        """Ends the turn with `status` where the work cannot go on, or where that is desired."""
        try:
            await work()
        except TurnFailedError as error:
            await self._end_stopped(Stop(status=status, reason=error.reason, message=str(error)))
        except CancelDesiredError:
            await self._end_stopped(CANCEL)

    async def _flush(self) -> None:
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._writer.flush()
        except TimeoutError:
            # Redis is away; the log is whole in Postgres.
            return

    async def _run(self) -> None:
        try:
            await self._go_on()
        except ProviderWaitError as wait:
            await self._pauses.for_provider(wait)

    @property
    def _is_uncommitted(self) -> bool:
        """Whether an owner before this one showed what it never committed."""
        return self._prepared.last_seq > self._turn.committed_seq

    async def _begin(self) -> None:
        opening: list[Body] = []
        if self._turn.committed_seq == 0:
            opening.append(stating.started(self._turn))
            if self._prepared.compacted is not None:
                opening.append(stating.compacted(self._prepared.compacted))
        if self._is_uncommitted:
            # Together, or an owner who dies between the two leaves a log without a start.
            await self._tries.void_what_was_left(*opening)
            return
        for body in opening:
            self._writer.emit(**body)

    async def _go_on(self) -> None:
        if step := self._course.open_step:
            await self._parts.registry.announce_fence(self._course.effects(step)[0])
            if not await self._finish_step(step):
                return
        if invocation := invocation_of(self._turn.input):
            await self._call_once(invocation)
            return
        while not self._handing_over:
            number, most = len(self._course.steps) + 1, self._prepared.max_steps
            if number > most:
                raise TurnFailedError("MAX_STEPS_EXCEEDED", f"the agent may take {most} steps")
            await self._tries.ask(number)
            reply = self._course.reply(self._tries.rate)
            step = self._course.step(reply, self._prepared.toolset)
            if not step.calls:
                await self._end(self._course.ending("COMPLETED", self._tries.rate))
                return
            await self._commit_asked(step, reply)
            if not await self._finish_step(step):
                return

    async def _call_once(self, invocation: Invocation) -> None:
        """Makes the one call that the turn is, unless that is done, and ends the turn."""
        if not self._course.steps:
            step = invocation.step(self._turn.id, self._prepared.toolset)
            await self._commit_asked(step, invocation.reply)
            if not await self._finish_step(step):
                return
        await self._end(self._course.ending("COMPLETED", self._tries.rate))

    async def _commit_asked(self, step: Step, reply: Reply) -> None:
        effects = self._course.effects(step)
        asked = [stating.requested(*each) for each in zip(step.calls, effects, strict=True)]

        entry = self._course.entry_asked(step, reply)

        async def store(batch: Batch) -> None:
            await self._allowance.kept()
            await self._parts.store.commit_asked(self._claim, reply, step.calls, batch, entry)
            # Here, since a cancelled driver goes on to its end knowing this.
            self._course.asked(step, entry)
            self._allowance.spent(reply.usage)
            self._parts.owed()

        used = [stating.used(spend) for spend in reply.paid]
        await self._writer.commit([*self._measured(step.number, entry), *used, *asked], store)

    async def _finish_step(self, step: Step) -> bool:
        """Runs a step's calls and commits how they ended; says whether the turn goes on."""
        if items := await self._caller.run(step.calls, self._course.effects(step)):
            pause = pause_for(items, self._prepared.rules, self._judge.approvals)
            await self._pauses.for_people(step, pause)
            return False

        async def store(batch: Batch) -> None:
            entry = self._course.entry_done(step)
            await self._parts.store.commit_done(self._claim, step.number, step.calls, batch, entry)
            self._course.done(step, entry)

        self._course.answered(step, self._prepared.toolset)
        # The next call is granted while this one's results are stored.
        if not self._handing_over and step.number < self._prepared.max_steps:
            self._tries.grant_ahead(step.number + 1)
        try:
            await self._writer.commit([], store)
        except BaseException:
            self._tries.forgo_grant()
            raise
        return True

    async def _end_stopped(self, stop: Stop) -> None:
        """Ends the turn before its answer stands: what was said stays, what was asked is closed."""
        if step := self._course.open_step:
            await self._caller.cancel(step.calls, self._course.effects(step))
        ending = self._course.ending(
            stop.status, self._tries.rate, reason=stop.reason, message=stop.message
        )
        await self._end(ending)

    async def _end(self, ending: Ending) -> None:
        self._ending = True
        entry = self._course.entry_ended(ending)
        said = [stating.used(ending.spend)] if ending.spend else []
        measured = self._measured(ending.reply.step, entry) if ending.reply else []

        async def store(batch: Batch) -> None:
            await self._allowance.kept()
            finished = await self._parts.store.finish(self._claim, ending, batch, entry)
            self.status = ending.status
            # Before anybody sees the end: who asks again at once finds the slot free.
            await self._on_end(finished)

        try:
            ended = [*measured, *said, *self._titled(), stating.finished(ending)]
            await self._writer.commit(ended, store)
        except CancelDesiredError:
            self._ending = False
            raise

    def _titled(self) -> list[Body]:
        # One that comes later is the thread's all the same.
        done = self._titling is not None and self._titling.done() and not self._titling.cancelled()
        title = self._titling.result() if self._titling is not None and done else ""
        return [stating.titled(title)] if title else []

    def _measured(self, step: int, entry: Entry | None) -> list[Body]:
        return [stating.measured(step, self._course.model, entry)] if entry else []

    def _attributes(self) -> dict[str, str | int]:
        return {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": self._turn.agent,
            "gen_ai.conversation.id": str(self._turn.thread),
            "turnpike.turn": str(self._turn.id),
            "turnpike.fence": self._claim.fence,
        }
