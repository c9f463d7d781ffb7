"""What documents were: revisions, differences, changes, and taking them back."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.api.embedding.v1.document_service_pb2_grpc import DocumentServiceStub
from turnpike.gateway.routes import change_shapes as changes
from turnpike.gateway.routes import document_shapes as shapes
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.placing import DOCUMENT, Key, Place
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import in_utc


class RevisionRoutes:
    """`…/documents/{path}:revisions` and the like, and `/api/v1/changes`."""

    def __init__(self, documents: DocumentServiceStub) -> None:
        self._documents = documents

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        reads, writes = problems(404, 409), problems(404, 409, 413, 415, 422)
        for path, endpoint, method, model, responses in (
            (f"{DOCUMENT}:revisions", self.list_revisions, "GET", changes.RevisionPage, reads),
            (f"{DOCUMENT}:diff", self.get_diff, "GET", changes.Diff, reads),
            (f"{DOCUMENT}:revert", self.revert_document, "POST", shapes.Written, writes),
            ("/api/v1/changes", self.list_changes, "GET", changes.ChangePage, reads),
            ("/api/v1/changes:revert", self.revert_changes, "POST", changes.Reversals, writes),
        ):
            router.add_api_route(
                path, endpoint, methods=[method], response_model=model, responses=responses
            )
        return router

    async def revert_document(
        self, call: CurrentCall, collection: str, path: Place, body: shapes.Return, key: Key = ""
    ) -> Response:
        """Makes a document what it was at a revision, vectors included."""
        request = pb.RevertDocumentRequest(
            collection=collection, path=path, request_id=key, **body.model_dump()
        )
        return shapes.written(await call.change(self._documents.RevertDocument, request))

    async def list_revisions(
        self, call: CurrentCall, collection: str, path: Place, page: Page
    ) -> Response:
        """Lists a document's revisions, the newest first."""
        request = pb.ListRevisionsRequest(collection=collection, path=path, **page)
        response = await call.read(self._documents.ListRevisions, request)
        revisions = [changes.to_revision(each) for each in response.revisions]
        return reply(
            changes.RevisionPage(revisions=revisions, next_page_token=response.next_page_token)
        )

    async def get_diff(
        self,
        call: CurrentCall,
        collection: str,
        path: Place,
        older: Annotated[int, Query(ge=0, lt=2**63, alias="from")] = 0,
        newer: Annotated[int, Query(ge=0, lt=2**63, alias="to")] = 0,
    ) -> Response:
        """Compares two revisions: without `to` the newest, without `from` the one before."""
        request = pb.GetDiffRequest(collection=collection, path=path, to=newer, **{"from": older})
        response = await call.read(self._documents.GetDiff, request)
        return reply(changes.Diff(diff=response.diff, truncated=response.truncated))

    async def list_changes(
        self,
        call: CurrentCall,
        page: Page,
        collection: Annotated[str, Query(max_length=63)] = "",
        folder: Annotated[str, Query(max_length=1024)] = "",
        turn: Annotated[str, Query(pattern=r"^([0-9a-f-]{36})?$")] = "",
    ) -> Response:
        """Lists changes, the newest first: of a collection, a folder or a turn."""
        request = pb.ListChangesRequest(collection=collection, folder=folder, turn=turn, **page)
        response = await call.read(self._documents.ListChanges, request)
        found = [changes.to_change(each) for each in response.changes]
        return reply(changes.ChangePage(changes=found, next_page_token=response.next_page_token))

    async def revert_changes(self, call: CurrentCall, body: changes.Reverted) -> Response:
        """Takes changes back, the newest first, each whole or not at all."""
        request = pb.RevertChangesRequest(
            collection=body.collection,
            turn=body.turn,
            change=body.change,
            folder=body.folder,
            force=body.force,
        )
        since = in_utc("since", body.since)
        if since is not None:
            request.since.FromDatetime(since)
        response = await call.change(self._documents.RevertChanges, request)
        return reply(
            changes.Reversals(reversals=[changes.to_reversal(each) for each in response.reversals])
        )
