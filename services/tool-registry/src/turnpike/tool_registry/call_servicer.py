"""ToolCallService: wire ↔ model."""

from collections.abc import AsyncGenerator
from datetime import UTC
from uuid import UUID

from turnpike.api.tool_registry.v1 import tool_call_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.api.tool_registry.v1.tool_call_service_pb2_grpc import ToolCallServiceServicer
from turnpike.rpc.errors import ForbiddenError, NotFoundError
from turnpike.rpc.identity import require_service
from turnpike.rpc.served import Context, caller_of
from turnpike.telemetry import traceparent
from turnpike.tool_registry.calls import Calls
from turnpike.tool_registry.links.exchange import Progress
from turnpike.tool_registry.model import Answer, CallRequest, Reply, Resolution
from turnpike.tool_registry.shelving import Shelf
from turnpike.tool_registry.wire import call_to_wire


class ToolCallServicer(ToolCallServiceServicer):
    """Serves turnpike.api.tool_registry.v1.ToolCallService."""

    def __init__(self, calls: Calls, shelf: Shelf) -> None:
        self._calls = calls
        self._shelf = shelf

    async def AnnounceFence(
        self, request: pb.AnnounceFenceRequest, context: Context
    ) -> pb.AnnounceFenceResponse:
        await self._calls.announce(_tenant(context), UUID(request.turn), request.fence)
        return pb.AnnounceFenceResponse()

    async def RunCall(
        self, request: pb.RunCallRequest, context: Context
    ) -> AsyncGenerator[pb.RunCallResponse]:
        async for sight in self._calls.run(_to_request(_tenant(context), request)):
            yield pb.RunCallResponse(
                call=call_to_wire(sight.call), progress=_progress_to_wire(sight.progress)
            )

    async def CancelCall(
        self, request: pb.CancelCallRequest, context: Context
    ) -> pb.CancelCallResponse:
        call = await self._calls.cancel(
            _tenant(context),
            UUID(request.turn),
            request.fence,
            step=request.step,
            ordinal=request.ordinal,
        )
        return pb.CancelCallResponse(call=None if call is None else call_to_wire(call))

    async def GetCall(self, request: pb.GetCallRequest, context: Context) -> pb.GetCallResponse:
        effect = f"{UUID(request.turn)}:{request.step}:{request.ordinal}"
        call = await self._calls.get(_tenant(context), effect)
        if call is None:
            raise NotFoundError("there is no such call", kind="call", id=effect)
        return pb.GetCallResponse(call=call_to_wire(call))

    async def ResolveCall(
        self, request: pb.ResolveCallRequest, context: Context
    ) -> pb.ResolveCallResponse:
        call = await self._calls.resolve(_to_resolution(_tenant(context), request))
        return pb.ResolveCallResponse(call=call_to_wire(call))

    async def AnswerCall(
        self, request: pb.AnswerCallRequest, context: Context
    ) -> pb.AnswerCallResponse:
        call = await self._calls.answer(_to_reply(_tenant(context), request))
        return pb.AnswerCallResponse(call=call_to_wire(call))

    async def ForgetTurns(
        self, request: pb.ForgetTurnsRequest, context: Context
    ) -> pb.ForgetTurnsResponse:
        await self._shelf.forget(_tenant(context), [UUID(turn) for turn in request.turns])
        return pb.ForgetTurnsResponse()


def _tenant(context: Context) -> UUID:
    caller = caller_of(context)
    require_service(caller, "agent-runtime")
    if not caller.tenant:
        raise ForbiddenError("a call is made for a turn's tenant")
    return UUID(caller.tenant)


def _to_request(tenant: UUID, request: pb.RunCallRequest) -> CallRequest:
    return CallRequest(
        tenant=tenant,
        turn=UUID(request.turn),
        fence=request.fence,
        step=request.step,
        ordinal=request.ordinal,
        tool=request.tool,
        arguments=request.arguments,
        definition_digest=request.definition_digest,
        timeout_seconds=request.timeout.ToTimedelta().total_seconds(),
        principal=request.principal,
        traceparent=traceparent(),
        conversation=request.conversation,
        seen_after=request.seen_after.ToDatetime(UTC) if request.HasField("seen_after") else None,
    )


def _to_resolution(tenant: UUID, request: pb.ResolveCallRequest) -> Resolution:
    return Resolution(
        tenant=tenant,
        turn=UUID(request.turn),
        fence=request.fence,
        step=request.step,
        ordinal=request.ordinal,
        generation=request.generation,
        verdict=pb.Resolution.Name(request.resolution).removeprefix("RESOLUTION_"),
        text=request.text,
        by=request.principal,
        timeout_seconds=request.timeout.ToTimedelta().total_seconds(),
    )


def _to_reply(tenant: UUID, request: pb.AnswerCallRequest) -> Reply:
    return Reply(
        tenant=tenant,
        turn=UUID(request.turn),
        fence=request.fence,
        step=request.step,
        ordinal=request.ordinal,
        generation=request.generation,
        answers=tuple(
            Answer(
                key=answer.key,
                action=pb.AnswerAction.Name(answer.action).removeprefix("ANSWER_ACTION_").lower(),
                content=answer.content,
            )
            for answer in request.answers
        ),
        by=request.principal,
        timeout_seconds=request.timeout.ToTimedelta().total_seconds(),
    )


def _progress_to_wire(progress: Progress | None) -> tool_pb2.Progress | None:
    if progress is None:
        return None
    return tool_pb2.Progress(
        progress=progress.progress, total=progress.total or 0.0, message=progress.message
    )
