"""The tool registry, as agent-runtime sees it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc

from turnpike.agent_runtime.tools.effects import (
    FINAL,
    Answer,
    Effect,
    EffectState,
    progress_of,
    state_of,
)
from turnpike.agent_runtime.tools.listed import to_tool
from turnpike.agent_runtime.tools.persisting import RETRY_SECONDS, may_pass, persist
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
from turnpike.api.tool_registry.v1.variable_service_pb2 import FillTextRequest
from turnpike.api.tool_registry.v1.variable_service_pb2_grpc import VariableServiceStub
from turnpike.rpc.errors import InvalidArgumentError, RemoteError, from_rpc_error

_LIST_SECONDS = 35.0
_SHORT_SECONDS = 5.0
_LIST_PATIENCE_SECONDS = 30.0
_ANNOUNCE_PATIENCE_SECONDS = 60.0
# Somebody waits for the end of what is cancelled.
_CANCEL_PATIENCE_SECONDS = 3.0
# Beyond the tool's own time: the registry says how a call ended, never this deadline.
_GRACE_SECONDS = 30.0

Metadata = Callable[[UUID, UUID], Sequence[tuple[str, str]]]
"""Makes the metadata of a call for a tenant and a principal: who asks, and the trace."""


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
        reply = await persist(
            lambda: self._connectors.ListTools(
                request, timeout=_LIST_SECONDS, metadata=self._metadata(tenant, principal)
            ),
            _LIST_PATIENCE_SECONDS,
        )
        return [to_tool(tool) for tool in reply.tools if tool.state == "OK"]

    async def fill(self, tenant: UUID, principal: UUID, text: str, field: str) -> str:
        """Returns a text with the variables that it names, as they are to a person.

        Raises:
            RemoteError: One cannot be told (`VARIABLE_UNUSABLE`), or the registry stays away.
        """
        request = FillTextRequest(text=text, field=field)
        reply = await persist(
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
        await persist(
            lambda: self._calls.AnnounceFence(request, **self._by(effect)),
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
            **_claimed(effect),
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
                if not may_pass(error) or loop.time() > give_up_at:
                    raise
            await asyncio.sleep(RETRY_SECONDS)

    async def find(self, effect: Effect) -> EffectState | None:
        """Returns where a call stands, without running it; None when it never was.

        Raises:
            RemoteError: The registry does not answer.
        """
        request = GetCallRequest(turn=str(effect.turn), step=effect.step, ordinal=effect.ordinal)
        try:
            reply = await persist(
                lambda: self._calls.GetCall(request, **self._by(effect)),
                _ANNOUNCE_PATIENCE_SECONDS,
            )
        except RemoteError as error:
            if error.code is not grpc.StatusCode.NOT_FOUND:
                raise
            return None
        return state_of(reply.call)

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
            **_claimed(effect),
            generation=generation,
            resolution=f"RESOLUTION_{resolution}",
            text=text,
            principal=str(by),
            timeout=patience,
        )
        await self._meet(
            effect, lambda each: self._calls.ResolveCall(request, **each), "CALL_NOT_UNKNOWN"
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
            **_claimed(effect),
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
            await persist(lambda: call(self._by(effect)), _ANNOUNCE_PATIENCE_SECONDS)
        except RemoteError as error:
            if error.reason != met:
                raise

    async def cancel(self, effect: Effect) -> EffectState | None:
        """Cancels a call, and returns where it then stands; None when it never was.

        Raises:
            RemoteError: The registry does not answer.
        """
        request = CancelCallRequest(**_claimed(effect))
        reply = await persist(
            lambda: self._calls.CancelCall(request, **self._by(effect)), _CANCEL_PATIENCE_SECONDS
        )
        return state_of(reply.call) if reply.HasField("call") else None

    def _by(self, effect: Effect) -> dict[str, Any]:
        """Returns what goes with a short question about a call: how long, and who asks."""
        metadata = self._metadata(effect.tenant, effect.principal)
        return {"timeout": _SHORT_SECONDS, "metadata": metadata}

    async def _watch(
        self, request: RunCallRequest, effect: Effect, seconds: float
    ) -> AsyncIterator[EffectState]:
        stream = self._calls.RunCall(
            request, timeout=seconds, metadata=self._metadata(effect.tenant, effect.principal)
        )
        try:
            async for reply in stream:
                progress = progress_of(reply.progress) if reply.HasField("progress") else None
                yield replace(state_of(reply.call), progress=progress)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            stream.cancel()


def _claimed(effect: Effect) -> dict[str, Any]:
    """Returns which call a request is about, and by which claim of its turn."""
    return {
        "turn": str(effect.turn),
        "fence": effect.fence,
        "step": effect.step,
        "ordinal": effect.ordinal,
    }
