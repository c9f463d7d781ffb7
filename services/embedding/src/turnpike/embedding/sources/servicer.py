"""SourceService: wire ↔ model."""

from turnpike.api.embedding.v1 import source_service_pb2 as pb
from turnpike.api.embedding.v1.source_service_pb2_grpc import SourceServiceServicer
from turnpike.embedding.knowledge.change_rows import NEWEST
from turnpike.embedding.knowledge.wire import tenant_of
from turnpike.embedding.sources.configuring import Sources
from turnpike.embedding.sources.wire import (
    CHANGES,
    item_to_wire,
    run_to_wire,
    source_to_wire,
    to_item_state,
    to_new_source,
)
from turnpike.rpc.errors import ForbiddenError
from turnpike.rpc.paging import cursor_of, number, page_size, page_token, text
from turnpike.rpc.served import Context, caller_of


class SourceServicer(SourceServiceServicer):
    """Serves turnpike.api.embedding.v1.SourceService."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def UpdateSource(
        self, request: pb.UpdateSourceRequest, context: Context
    ) -> pb.UpdateSourceResponse:
        principal = caller_of(context).principal
        if not principal:
            raise ForbiddenError("a source reads in a principal's name")
        source, change = await self._sources.put(
            tenant_of(context),
            principal,
            to_new_source(request.source),
            etag=request.etag,
            allow_missing=request.allow_missing,
            validate_only=request.validate_only,
        )
        return pb.UpdateSourceResponse(source=source_to_wire(source), change=CHANGES[change])

    async def GetSource(
        self, request: pb.GetSourceRequest, context: Context
    ) -> pb.GetSourceResponse:
        found = await self._sources.get(tenant_of(context), request.name)
        return pb.GetSourceResponse(source=source_to_wire(found))

    async def ListSources(
        self, request: pb.ListSourcesRequest, context: Context
    ) -> pb.ListSourcesResponse:
        (after,) = cursor_of(request.page_token, text) or ("",)
        size = page_size(request.page_size)
        found = await self._sources.page(
            tenant_of(context), collection=request.collection, after=after, limit=size + 1
        )
        return pb.ListSourcesResponse(
            sources=[source_to_wire(each) for each in found[:size]],
            next_page_token=page_token(found[size - 1].name) if len(found) > size else "",
        )

    async def DeleteSource(
        self, request: pb.DeleteSourceRequest, context: Context
    ) -> pb.DeleteSourceResponse:
        await self._sources.delete(tenant_of(context), request.name, request.etag)
        return pb.DeleteSourceResponse()

    async def RunSource(
        self, request: pb.RunSourceRequest, context: Context
    ) -> pb.RunSourceResponse:
        run = await self._sources.run(tenant_of(context), request.name, anew=request.anew)
        return pb.RunSourceResponse(run=run_to_wire(run))

    async def ListSourceRuns(
        self, request: pb.ListSourceRunsRequest, context: Context
    ) -> pb.ListSourceRunsResponse:
        (before,) = cursor_of(request.page_token, number) or (NEWEST,)
        size = page_size(request.page_size)
        found = await self._sources.runs(
            tenant_of(context), request.name, before=before, limit=size + 1
        )
        return pb.ListSourceRunsResponse(
            runs=[run_to_wire(each) for each in found[:size]],
            next_page_token=page_token(found[size - 1].id) if len(found) > size else "",
        )

    async def ListSourceItems(
        self, request: pb.ListSourceItemsRequest, context: Context
    ) -> pb.ListSourceItemsResponse:
        (after,) = cursor_of(request.page_token, text) or ("",)
        size = page_size(request.page_size)
        found = await self._sources.items(
            tenant_of(context),
            request.name,
            state=to_item_state(request.state),
            after=after,
            limit=size + 1,
        )
        return pb.ListSourceItemsResponse(
            items=[item_to_wire(each) for each in found[:size]],
            next_page_token=page_token(found[size - 1].uri) if len(found) > size else "",
        )
