"""ToolCallService: wire ↔ model."""

from collections.abc import AsyncGenerator
from uuid import UUID

from turnpike.api.tool_registry.v1 import tool_call_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.api.tool_registry.v1.tool_call_service_pb2_grpc import ToolCallServiceServicer
from turnpike.rpc.errors import ForbiddenError
from turnpike.rpc.identity import require_service
from turnpike.rpc.served import Context, caller_of
from turnpike.telemetry import traceparent
from turnpike.tool_registry.calls import Calls
from turnpike.tool_registry.model import Call, CallRequest, CallStatus

_STATUSES = {
    CallStatus.PENDING: tool_pb2.CALL_STATUS_PENDING,
    CallStatus.DISPATCHED: tool_pb2.CALL_STATUS_DISPATCHED,
    CallStatus.SUCCEEDED: tool_pb2.CALL_STATUS_SUCCEEDED,
    CallStatus.FAILED: tool_pb2.CALL_STATUS_FAILED,
    CallStatus.CANCELLED: tool_pb2.CALL_STATUS_CANCELLED,
    CallStatus.UNKNOWN: tool_pb2.CALL_STATUS_UNKNOWN,
}


class ToolCallServicer(ToolCallServiceServicer):
    """Serves turnpike.api.tool_registry.v1.ToolCallService."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def AnnounceFence(
        self, request: pb.AnnounceFenceRequest, context: Context
    ) -> pb.AnnounceFenceResponse:
        await self._calls.announce(_tenant(context), UUID(request.turn), request.fence)
        return pb.AnnounceFenceResponse()

    async def RunCall(
        self, request: pb.RunCallRequest, context: Context
    ) -> AsyncGenerator[pb.RunCallResponse]:
        async for call in self._calls.run(_to_request(_tenant(context), request)):
            yield pb.RunCallResponse(call=_to_wire(call))

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
        return pb.CancelCallResponse(call=None if call is None else _to_wire(call))


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
    )


def _to_wire(call: Call) -> tool_pb2.Call:
    return tool_pb2.Call(
        effect=call.effect,
        status=_STATUSES[call.status],
        result=call.result,
        structured=call.structured,
        reason=call.reason,
    )
