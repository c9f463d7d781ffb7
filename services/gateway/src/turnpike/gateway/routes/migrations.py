"""Collections' migrations to other models."""

from fastapi import APIRouter, Response

from turnpike.api.embedding.v1 import collection_service_pb2 as pb
from turnpike.api.embedding.v1.collection_service_pb2_grpc import CollectionServiceStub
from turnpike.gateway.routes.migration_shapes import Migration, NewMigration, to_migration
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance

_PATH = "/api/v1/collections/{collection:name}/migration"


class MigrationRoutes:
    """`/api/v1/collections/{collection}/migration`."""

    def __init__(self, collections: CollectionServiceStub) -> None:
        self._collections = collections

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        changes = problems(404, 409, 412, 413, 415)
        for path, endpoint, method, status, responses in (
            (_PATH, self.create_migration, "POST", 202, changes),
            (_PATH, self.get_migration, "GET", 200, problems(404)),
            (f"{_PATH}:activate", self.activate_migration, "POST", 200, changes),
            (_PATH, self.delete_migration, "DELETE", 200, changes),
        ):
            router.add_api_route(
                path,
                endpoint,
                methods=[method],
                response_model=Migration,
                status_code=status,
                responses=responses,
            )
        return router

    async def create_migration(
        self, call: CurrentCall, collection: str, body: NewMigration
    ) -> Response:
        """Begins to give a collection's documents vectors of another model."""
        request = pb.CreateMigrationRequest(collection=collection, model=body.model)
        response = await call.change(self._collections.CreateMigration, request)
        return reply(to_migration(response.migration), 202)

    async def get_migration(self, call: CurrentCall, collection: str) -> Response:
        """Returns how a collection's migration fares, or its last one fared."""
        request = pb.GetMigrationRequest(collection=collection)
        response = await call.read(self._collections.GetMigration, request)
        return reply(to_migration(response.migration))

    async def activate_migration(self, call: CurrentCall, collection: str) -> Response:
        """Has searches compare the new vectors; the old ones are dropped."""
        request = pb.ActivateMigrationRequest(collection=collection)
        response = await call.change(self._collections.ActivateMigration, request)
        return reply(to_migration(response.migration))

    async def delete_migration(self, call: CurrentCall, collection: str) -> Response:
        """Gives a migration up; the new vectors are dropped."""
        request = pb.DeleteMigrationRequest(collection=collection)
        response = await call.change(self._collections.DeleteMigration, request)
        return reply(to_migration(response.migration))
