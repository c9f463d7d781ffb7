"""GatekeeperService: the wire's messages to gatekeeper's values, and back."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as pb
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceServicer
from turnpike.gatekeeper.admission import Admission, segment_of
from turnpike.gatekeeper.admission_messages import (
    admitted_segment,
    estimate_of,
    explained_segment,
    explanation_message,
    grant_message,
    own_keys_of,
    prices_of,
    running_turn,
    usage_of,
)
from turnpike.gatekeeper.authentication import Authentication
from turnpike.gatekeeper.directory import Directory
from turnpike.gatekeeper.explanation import Explanation
from turnpike.gatekeeper.keeping import Keeping
from turnpike.gatekeeper.messages import principal_message
from turnpike.gatekeeper.model import Revocation
from turnpike.gatekeeper.revocations import Revocations
from turnpike.gatekeeper.slots import SLOT_TTL
from turnpike.gatekeeper.snapshots import Seals
from turnpike.gatekeeper.terms import Granted
from turnpike.rpc.identity import require_role, require_service
from turnpike.rpc.served import Context, caller_of

_RUNTIME = "agent-runtime"
_METERED = (_RUNTIME, "embedding")
_SERVICES = ("gateway", _RUNTIME, "tool-registry", "embedding", "gatekeeper")


class GatekeeperServicer(GatekeeperServiceServicer):
    """Serves turnpike.api.gatekeeper.v1.GatekeeperService."""

    def __init__(
        self,
        authentication: Authentication,
        revocations: Revocations,
        admission: Admission,
        keeping: Keeping,
        explanation: Explanation,
        directory: Directory,
        seals: Seals,
    ) -> None:
        self._authentication = authentication
        self._revocations = revocations
        self._admission = admission
        self._keeping = keeping
        self._explanation = explanation
        self._directory = directory
        self._seals = seals

    async def Authenticate(
        self, request: pb.AuthenticateRequest, context: Context
    ) -> pb.AuthenticateResponse:
        issued = await self._authentication.authenticate(request.credential)
        return pb.AuthenticateResponse(
            token=issued.token,
            expire_time=issued.expires,
            principal=principal_message(issued.principal),
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
        require_service(caller_of(context), *_METERED)
        snapshot, segment = None, admitted_segment(request)
        if segment.number > 1:
            snapshot = self._seals.open_snapshot(request.snapshot, request.turn, request.tenant)
            segment = segment_of(snapshot, segment.number, segment.attempt)
        granted = await self._admission.admit(
            segment,
            estimate_of(request),
            prices_of(request.prices),
            own_keys_of(request.prices),
            snapshot,
        )
        return pb.AdmitResponse(
            slot_ttl=SLOT_TTL,
            snapshot=request.snapshot if snapshot else self._seals.seal_snapshot(granted.snapshot),
            grant=self._grant(granted),
            plan=granted.snapshot.plan,
        )

    async def Extend(self, request: pb.ExtendRequest, context: Context) -> pb.ExtendResponse:
        require_service(caller_of(context), _RUNTIME)
        snapshot = self._seals.open_snapshot(request.snapshot, request.turn, request.tenant)
        estimate = estimate_of(request)
        assert estimate is not None  # noqa: S101 -- the proto requires it
        granted = await self._admission.extend(
            snapshot, request.segment, request.step, request.attempt, estimate
        )
        return pb.ExtendResponse(grant=self._grant(granted))

    async def Settle(self, request: pb.SettleRequest, context: Context) -> pb.SettleResponse:
        require_service(caller_of(context), *_METERED)
        snapshot = self._seals.open_snapshot(request.snapshot, request.turn, request.tenant)
        usage = [usage_of(each) for each in request.usage]
        cost = await self._keeping.settle(snapshot, request.segment, usage)
        if request.ends:
            await self._keeping.release(
                snapshot.tenant, snapshot.turn, request.segment, settled=True
            )
        return pb.SettleResponse(cost_micro_usd=cost)

    async def Release(self, request: pb.ReleaseRequest, context: Context) -> pb.ReleaseResponse:
        require_service(caller_of(context), *_METERED)
        await self._keeping.release(
            UUID(request.tenant), UUID(request.turn), request.segment, settled=request.settled
        )
        return pb.ReleaseResponse()

    async def Heartbeat(
        self, request: pb.HeartbeatRequest, context: Context
    ) -> pb.HeartbeatResponse:
        require_service(caller_of(context), _RUNTIME)
        beat = await self._keeping.renew(
            [running_turn(slot) for slot in request.slots],
            [
                receipt
                for slot in request.slots
                if slot.receipt
                and (receipt := self._seals.open_receipt(slot.receipt, slot.turn, slot.tenant))
            ],
        )
        return pb.HeartbeatResponse(
            revoked=[
                pb.HeartbeatResponse.RevokedTurn(turn=str(turn), reason=reason)
                for turn, reason in beat.revoked
            ],
            missing_holds=map(str, beat.missing),
        )

    async def ExplainAdmission(
        self, request: pb.ExplainAdmissionRequest, context: Context
    ) -> pb.ExplainAdmissionResponse:
        caller = caller_of(context)
        require_role(caller, "admin")
        await self._directory.get_principal(caller, request.principal)
        explained = await self._explanation.explain(
            explained_segment(request, caller.tenant),
            estimate_of(request),
            prices_of(request.prices),
            own_keys_of(request.prices),
        )
        return explanation_message(explained)

    def _grant(self, granted: Granted) -> pb.Grant:
        receipt = self._seals.seal_receipt(granted.receipt) if granted.receipt else b""
        return grant_message(granted, receipt)


def _revocation_message(revocation: Revocation) -> pb.Revocation:
    return pb.Revocation(
        id=revocation.id,
        key=str(revocation.key) if revocation.key else "",
        principal=str(revocation.principal),
        tenant=str(revocation.tenant),
        revoke_time=revocation.revoked,
        generation=revocation.generation,
    )
