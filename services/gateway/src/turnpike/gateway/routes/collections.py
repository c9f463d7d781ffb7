"""Collections of documents."""

from fastapi import APIRouter, Response

from turnpike.api.embedding.v1 import collection_service_pb2 as pb
from turnpike.api.embedding.v1.collection_service_pb2_grpc import CollectionServiceStub
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.collection_shapes import (
    Collection,
    CollectionMetadata,
    CollectionPage,
    CollectionToBe,
    NewCollection,
    to_collection,
)
from turnpike.gateway.routes.parameters import CurrentWrite, IfMatch, Page
from turnpike.gateway.routes.replies import ETAG, RESULT, changed, problems, reply, tagged
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import check_name

_PATH = "/api/v1/collections/{collection:name}"
_NAMES = {"collection.": ""}


class CollectionRoutes:
    """`/api/v1/collections`."""

    def __init__(self, collections: CollectionServiceStub) -> None:
        self._collections = collections

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        changes = problems(404, 409, 412, 413, 415)
        made = {"headers": ETAG | RESULT}
        put = changes | {200: made, 201: made | {"model": Collection}}
        for path, endpoint, method, model, status, responses in (
            ("/api/v1/collections", self.list_collections, "GET", CollectionPage, 200, problems()),
            (_PATH, self.get_collection, "GET", Collection, 200, problems(404)),
            ("/api/v1/collections", self.create_collection, "POST", Collection, 201, changes),
            (_PATH, self.put_collection, "PUT", Collection, 200, put),
            (_PATH, self.patch_collection, "PATCH", Collection, 200, changes),
            (_PATH, self.delete_collection, "DELETE", None, 204, changes),
        ):
            router.add_api_route(
                path,
                endpoint,
                methods=[method],
                response_model=model,
                status_code=status,
                responses=responses,
            )
        return router

    async def list_collections(self, call: CurrentCall, page: Page) -> Response:
        """Lists collections by name."""
        request = pb.ListCollectionsRequest(**page)
        response = await call.read(self._collections.ListCollections, request)
        collections = [to_collection(each) for each in response.collections]
        return reply(
            CollectionPage(collections=collections, next_page_token=response.next_page_token)
        )

    async def create_collection(self, call: CurrentCall, body: NewCollection) -> Response:
        """Creates a collection."""
        request = pb.CreateCollectionRequest(collection=pb.Collection(**body.model_dump()))
        response = await call.change(self._collections.CreateCollection, request, _NAMES)
        made = to_collection(response.collection)
        location = f"/api/v1/collections/{made.name}"
        return reply(made, 201, {"etag": f'"{made.etag}"', "location": location})

    async def get_collection(self, call: CurrentCall, collection: str) -> Response:
        """Returns a collection."""
        request = pb.GetCollectionRequest(name=collection)
        response = await call.read(self._collections.GetCollection, request)
        return tagged(to_collection(response.collection))

    async def put_collection(
        self, call: CurrentCall, collection: str, body: CollectionToBe, write: CurrentWrite
    ) -> Response:
        """Creates a collection, or changes what it says of itself."""
        check_name(body.name, collection)
        wanted = body.model_dump(exclude={"name"})
        request = pb.UpdateCollectionRequest(
            collection=pb.Collection(name=collection, **wanted), **write.update
        )
        response = await call.read(self._collections.UpdateCollection, request, _NAMES)
        return changed(to_collection(response.collection), response.change, write)

    async def patch_collection(
        self, call: CurrentCall, collection: str, body: CollectionMetadata, tag: IfMatch = None
    ) -> Response:
        """Changes what a collection says of itself."""
        request = pb.UpdateCollectionRequest(
            collection=pb.Collection(name=collection, metadata=body.metadata),
            etag=if_match(tag),
        )
        response = await call.change(self._collections.UpdateCollection, request, _NAMES)
        return tagged(to_collection(response.collection))

    async def delete_collection(
        self, call: CurrentCall, collection: str, tag: IfMatch = None
    ) -> Response:
        """Deletes a collection with its documents and all their history, for good."""
        request = pb.DeleteCollectionRequest(name=collection, etag=if_match(tag))
        await call.change(self._collections.DeleteCollection, request)
        return Response(status_code=204)
