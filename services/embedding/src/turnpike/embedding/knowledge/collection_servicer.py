"""CollectionService: wire ↔ model."""

from turnpike.api.embedding.v1 import collection_service_pb2 as pb
from turnpike.api.embedding.v1.collection_service_pb2_grpc import CollectionServiceServicer
from turnpike.embedding.knowledge.collections import Collections
from turnpike.embedding.knowledge.migrating import Migrations
from turnpike.embedding.knowledge.model import Made
from turnpike.embedding.knowledge.wire import (
    collection_to_wire,
    migration_to_wire,
    tenant_of,
    to_new_collection,
)
from turnpike.rpc.paging import cursor_of, page_size, page_token, text
from turnpike.rpc.served import Context, caller_of

_CHANGES = {
    Made.CREATED: pb.COLLECTION_CHANGE_CREATED,
    Made.CHANGED: pb.COLLECTION_CHANGE_CHANGED,
    Made.UNCHANGED: pb.COLLECTION_CHANGE_UNCHANGED,
}


class CollectionServicer(CollectionServiceServicer):
    """Serves turnpike.api.embedding.v1.CollectionService."""

    def __init__(self, collections: Collections, migrations: Migrations) -> None:
        self._collections = collections
        self._migrations = migrations

    async def CreateCollection(
        self, request: pb.CreateCollectionRequest, context: Context
    ) -> pb.CreateCollectionResponse:
        made = await self._collections.create(
            tenant_of(context), to_new_collection(request.collection)
        )
        return pb.CreateCollectionResponse(collection=collection_to_wire(made))

    async def GetCollection(
        self, request: pb.GetCollectionRequest, context: Context
    ) -> pb.GetCollectionResponse:
        found = await self._collections.get(tenant_of(context), request.name)
        return pb.GetCollectionResponse(collection=collection_to_wire(found))

    async def ListCollections(
        self, request: pb.ListCollectionsRequest, context: Context
    ) -> pb.ListCollectionsResponse:
        (after,) = cursor_of(request.page_token, text) or ("",)
        size = page_size(request.page_size)
        found = await self._collections.page(tenant_of(context), after=after, limit=size + 1)
        return pb.ListCollectionsResponse(
            collections=[collection_to_wire(each) for each in found[:size]],
            next_page_token=page_token(found[size - 1].name) if len(found) > size else "",
        )

    async def UpdateCollection(
        self, request: pb.UpdateCollectionRequest, context: Context
    ) -> pb.UpdateCollectionResponse:
        made, change = await self._collections.update(
            tenant_of(context),
            to_new_collection(request.collection),
            request.etag,
            allow_missing=request.allow_missing,
            validate_only=request.validate_only,
        )
        return pb.UpdateCollectionResponse(
            collection=collection_to_wire(made), change=_CHANGES[change]
        )

    async def DeleteCollection(
        self, request: pb.DeleteCollectionRequest, context: Context
    ) -> pb.DeleteCollectionResponse:
        await self._collections.delete(tenant_of(context), request.name, request.etag)
        return pb.DeleteCollectionResponse()

    async def CreateMigration(
        self, request: pb.CreateMigrationRequest, context: Context
    ) -> pb.CreateMigrationResponse:
        shown = await self._migrations.begin(
            tenant_of(context), request.collection, request.model, caller_of(context).principal
        )
        return pb.CreateMigrationResponse(
            migration=migration_to_wire(shown.migration, shown.advance)
        )

    async def GetMigration(
        self, request: pb.GetMigrationRequest, context: Context
    ) -> pb.GetMigrationResponse:
        shown = await self._migrations.get(tenant_of(context), request.collection)
        return pb.GetMigrationResponse(migration=migration_to_wire(shown.migration, shown.advance))

    async def ActivateMigration(
        self, request: pb.ActivateMigrationRequest, context: Context
    ) -> pb.ActivateMigrationResponse:
        shown = await self._migrations.activate(tenant_of(context), request.collection)
        return pb.ActivateMigrationResponse(
            migration=migration_to_wire(shown.migration, shown.advance)
        )

    async def DeleteMigration(
        self, request: pb.DeleteMigrationRequest, context: Context
    ) -> pb.DeleteMigrationResponse:
        shown = await self._migrations.abort(tenant_of(context), request.collection)
        return pb.DeleteMigrationResponse(
            migration=migration_to_wire(shown.migration, shown.advance)
        )
