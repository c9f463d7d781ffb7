"""GatekeeperService: the wire's messages to gatekeeper's values, and back."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

import grpc

from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as pb
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceServicer
from turnpike.gatekeeper.admission import Admission
from turnpike.gatekeeper.authentication import Authentication
from turnpike.gatekeeper.messages import principal_message, uuid_of
from turnpike.gatekeeper.model import Revocation, RunningTurn, Segment
from turnpike.gatekeeper.revocations import Revocations
from turnpike.gatekeeper.slots import SLOT_TTL
from turnpike.rpc.identity import require_service
from turnpike.rpc.served import Context, caller_of

_RUNTIME = "agent-runtime"
_SERVICES = ("gateway", _RUNTIME, "tool-registry", "embedding", "gatekeeper")


class GatekeeperServicer(GatekeeperServiceServicer):
    """Serves turnpike.api.gatekeeper.v1.GatekeeperService."""

    def __init__(
        self, authentication: Authentication, revocations: Revocations, admission: Admission
    ) -> None:
        self._authentication = authentication
        self._revocations = revocations
        self._admission = admission

    async def Authenticate(
        self, request: pb.AuthenticateRequest, context: Context
    ) -> pb.AuthenticateResponse:
        issued = await self._authentication.authenticate(request.credential)
        return pb.AuthenticateResponse(
            token=issued.token,
            expire_time=issued.expires,
            principal=principal_message(issued.key.principal),
        )

    async def WatchRevocations(
        self, request: pb.WatchRevocationsRequest, context: Context
    ) -> AsyncGenerator[pb.WatchRevocationsResponse]:
        require_service(caller_of(context), *_SERVICES)
        async with aclosing(self._revocations.watch(request.after)) as batches:
            async for revocations, position in batches:
                yield pb.WatchRevocationsResponse(
                    revocations=map(_revocation_message, revocations), last_id=position
                )

    async def Admit(self, request: pb.AdmitRequest, context: Context) -> pb.AdmitResponse:
        require_service(caller_of(context), _RUNTIME)
        await self._admission.admit(
            Segment(
                turn=UUID(request.turn),
                tenant=UUID(request.tenant),
                principal=UUID(request.principal),
                key=uuid_of(request.key),
                agent_owner=uuid_of(request.agent_owner),
                attempt=request.attempt,
                number=request.segment,
            )
        )
        return pb.AdmitResponse(slot_ttl=SLOT_TTL)

    async def Extend(self, request: pb.ExtendRequest, context: Context) -> pb.ExtendResponse:
        require_service(caller_of(context), _RUNTIME)
        return await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not yet")

    async def Settle(self, request: pb.SettleRequest, context: Context) -> pb.SettleResponse:
        require_service(caller_of(context), _RUNTIME)
        return await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not yet")

    async def Release(self, request: pb.ReleaseRequest, context: Context) -> pb.ReleaseResponse:
        require_service(caller_of(context), _RUNTIME)
        await self._admission.release(UUID(request.tenant), UUID(request.turn))
        return pb.ReleaseResponse()

    async def Heartbeat(
        self, request: pb.HeartbeatRequest, context: Context
    ) -> pb.HeartbeatResponse:
        require_service(caller_of(context), _RUNTIME)
        revoked = await self._admission.renew([_running_turn(slot) for slot in request.slots])
        return pb.HeartbeatResponse(
            revoked=[
                pb.HeartbeatResponse.RevokedTurn(turn=str(turn), reason=reason)
                for turn, reason in revoked
            ]
        )


def _running_turn(slot: pb.HeartbeatRequest.Slot) -> RunningTurn:
    return RunningTurn(
        turn=UUID(slot.turn),
        tenant=UUID(slot.tenant),
        principal=UUID(slot.principal),
        key=uuid_of(slot.key),
        agent_owner=uuid_of(slot.agent_owner),
    )


def _revocation_message(revocation: Revocation) -> pb.Revocation:
    return pb.Revocation(
        id=revocation.id,
        key=str(revocation.key) if revocation.key else "",
        principal=str(revocation.principal),
        tenant=str(revocation.tenant),
        revoke_time=revocation.revoked,
    )
