"""ArtifactService: wire ↔ model."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

from turnpike.api.tool_registry.v1 import artifact_service_pb2 as pb
from turnpike.api.tool_registry.v1.artifact_service_pb2_grpc import ArtifactServiceServicer
from turnpike.rpc.errors import ForbiddenError, NotFoundError
from turnpike.rpc.served import Context, caller_of
from turnpike.tool_registry.artifacts import Artifact
from turnpike.tool_registry.ownership import Who
from turnpike.tool_registry.shelving import Shelf

_ADMINS = frozenset({"owner", "admin"})


class ArtifactServicer(ArtifactServiceServicer):
    """Serves turnpike.api.tool_registry.v1.ArtifactService."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def GetArtifact(
        self, request: pb.GetArtifactRequest, context: Context
    ) -> pb.GetArtifactResponse:
        found = await self._shelf.get(*_who(context), _identifier(request.id))
        return pb.GetArtifactResponse(artifact=_to_wire(found))

    async def ListArtifacts(
        self, request: pb.ListArtifactsRequest, context: Context
    ) -> pb.ListArtifactsResponse:
        found = await self._shelf.of_turn(*_who(context), _identifier(request.turn))
        return pb.ListArtifactsResponse(artifacts=[_to_wire(each) for each in found])

    async def ReadArtifact(
        self, request: pb.ReadArtifactRequest, context: Context
    ) -> AsyncGenerator[pb.ReadArtifactResponse]:
        reading = self._shelf.read(
            *_who(context), _identifier(request.id), request.start, request.end or None
        )
        async with aclosing(reading) as chunks:
            async for chunk in chunks:
                yield pb.ReadArtifactResponse(chunk=chunk)


def _who(context: Context) -> tuple[UUID, Who]:
    caller = caller_of(context)
    if not caller.tenant:
        raise ForbiddenError("an artifact is a tenant's")
    is_admin = caller.role in _ADMINS or not caller.principal
    return UUID(caller.tenant), Who(caller.principal, is_admin)


def _identifier(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError(f"there is no artifact {text!r}", kind="artifact", id=text) from None


def _to_wire(artifact: Artifact) -> pb.Artifact:
    return pb.Artifact(
        id=str(artifact.id),
        turn=str(artifact.turn),
        effect=artifact.effect,
        name=artifact.name,
        media_type=artifact.media_type,
        size=artifact.size,
        sha256=artifact.digest,
        create_time=artifact.created,
    )
