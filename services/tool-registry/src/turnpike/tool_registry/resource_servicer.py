"""ResourceService: wire ↔ model."""

from collections.abc import AsyncGenerator
from itertools import islice
from uuid import UUID

from turnpike.api.tool_registry.v1 import resource_service_pb2 as pb
from turnpike.api.tool_registry.v1.resource_service_pb2_grpc import ResourceServiceServicer
from turnpike.rpc.errors import ForbiddenError
from turnpike.rpc.identity import Caller, require_service
from turnpike.rpc.served import Context, caller_of
from turnpike.tool_registry.reading import Reading
from turnpike.tool_registry.resources import Part, Resource

_PART = 500


class ResourceServicer(ResourceServiceServicer):
    """Serves turnpike.api.tool_registry.v1.ResourceService."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def ListResources(
        self, request: pb.ListResourcesRequest, context: Context
    ) -> AsyncGenerator[pb.ListResourcesResponse]:
        caller = _embedding(context)
        shelf = await self._reading.list_all(
            UUID(caller.tenant), caller.principal, request.connector
        )
        left = iter(shelf.resources.values())
        while part := list(islice(left, _PART)):
            yield pb.ListResourcesResponse(resources=map(_resource_to_wire, part))
        yield pb.ListResourcesResponse(incomplete=shelf.incomplete)

    async def ReadResource(
        self, request: pb.ReadResourceRequest, context: Context
    ) -> pb.ReadResourceResponse:
        caller = _embedding(context)
        parts = await self._reading.read(
            UUID(caller.tenant),
            caller.principal,
            request.connector,
            request.uri,
            max_bytes=request.max_bytes,
            seconds=request.timeout.ToTimedelta().total_seconds(),
        )
        return pb.ReadResourceResponse(parts=map(_part_to_wire, parts))


def _embedding(context: Context) -> Caller:
    caller = caller_of(context)
    require_service(caller, "embedding")
    if not caller.tenant:
        raise ForbiddenError("a connector is a tenant's")
    return caller


def _resource_to_wire(resource: Resource) -> pb.Resource:
    return pb.Resource(
        uri=resource.uri,
        name=resource.name,
        title=resource.title,
        media_type=resource.media_type,
        size=resource.size,
        mark=resource.mark,
    )


def _part_to_wire(part: Part) -> pb.ReadResourceResponse.Part:
    return pb.ReadResourceResponse.Part(
        uri=part.uri, media_type=part.media_type, content=part.content, is_text=part.is_text
    )
