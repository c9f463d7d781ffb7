"""Has the tool registry forget what calls of deleted turns brought."""

from collections.abc import Callable, Sequence
from uuid import UUID

import grpc

from turnpike.api.tool_registry.v1.tool_call_service_pb2 import ForgetTurnsRequest
from turnpike.api.tool_registry.v1.tool_call_service_pb2_grpc import ToolCallServiceStub
from turnpike.rpc.errors import from_rpc_error

_SECONDS = 10.0


class Forgetting:
    """Calls for tenants, for no person: whose the turns were is of no matter."""

    def __init__(
        self,
        calls: ToolCallServiceStub,
        metadata: Callable[[UUID], Sequence[tuple[str, str]]],
    ) -> None:
        self._calls = calls
        self._metadata = metadata

    async def forget(self, tenant: UUID, turns: Sequence[UUID]) -> None:
        """Forgets up to 500 turns, for ever; raises `RemoteError`."""
        request = ForgetTurnsRequest(turns=[str(turn) for turn in turns])
        try:
            await self._calls.ForgetTurns(
                request, timeout=_SECONDS, metadata=self._metadata(tenant)
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
