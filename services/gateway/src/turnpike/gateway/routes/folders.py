"""Folders of documents."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.api.embedding.v1.document_service_pb2_grpc import DocumentServiceStub
from turnpike.gateway.routes import document_shapes as shapes
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.placing import FOLDERS, Key, Place, done
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance

_FOLDER = f"{FOLDERS}/{{path:path}}"


class FolderRoutes:
    """`/api/v1/collections/{collection}/folders`."""

    def __init__(self, documents: DocumentServiceStub) -> None:
        self._documents = documents

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        reads, writes = problems(404, 409), problems(404, 409, 413, 415, 422)
        for path, endpoint, method, model, responses in (
            (FOLDERS, self.list_folders, "GET", shapes.FolderPage, reads),
            (_FOLDER, self.put_folder, "PUT", shapes.Done, writes),
            (_FOLDER, self.delete_folder, "DELETE", shapes.Done, writes),
        ):
            router.add_api_route(
                path, endpoint, methods=[method], response_model=model, responses=responses
            )
        return router

    async def list_folders(
        self,
        call: CurrentCall,
        collection: str,
        page: Page,
        folder: Annotated[str, Query(max_length=1024)] = "",
    ) -> Response:
        """Lists the folders below a folder by path, the empty ones too."""
        request = pb.ListFoldersRequest(collection=collection, folder=folder, **page)
        response = await call.read(self._documents.ListFolders, request)
        return reply(
            shapes.FolderPage(
                folders=list(response.folders), next_page_token=response.next_page_token
            )
        )

    async def put_folder(
        self, call: CurrentCall, collection: str, path: Place, key: Key = ""
    ) -> Response:
        """Makes a folder, and those above it."""
        request = pb.CreateFolderRequest(collection=collection, path=path, request_id=key)
        return done(await call.change(self._documents.CreateFolder, request))

    async def delete_folder(
        self,
        call: CurrentCall,
        collection: str,
        path: Place,
        recursive: Annotated[bool, Query(description="With everything in it.")] = False,
        key: Key = "",
    ) -> Response:
        """Deletes a folder: an empty one, or everything in it too."""
        request = pb.DeleteFolderRequest(
            collection=collection, path=path, recursive=recursive, request_id=key
        )
        return done(await call.change(self._documents.DeleteFolder, request))
