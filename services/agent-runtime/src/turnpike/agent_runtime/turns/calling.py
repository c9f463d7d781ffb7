"""Running the tool calls of one step."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import grpc
import orjson

from turnpike.agent_runtime.approvals.model import Item, Kind, Subject
from turnpike.agent_runtime.events.writer import LogWriter
from turnpike.agent_runtime.tools.effects import Effect, EffectState, Progress
from turnpike.agent_runtime.tools.registry import Registry
from turnpike.agent_runtime.turns.counting import TOOL_CALLS
from turnpike.agent_runtime.turns.failures import first_of
from turnpike.agent_runtime.turns.model import Call
from turnpike.agent_runtime.turns.needing import need_item, needed_answers, outcome_item
from turnpike.agent_runtime.turns.reviewing import Ask, Close, Plan, Reviewer, Run, text_result
from turnpike.api.agent_runtime.v1.event_pb2 import ToolFinished, ToolProgress, ToolStarted
from turnpike.rpc.errors import RemoteError
from turnpike.telemetry import span

_OUTCOMES = {
    "SUCCEEDED": "OK",
    "FAILED": "ERROR",
    "CANCELLED": "CANCELLED",
    "UNKNOWN": "UNKNOWN",
}


Answer = Callable[[Effect, str], Awaitable[EffectState]]
"""Returns what a tool of this service's own says to arguments; it changes nothing."""


