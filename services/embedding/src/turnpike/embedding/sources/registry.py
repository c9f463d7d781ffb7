"""Tool-registry, which speaks to the servers that sources read."""

from datetime import timedelta
from uuid import UUID

import grpc

from turnpike.api.tool_registry.v1 import resource_service_pb2 as pb
from turnpike.api.tool_registry.v1.resource_service_pb2_grpc import ResourceServiceStub
from turnpike.embedding.sources.errors import ItemError, ItemSkippedError, RunEndedError
from turnpike.embedding.sources.model import Job, Listing, Part, Resource
from turnpike.rpc.errors import RemoteError, UnavailableError, from_rpc_error
from turnpike.rpc.identity import Signer

_LIST_SECONDS = 90.0
# What tool-registry itself needs, around the time that the server has.
_GRACE_SECONDS = 10.0
_AWAY = timedelta(seconds=5)
_OF_ALL = frozenset({"CONNECTOR_UNUSABLE", "RESOURCES_UNSUPPORTED"})


class Registry:
    """Lists and reads in the name of each source's principal.

    Args:
        stub: Tool-registry's.
        signer: This service's.
        read_seconds: How long a server may take for a resource.
        max_bytes: Of a resource.
    """

    def __init__(
        self, stub: ResourceServiceStub, signer: Signer, *, read_seconds: float, max_bytes: int
    ) -> None:
        self._stub = stub
        self._signer = signer
        self._seconds = read_seconds
        self.max_bytes = max_bytes

    async def list_all(self, job: Job) -> Listing:
        """Returns what a source's server lists.

        Raises:
            RunEndedError: There is no list to be had.
            UnavailableError: Tool-registry does not answer.
        """
        resources, incomplete = list[Resource](), False
        request = pb.ListResourcesRequest(connector=job.spec.connector)
        stream = self._stub.ListResources(
            request, metadata=self._metadata(job.tenant, job.principal), timeout=_LIST_SECONDS
        )
        try:
            async for response in stream:
                resources += map(_to_resource, response.resources)
                incomplete = response.incomplete
        except grpc.aio.AioRpcError as error:
            remote = from_rpc_error(error)
            _require_answer(remote)
            raise RunEndedError(remote.reason or remote.code.name, remote.message) from error
        return Listing(resources, incomplete)

    async def read(self, job: Job, uri: str) -> list[Part]:
        """Returns what a resource has in it.

        Raises:
            ItemError: It cannot be read now.
            ItemSkippedError: It is too large.
            RunEndedError: Nothing can be read now.
            UnavailableError: Tool-registry does not answer.
        """
        request = pb.ReadResourceRequest(
            connector=job.spec.connector,
            uri=uri,
            max_bytes=self.max_bytes,
            timeout=timedelta(seconds=self._seconds),
        )
        try:
            response = await self._stub.ReadResource(
                request,
                metadata=self._metadata(job.tenant, job.principal),
                timeout=self._seconds + _GRACE_SECONDS,
            )
        except grpc.aio.AioRpcError as error:
            raise _read_failure(from_rpc_error(error)) from error
        return [
            Part(media_type=part.media_type, content=part.content, is_text=part.is_text)
            for part in response.parts
        ]

    def _metadata(self, tenant: UUID, principal: str) -> tuple[tuple[str, str], ...]:
        return self._signer.metadata_for(tenant, principal)


def _read_failure(remote: RemoteError) -> Exception:
    _require_answer(remote)
    reason = remote.reason or remote.code.name
    if reason in _OF_ALL or remote.metadata.get("kind") == "connector":
        return RunEndedError(reason, remote.message)
    if reason == "RESOURCE_TOO_LARGE":
        return ItemSkippedError(reason, remote.message)
    return ItemError(reason, remote.message)


def _require_answer(remote: RemoteError) -> None:
    if remote.code is grpc.StatusCode.UNAVAILABLE:
        raise UnavailableError("tool-registry does not answer", retry_after=_AWAY)


def _to_resource(message: pb.Resource) -> Resource:
    return Resource(
        uri=message.uri,
        name=message.name,
        title=message.title,
        media_type=message.media_type,
        size=message.size,
        mark=message.mark,
    )
