"""The tool registry, as agent-runtime sees it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import grpc
import orjson

from turnpike.agent_runtime.tools.toolset import Tool
from turnpike.api.tool_registry.v1.connector_service_pb2 import (
    ListCredentialsRequest,
    ListToolsRequest,
)
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceStub
from turnpike.api.tool_registry.v1.tool_call_service_pb2 import (
    AnnounceFenceRequest,
    AnswerCallRequest,
    CancelCallRequest,
    GetCallRequest,
    ResolveCallRequest,
    RunCallRequest,
)
from turnpike.api.tool_registry.v1.tool_call_service_pb2 import Answer as WireAnswer
from turnpike.api.tool_registry.v1.tool_call_service_pb2_grpc import ToolCallServiceStub
from turnpike.api.tool_registry.v1.tool_pb2 import Call, CallStatus, NeedKind
from turnpike.api.tool_registry.v1.tool_pb2 import Progress as WireProgress
from turnpike.api.tool_registry.v1.variable_service_pb2 import FillTextRequest
from turnpike.api.tool_registry.v1.variable_service_pb2_grpc import VariableServiceStub
from turnpike.rpc.errors import InvalidArgumentError, RemoteError, from_rpc_error

T = TypeVar("T")

_LIST_SECONDS = 35.0
_SHORT_SECONDS = 5.0
_RETRY_SECONDS = 0.25
_LIST_PATIENCE_SECONDS = 30.0
_ANNOUNCE_PATIENCE_SECONDS = 60.0
# Somebody waits for the end of what is cancelled.
_CANCEL_PATIENCE_SECONDS = 3.0
# Beyond the tool's own time: the registry says how a call ended, never this deadline.
_GRACE_SECONDS = 30.0

_STATUSES = {
    CallStatus.CALL_STATUS_PENDING: "PENDING",
    CallStatus.CALL_STATUS_DISPATCHED: "DISPATCHED",
    CallStatus.CALL_STATUS_SUCCEEDED: "SUCCEEDED",
    CallStatus.CALL_STATUS_FAILED: "FAILED",
    CallStatus.CALL_STATUS_CANCELLED: "CANCELLED",
    CallStatus.CALL_STATUS_UNKNOWN: "UNKNOWN",
}
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "UNKNOWN"})

Metadata = Callable[[UUID, UUID], Sequence[tuple[str, str]]]
"""Makes the metadata of a call for a tenant and a principal: who asks, and the trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One call of a turn, as the effect ledger knows it."""

    tenant: UUID
    principal: UUID
    turn: UUID
    fence: int
    step: int
    ordinal: int
    conversation: str = ""
    """Whose sessions with servers it may use; the turn's own without one."""

    @property
    def id(self) -> str:
        """Its id in the ledger."""
        return f"{self.turn}:{self.step}:{self.ordinal}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a call has come, as its server says."""

    progress: float
    total: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a call wants from a person before it can go on."""

    kind: str
    """`ELICITATION`, `INPUT_REQUIRED` or `SIGN_IN`."""

    key: str
    """An answer names it."""

    message: str
    schema: str
    """The JSON Schema of the answer's content; empty when it has none."""

    url: str
    """Where the person is to go; empty when that is nowhere."""

    connector: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person gives to one need: a JSON object, or that they were where it led."""

    key: str
    content: str
    action: str = "ACCEPT"
    """Or `DECLINE`: they said no; or `CANCEL`: they said nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectState:
    """Where a call stands: a CallStatus's name, and what came of it."""

    status: str
    result: str
    structured: str
    reason: str
    progress: Progress | None = None
    """How far it has come, when that is what is new."""

    generation: int = 1
    """An answer, or a word on an unknown outcome, is of this one."""

    needs: tuple[Need, ...] = ()
    """What it failed for want of; with an answer it goes on."""