class Caller:
    """Runs a step's calls through the effect ledger, side by side."""

    def __init__(
        self,
        registry: Registry,
        reviewer: Reviewer,
        writer: LogWriter,
        *,
        own: Mapping[str, Answer],
        timeout: timedelta,
    ) -> None:
        self._own = own
        self._registry = registry
        self._reviewer = reviewer
        self._writer = writer
        self._timeout = timeout

    async def run(self, calls: list[Call], effects: list[Effect]) -> list[Item]:
        """Runs every call that may run and has not ended, and closes it.

        Returns:
            What somebody is to be asked about the others, in the order of the calls.

        Raises:
            RemoteError: A newer claim owns the turn, or the registry stays away.
        """
        open_ = [pair for pair in zip(calls, effects, strict=True) if not pair[0].outcome]
        plans = await self._reviewer.plan([call for call, _ in open_])
        try:
            async with asyncio.TaskGroup() as group:
                running = [
                    group.create_task(self._follow(call, effect, plan))
                    for (call, effect), plan in zip(open_, plans, strict=True)
                ]
        except ExceptionGroup as failures:
            raise first_of(failures) from failures
        return [item for task in running if (item := task.result()) is not None]

    async def cancel(self, calls: list[Call], effects: list[Effect]) -> None:
        """Closes every call that has not ended: cancelled, or what the ledger says it came to."""
        async with asyncio.TaskGroup() as group:
            for call, effect in zip(calls, effects, strict=True):
                if not call.outcome:
                    group.create_task(self._cancel(call, effect))

    async def _cancel(self, call: Call, effect: Effect) -> None:
        try:
            state = await self._registry.cancel(effect)
        except RemoteError:
            # The ledger cannot be asked: whether it ran is not known.
            state = EffectState(status="UNKNOWN", result="", structured="", reason="")
        if state is None:
            state = EffectState(status="CANCELLED", result="", structured="", reason="")
        self._close(call, state)

    async def _follow(self, call: Call, effect: Effect, plan: Plan) -> Item | None:
        match plan:
            case Close():
                return await self._refuse(call, effect, plan)
            case Ask():
                # An owner before this one may have begun it, by what was said then.
                if effect.fence == 1 or await self._registry.find(effect) is None:
                    return plan.item
                return await self._run(call, effect, plan.otherwise)
            case Run():
                return await self._run(call, effect, plan)

    async def _run(self, call: Call, effect: Effect, run: Run) -> Item | None:
        if (answer := self._own.get(call.name)) is not None:
            return await self._answer(call, effect, run, answer)
        with span(f"execute_tool {call.name}", attributes=_calling(call, effect)) as calling:
            try:
                await self._meet(effect, run)
                item = await self._watch(call, effect, run)
            except RemoteError as error:
                if error.code is not grpc.StatusCode.INVALID_ARGUMENT:
                    raise
                # Such as arguments beyond what the registry takes: the model is told.
                item = None
                self._close(call, _failed(error.message))
            if call.outcome != "OK":
                calling.fail(call.outcome or "ASKED")
            return item

    async def _answer(self, call: Call, effect: Effect, run: Run, answer: Answer) -> None:
        # It changes nothing: an owner that comes after may ask again.
        self._writer.emit(tool_started=ToolStarted(call_id=call.call_id))
        self._close(call, await answer(effect, run.arguments))

    async def _refuse(self, call: Call, effect: Effect, plan: Close) -> Item | None:
        # An owner before this one may have run it, by what was said then.
        ran = await self._registry.cancel(effect) if effect.fence > 1 else None
        if ran is None or ran.needs:
            self._close(call, _failed(plan.text), outcome=plan.outcome)
        elif ran.status == "UNKNOWN":
            return outcome_item(
                call, Run(arguments=call.arguments or "{}", digest=call.definition_digest), ran
            )
        else:
            self._close(call, ran)
        return None

    async def _watch(self, call: Call, effect: Effect, run: Run) -> Item | None:
        told = False
        async for state in self._registry.run(
            effect,
            tool=call.name,
            arguments=run.arguments,
            digest=run.digest,
            patience=self._timeout,
            seen_after=run.since,
        ):
            if not told and state.status != "PENDING":
                told = True
                self._writer.emit(tool_started=ToolStarted(call_id=call.call_id))
            if state.progress is not None:
                self._show(call, state.progress)
            if state.status == "UNKNOWN":
                return outcome_item(call, run, state)
            if state.needs and state.status == "FAILED" and not run.gave_up:
                return need_item(call, run, state)
            if state.status in _OUTCOMES:
                self._close(call, state, note=run.note)
        return None

    async def _meet(self, effect: Effect, run: Run) -> None:
        """Tells the ledger what a person said of a call that it could not end."""
        review = run.review
        if review is None or review.item.subject not in (Subject.NEED, Subject.OUTCOME):
            return
        said, generation = review.decision, review.item.generation
        if review.item.subject == Subject.NEED:
            await self._registry.answer(
                effect,
                generation=generation,
                answers=needed_answers(review),
                by=said.principal,
                patience=self._timeout,
            )
        elif said.kind != Kind.VERIFY:
            await self._registry.resolve(
                effect,
                generation=generation,
                resolution=str(said.kind).upper(),
                text=said.text,
                by=said.principal,
                patience=self._timeout,
            )

    def _show(self, call: Call, progress: Progress) -> None:
        self._writer.emit(
            tool_progress=ToolProgress(
                call_id=call.call_id,
                progress=progress.progress,
                total=progress.total,
                message=progress.message,
            )
        )

    def _close(self, call: Call, state: EffectState, *, outcome: str = "", note: str = "") -> None:
        call.outcome = outcome or _OUTCOMES.get(state.status, "UNKNOWN")
        TOOL_CALLS.labels(outcome=call.outcome).inc()
        call.result = _noted(note, state.result or _explained(state))
        call.structured = state.structured
        self._writer.emit(
            tool_finished=ToolFinished(
                call_id=call.call_id,
                outcome=f"TOOL_OUTCOME_{call.outcome}",
                result=call.result,
                structured=call.structured,
            )
        )


def _calling(call: Call, effect: Effect) -> dict[str, str]:
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.name,
        "gen_ai.tool.call.id": call.call_id,
        "turnpike.effect": effect.id,
    }


def _failed(text: str) -> EffectState:
    return EffectState(status="FAILED", result=text_result(text), structured="", reason="")


def _explained(state: EffectState) -> str:
    return text_result(state.reason) if state.reason else "[]"


def _noted(note: str, result: str) -> str:
    if not note:
        return result
    blocks: list[Any] = orjson.loads(text_result(note))
    return orjson.dumps([*blocks, *orjson.loads(result)]).decode()
