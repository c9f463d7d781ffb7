"""Running the tool calls of one step."""

import asyncio
from datetime import timedelta

import grpc
import orjson

from turnpike.agent_runtime.events.writer import LogWriter
from turnpike.agent_runtime.policy.judging import Judge
from turnpike.agent_runtime.policy.model import Kind, ToolCall, Verdict
from turnpike.agent_runtime.tools.registry import Effect, EffectState, Progress, Registry
from turnpike.agent_runtime.tools.toolset import Toolset
from turnpike.agent_runtime.turns.counting import TOOL_CALLS
from turnpike.agent_runtime.turns.failures import first_of
from turnpike.agent_runtime.turns.model import Call
from turnpike.api.agent_runtime.v1.event_pb2 import ToolFinished, ToolProgress, ToolStarted
from turnpike.rpc.errors import RemoteError
from turnpike.telemetry import span

_OUTCOMES = {
    "SUCCEEDED": "OK",
    "FAILED": "ERROR",
    "CANCELLED": "CANCELLED",
    "UNKNOWN": "UNKNOWN",
}


_CLOSING = {Kind.DENY: "DENIED", Kind.REJECT: "REJECTED"}


class Caller:
    """Runs a step's calls through the effect ledger, side by side."""

    def __init__(
        self,
        registry: Registry,
        toolset: Toolset,
        judge: Judge,
        writer: LogWriter,
        *,
        timeout: timedelta,
    ) -> None:
        self._registry = registry
        self._toolset = toolset
        self._judge = judge
        self._writer = writer
        self._timeout = timeout

    async def run(self, calls: list[Call], effects: list[Effect]) -> None:
        """Runs every call that has not ended, and closes it: result, denied, unknown.

        Raises:
            RemoteError: A newer claim owns the turn, or the registry stays away.
        """
        open_ = [pair for pair in zip(calls, effects, strict=True) if not pair[0].outcome]
        verdicts = await self._judge.judge([self._judged(call) for call, _ in open_])
        try:
            async with asyncio.TaskGroup() as group:
                for (call, effect), verdict in zip(open_, verdicts, strict=True):
                    group.create_task(self._run(call, effect, verdict))
        except ExceptionGroup as failures:
            raise first_of(failures) from failures

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

    def _judged(self, call: Call) -> ToolCall:
        digest = call.definition_digest
        return ToolCall(
            tool=call.name,
            arguments=_sent(call),
            digest=digest,
            read_only=self._toolset.reads_only(call.name, digest),
        )

    async def _run(self, call: Call, effect: Effect, verdict: Verdict) -> None:
        # A call with a digest was known when it was asked for; the ledger may
        # hold it even if the tool is gone by now.
        if not call.definition_digest:
            self._close(call, _failed(f"there is no tool {call.name!r}"))
            return
        if closing := _CLOSING.get(verdict.kind):
            await self._refuse(call, effect, verdict.reason, closing)
            return
        with span(f"execute_tool {call.name}", attributes=_calling(call, effect)) as calling:
            try:
                await self._watch(call, effect)
            except RemoteError as error:
                if error.code is not grpc.StatusCode.INVALID_ARGUMENT:
                    raise
                # Such as arguments beyond what the registry takes: the model is told.
                self._close(call, _failed(error.message))
            if call.outcome != "OK":
                calling.fail(call.outcome)

    async def _refuse(self, call: Call, effect: Effect, reason: str, outcome: str) -> None:
        # An owner before this one may have run it, by what was said then.
        ran = await self._registry.cancel(effect) if effect.fence > 1 else None
        if ran is None:
            self._close(call, _failed(reason), outcome=outcome)
        else:
            self._close(call, ran)

    async def _watch(self, call: Call, effect: Effect) -> None:
        told = False
        async for state in self._registry.run(
            effect,
            tool=call.name,
            arguments=_sent(call),
            digest=call.definition_digest,
            patience=self._timeout,
        ):
            if not told and state.status != "PENDING":
                told = True
                self._writer.emit(tool_started=ToolStarted(call_id=call.call_id))
            if state.progress is not None:
                self._show(call, state.progress)
            if state.status in _OUTCOMES:
                self._close(call, state)

    def _show(self, call: Call, progress: Progress) -> None:
        self._writer.emit(
            tool_progress=ToolProgress(
                call_id=call.call_id,
                progress=progress.progress,
                total=progress.total,
                message=progress.message,
            )
        )

    def _close(self, call: Call, state: EffectState, *, outcome: str = "") -> None:
        call.outcome = outcome or _OUTCOMES.get(state.status, "UNKNOWN")
        TOOL_CALLS.labels(outcome=call.outcome).inc()
        call.result = state.result or _explained(state)
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


def _sent(call: Call) -> str:
    return call.arguments or "{}"


def _failed(text: str) -> EffectState:
    return EffectState(status="FAILED", result=_text(text), structured="", reason="")


def _explained(state: EffectState) -> str:
    return _text(state.reason) if state.reason else "[]"


def _text(text: str) -> str:
    return orjson.dumps([{"type": "text", "text": text}]).decode()