class Registry:
    """Lists tools, and runs calls at most once."""

    def __init__(
        self,
        connectors: ConnectorServiceStub,
        calls: ToolCallServiceStub,
        variables: VariableServiceStub,
        metadata: Metadata,
    ) -> None:
        self._variables = variables
        self._connectors = connectors
        self._calls = calls
        self._metadata = metadata

    async def tools(self, tenant: UUID, principal: UUID, patterns: Sequence[str]) -> list[Tool]:
        """Returns the callable tools that match, ordered by name.

        Raises:
            RemoteError: Refused, or the registry stays away.
        """
        request = ListToolsRequest(patterns=patterns)
        reply = await _persist(
            lambda: self._connectors.ListTools(
                request, timeout=_LIST_SECONDS, metadata=self._metadata(tenant, principal)
            ),
            _LIST_PATIENCE_SECONDS,
        )
        return [
            Tool(
                name=tool.name,
                description=tool.description,
                input_schema=tool.input_schema,
                digest=tool.digest,
                alias=tool.alias,
                connector=tool.connector_identity,
                read_only=tool.annotations_trusted and _says_read_only(tool.annotations),
            )
            for tool in reply.tools
            if tool.state == "OK"
        ]

    async def fill(self, tenant: UUID, principal: UUID, text: str, field: str) -> str:
        """Returns a text with the variables that it names, as they are to a person.

        Raises:
            RemoteError: One cannot be told (`VARIABLE_UNUSABLE`), or the registry stays away.
        """
        request = FillTextRequest(text=text, field=field)
        reply = await _persist(
            lambda: self._variables.FillText(
                request, timeout=_SHORT_SECONDS, metadata=self._metadata(tenant, principal)
            ),
            _LIST_PATIENCE_SECONDS,
        )
        return reply.text

    async def check(self, tenant: UUID, principal: UUID, text: str, field: str) -> None:
        """Returns when a text names no variable that models may not be told.

        Raises:
            InvalidArgumentError: It does.
            RemoteError: The registry does not answer.
        """
        request = FillTextRequest(text=text, field=field, check_only=True)
        try:
            await self._variables.FillText(
                request, timeout=_SHORT_SECONDS, metadata=self._metadata(tenant, principal)
            )
        except grpc.aio.AioRpcError as error:
            failure = from_rpc_error(error)
            if failure.fields:
                raise InvalidArgumentError(*failure.fields[0]) from error
            raise failure from error

    async def announce_fence(self, effect: Effect) -> None:
        """Makes the registry refuse calls of older claims of the turn.

        Raises:
            RemoteError: A newer claim is known, or the registry does not answer.
        """
        request = AnnounceFenceRequest(turn=str(effect.turn), fence=effect.fence)
        await _persist(
            lambda: self._calls.AnnounceFence(
                request,
                timeout=_SHORT_SECONDS,
                metadata=self._metadata(effect.tenant, effect.principal),
            ),
            _ANNOUNCE_PATIENCE_SECONDS,
        )

    async def run(
        self,
        effect: Effect,
        *,
        tool: str,
        arguments: str,
        digest: str,
        patience: timedelta,
        seen_after: datetime | None = None,
    ) -> AsyncIterator[EffectState]:
        """Runs a call or joins it, and yields where it stands until that is final.

        A registry that goes away is asked again: the effect's id makes that
        safe. A definition that was not seen at its server since `seen_after` is
        read again first.

        Raises:
            RemoteError: Refused, or the registry stays away.
        """
        request = RunCallRequest(
            turn=str(effect.turn),
            fence=effect.fence,
            step=effect.step,
            ordinal=effect.ordinal,
            tool=tool,
            arguments=arguments,
            definition_digest=digest,
            timeout=patience,
            principal=str(effect.principal),
            conversation=effect.conversation,
            seen_after=seen_after,
        )
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + patience.total_seconds() + _GRACE_SECONDS
        while True:
            try:
                async for state in self._watch(request, effect, give_up_at - loop.time()):
                    yield state
                    if state.status in FINAL:
                        return
            except RemoteError as error:
                if not _may_pass(error) or loop.time() > give_up_at:
                    raise
            await asyncio.sleep(_RETRY_SECONDS)

    async def find(self, effect: Effect) -> EffectState | None:
        """Returns where a call stands, without running it; None when it never was.

        Raises:
            RemoteError: The registry does not answer.
        """
        request = GetCallRequest(turn=str(effect.turn), step=effect.step, ordinal=effect.ordinal)
        try:
            reply = await _persist(
                lambda: self._calls.GetCall(
                    request,
                    timeout=_SHORT_SECONDS,
                    metadata=self._metadata(effect.tenant, effect.principal),
                ),
                _ANNOUNCE_PATIENCE_SECONDS,
            )
        except RemoteError as error:
            if error.code is not grpc.StatusCode.NOT_FOUND:
                raise
            return None
        return _state(reply.call)

    async def resolve(
        self,
        effect: Effect,
        *,
        generation: int,
        resolution: str,
        text: str,
        by: UUID,
        patience: timedelta,
    ) -> None:
        """Says what became of a call whose outcome is unknown: DONE, NOT_DONE or RUN_AGAIN.

        Where it is known by now, or another said something else, that stands.

        Raises:
            RemoteError: A newer claim is known, or the registry does not answer.
        """
        request = ResolveCallRequest(
            turn=str(effect.turn),
            fence=effect.fence,
            step=effect.step,
            ordinal=effect.ordinal,
            generation=generation,
            resolution=f"RESOLUTION_{resolution}",
            text=text,
            principal=str(by),
            timeout=patience,
        )
        await self._meet(
            effect,
            lambda metadata: self._calls.ResolveCall(request, **metadata),
            "CALL_NOT_UNKNOWN",
        )

    async def answer(
        self,
        effect: Effect,
        *,
        generation: int,
        answers: Sequence[Answer],
        by: UUID,
        patience: timedelta,
    ) -> None:
        """Gives a call what it wanted from a person; what another gave before stands.

        Raises:
            RemoteError: Refused, or the registry does not answer.
        """
        request = AnswerCallRequest(
            turn=str(effect.turn),
            fence=effect.fence,
            step=effect.step,
            ordinal=effect.ordinal,
            generation=generation,
            answers=[
                WireAnswer(
                    key=each.key, action=f"ANSWER_ACTION_{each.action}", content=each.content
                )
                for each in answers
            ],
            principal=str(by),
            timeout=patience,
        )
        await self._meet(
            effect, lambda each: self._calls.AnswerCall(request, **each), "CALL_NOT_WAITING"
        )

    async def has_signed_in(
        self, tenant: UUID, principal: UUID, connector: str, since: datetime
    ) -> bool:
        """Says whether there is a credential for somebody's calls that was given since a moment.

        Raises:
            RemoteError: There is no such connector, or the registry does not answer.
        """
        request = ListCredentialsRequest(connector=connector)
        try:
            reply = await self._connectors.ListCredentials(
                request, timeout=_SHORT_SECONDS, metadata=self._metadata(tenant, principal)
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        return any(
            not each.refusal and each.update_time.ToDatetime(UTC) > since
            for each in reply.credentials
        )

    async def _meet(
        self, effect: Effect, call: Callable[[dict[str, Any]], Awaitable[Any]], met: str
    ) -> None:
        """Calls until the registry answers; that it was `met` before is no failure."""
        try:
            await _persist(
                lambda: call(
                    {
                        "timeout": _SHORT_SECONDS,
                        "metadata": self._metadata(effect.tenant, effect.principal),
                    }
                ),
                _ANNOUNCE_PATIENCE_SECONDS,
            )
        except RemoteError as error:
            if error.reason != met:
                raise

    async def cancel(self, effect: Effect) -> EffectState | None:
        """Cancels a call, and returns where it then stands; None when it never was.

        Raises:
            RemoteError: The registry does not answer.
        """
        request = CancelCallRequest(
            turn=str(effect.turn), fence=effect.fence, step=effect.step, ordinal=effect.ordinal
        )
        reply = await _persist(
            lambda: self._calls.CancelCall(
                request,
                timeout=_SHORT_SECONDS,
                metadata=self._metadata(effect.tenant, effect.principal),
            ),
            _CANCEL_PATIENCE_SECONDS,
        )
        return _state(reply.call) if reply.HasField("call") else None

    async def _watch(
        self, request: RunCallRequest, effect: Effect, seconds: float
    ) -> AsyncIterator[EffectState]:
        stream = self._calls.RunCall(
            request, timeout=seconds, metadata=self._metadata(effect.tenant, effect.principal)
        )
        try:
            async for reply in stream:
                progress = _progress(reply.progress) if reply.HasField("progress") else None
                yield replace(_state(reply.call), progress=progress)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            stream.cancel()


async def _persist(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Calls until the registry answers, or has not done so for a while."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + seconds
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            failure = from_rpc_error(error)
            if not _may_pass(failure) or loop.time() > give_up_at:
                raise failure from error
        await asyncio.sleep(_RETRY_SECONDS)


def _may_pass(error: RemoteError) -> bool:
    return error.code in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    )


def _says_read_only(annotations: str) -> bool:
    # The registry keeps what a server said, whatever that was.
    said: Any = orjson.loads(annotations or "{}")
    return isinstance(said, dict) and said.get("readOnlyHint") is True


def _state(call: Call) -> EffectState:
    return EffectState(
        status=_STATUSES[call.status],
        result=call.result,
        structured=call.structured,
        reason=call.reason,
        generation=call.generation,
        needs=tuple(
            Need(
                kind=NeedKind.Name(need.kind).removeprefix("NEED_KIND_"),
                key=need.key,
                message=need.message,
                schema=need.schema,
                url=need.url,
                connector=need.connector,
            )
            for need in call.needs
        ),
    )


def _progress(progress: WireProgress) -> Progress:
    return Progress(progress=progress.progress, total=progress.total, message=progress.message)
