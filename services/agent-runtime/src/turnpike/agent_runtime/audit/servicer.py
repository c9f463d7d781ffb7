"""Serves turnpike.api.agent_runtime.v1.AuditService."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.audit import store
from turnpike.agent_runtime.audit.model import Head
from turnpike.agent_runtime.audit.store import Recorded
from turnpike.agent_runtime.callers import person_of
from turnpike.api.agent_runtime.v1 import audit_service_pb2 as pb
from turnpike.api.agent_runtime.v1.audit_service_pb2_grpc import AuditServiceServicer
from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.paging import cursor_of, number, page_size, page_token
from turnpike.rpc.served import Context


class AuditServicer(AuditServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.AuditService."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Context
    ) -> pb.ListAuditEntriesResponse:
        tenant = person_of(context, least="admin").tenant
        size, cursor = page_size(request.page_size), cursor_of(request.page_token, number, number)
        after = cursor or (request.after_position, 0)
        anchor = None
        if request.turn:
            found = await self._of_turn(tenant, request.turn, after[1], size + 1)
        else:
            anchor, found = await self._chain(tenant, after, size + 1)
        more = _token(found[size - 1], is_chain=not request.turn) if len(found) > size else ""
        return pb.ListAuditEntriesResponse(
            entries=[_entry_to_proto(each) for each in found[:size]],
            next_page_token=more,
            anchor=pb.AuditAnchor(position=anchor.position, hash=anchor.hash) if anchor else None,
        )

    async def _of_turn(self, tenant: UUID, turn: str, after: int, limit: int) -> list[Recorded]:
        async with tenant_transaction(self._engine, tenant) as connection:
            return await store.of_turn(connection, tenant, turn, after, limit)

    async def _chain(
        self, tenant: UUID, after: tuple[int, int], limit: int
    ) -> tuple[Head | None, list[Recorded]]:
        """Returns where the chain begins, if that is after there, what is sealed, what is not."""
        position, beyond = after
        async with tenant_transaction(self._engine, tenant) as connection:
            if beyond:
                return None, await store.unsealed_after(connection, tenant, beyond, limit)
            # What is sealed between the two is found by both, and not by neither.
            beyond_it = await store.unsealed_after(connection, tenant, 0, limit)
            anchor, found = await store.sealed_after(connection, tenant, position, limit)
        known = {each.number for each in found}
        both = [*found, *(each for each in beyond_it if each.number not in known)]
        return anchor, both[:limit]


def _token(last: Recorded, *, is_chain: bool) -> str:
    # Of the chain a position says where one is, beyond its end a number does.
    if is_chain and last.position:
        return page_token(last.position, 0)
    return page_token(0, last.number or 0)


def _entry_to_proto(recorded: Recorded) -> pb.AuditEntry:
    return pb.AuditEntry(
        position=recorded.position, hash=recorded.hash, entry=recorded.document or ""
    )
