"""Asking gatekeeper whether a turn may run, and keeping its slot."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import grpc

from turnpike.agent_runtime.turns.model import Turn
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import (
    AdmitRequest,
    HeartbeatRequest,
    ReleaseRequest,
)
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.rpc.errors import from_rpc_error

_ADMIT_SECONDS = 5.0
_PATIENCE_SECONDS = 3.0
_SOON = timedelta(milliseconds=250)
_HEARTBEAT_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What gatekeeper needs to know of a turn that runs."""

    turn: UUID
    tenant: UUID
    principal: UUID
    api_key: str


class Admission:
    """Gatekeeper's door, as agent-runtime sees it."""

    def __init__(self, gatekeeper: GatekeeperServiceStub) -> None:
        self._gatekeeper = gatekeeper

    async def admit(self, turn: Turn) -> None:
        """Takes a slot for the turn.

        Who is told to come back in a moment does so: right after Redis lost its
        state gatekeeper lets nobody in until the running turns have registered.

        Raises:
            RemoteError: Refused, or gatekeeper does not answer.
        """
        request = AdmitRequest(
            turn=str(turn.id),
            tenant=str(turn.tenant),
            principal=str(turn.principal),
            key=turn.api_key,
            attempt=turn.attempt,
            segment=1,
        )
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _PATIENCE_SECONDS
        while True:
            try:
                await self._gatekeeper.Admit(request, timeout=_ADMIT_SECONDS)
            except grpc.aio.AioRpcError as error:
                refusal = from_rpc_error(error)
            else:
                return
            delay = (refusal.retry_after or _SOON).total_seconds()
            away = refusal.code is grpc.StatusCode.UNAVAILABLE
            if not away or loop.time() + delay > give_up_at:
                raise refusal
            await asyncio.sleep(delay)

    async def release(self, slot: Slot) -> None:
        """Gives the slot back; a slot that cannot be given back lapses by itself."""
        request = ReleaseRequest(turn=str(slot.turn), tenant=str(slot.tenant))
        try:
            await self._gatekeeper.Release(request, timeout=_HEARTBEAT_SECONDS)
        except grpc.aio.AioRpcError:
            return

    async def heartbeat(self, replica: UUID, slots: list[Slot]) -> dict[UUID, str]:
        """Renews slots, and returns the turns that must stop, with their reasons.

        Raises:
            RemoteError: Gatekeeper does not answer.
        """
        request = HeartbeatRequest(
            replica=str(replica),
            slots=[
                HeartbeatRequest.Slot(
                    turn=str(slot.turn),
                    tenant=str(slot.tenant),
                    principal=str(slot.principal),
                    key=slot.api_key,
                )
                for slot in slots
            ],
        )
        try:
            reply = await self._gatekeeper.Heartbeat(request, timeout=_HEARTBEAT_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        return {UUID(revoked.turn): revoked.reason for revoked in reply.revoked}
