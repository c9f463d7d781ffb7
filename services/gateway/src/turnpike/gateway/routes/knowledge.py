"""Documents: what is in them, what becomes of them, and what they were."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Any

import grpc
from fastapi import APIRouter, Header, Path, Query, Response
from starlette.responses import StreamingResponse

from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.api.embedding.v1.document_service_pb2_grpc import DocumentServiceStub
from turnpike.gateway.problems import invalid_field, of_remote
from turnpike.gateway.routes import knowledge_shapes as shapes
from turnpike.gateway.routes.replies import FRAME, problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import PageSize, PageToken, in_utc
from turnpike.rpc.errors import from_rpc_error

_DOCUMENTS = "/api/v1/collections/{collection:name}/documents"
_DOCUMENT = f"{_DOCUMENTS}/{{path:path}}"
_FOLDERS = "/api/v1/collections/{collection:name}/folders"
_FOLDER = f"{_FOLDERS}/{{path:path}}"

Place = Annotated[str, Path(max_length=1024, description="A path, or a document's id.")]
Key = Annotated[
    str,
    Header(
        max_length=128,
        alias="Idempotency-Key",
        description="The same key and payload make the same change once.",
    ),
]
Number = Annotated[int, Query(ge=0, lt=2**63)]
Line = Annotated[int, Query(ge=0, le=100_000_000)]
Expected = Annotated[
    int | None, Query(ge=1, lt=2**63, description="Fail with 409 unless this is its revision.")
]

# A long document is many calls of a model.
_SUMMARY_PATIENCE = timedelta(minutes=10)


class DocumentRoutes:
    """`/api/v1/collections/{collection}/documents` and `…/folders`."""

    def __init__(self, documents: DocumentServiceStub) -> None:
        self._documents = documents

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        reads, writes = problems(404, 409), problems(404, 409, 413, 415, 422)
        stream = {
            **problems(404),
            200: {
                "description": "`event: indexing`, whenever it changed, until it is over.",
                "content": {"text/event-stream": {"schema": FRAME}},
            },
        }
        original = {**reads, 200: {"description": "The bytes.", "content": {"*/*": {}}}}
        for path, endpoint, method, model, responses in (
            (_DOCUMENTS, self.list_documents, "GET", shapes.DocumentPage, reads),
            (f"{_DOCUMENT}:read", self.read_document, "GET", shapes.Excerpt, reads),
            (f"{_DOCUMENT}:summarize", self.summarize_document, "POST", shapes.Summary, writes),
            (f"{_DOCUMENT}:original", self.read_original, "GET", None, original),
            (f"{_DOCUMENT}:status", self.watch_document, "GET", None, stream),
            (f"{_DOCUMENT}:revisions", self.list_revisions, "GET", shapes.RevisionPage, reads),
            (f"{_DOCUMENT}:diff", self.get_diff, "GET", shapes.Diff, reads),
            (f"{_DOCUMENT}:edit", self.edit_document, "POST", shapes.Written, writes),
            (f"{_DOCUMENT}:move", self.move_document, "POST", shapes.Done, writes),
            (f"{_DOCUMENT}:revert", self.revert_document, "POST", shapes.Written, writes),
            (_DOCUMENT, self.get_document, "GET", shapes.Document, reads),
            (_DOCUMENT, self.put_document, "PUT", shapes.Written, writes),
            (_DOCUMENT, self.delete_document, "DELETE", shapes.Done, writes),
            (_FOLDERS, self.list_folders, "GET", shapes.FolderPage, reads),
            (_FOLDER, self.put_folder, "PUT", shapes.Done, writes),
            (_FOLDER, self.delete_folder, "DELETE", shapes.Done, writes),
            ("/api/v1/changes", self.list_changes, "GET", shapes.ChangePage, reads),
            ("/api/v1/changes:revert", self.revert_changes, "POST", shapes.Reversals, writes),
        ):
            router.add_api_route(
                path, endpoint, methods=[method], response_model=model, responses=responses
            )
        return router

    async def list_documents(
        self,
        call: CurrentCall,
        collection: str,
        folder: Annotated[str, Query(max_length=1024)] = "",
        shallow: Annotated[bool, Query(description="Not those of folders below.")] = False,
        page_size: PageSize = 50,
        page_token: PageToken = "",
    ) -> Response:
        """Lists a folder's documents by path."""
        request = pb.ListDocumentsRequest(
            collection=collection,
            folder=folder,
            shallow=shallow,
            page_size=page_size,
            page_token=page_token,
        )
        response = await call.read(self._documents.ListDocuments, request)
        return reply(
            shapes.DocumentPage(
                documents=[shapes.to_document(each) for each in response.documents],
                next_page_token=response.next_page_token,
            )
        )

    async def get_document(self, call: CurrentCall, collection: str, path: Place) -> Response:
        """Returns a document, how its indexing fares included."""
        request = pb.GetDocumentRequest(collection=collection, path=path)
        response = await call.read(self._documents.GetDocument, request)
        return reply(shapes.to_document(response.document))

    async def put_document(
        self,
        call: CurrentCall,
        collection: str,
        path: Place,
        body: shapes.NewDocument,
        key: Key = "",
    ) -> Response:
        """Writes a document: a new one, or a new revision of the one at its path."""
        if (body.text is None) == (body.base64 is None):
            raise invalid_field("text", "give text, or base64")
        request = pb.PutDocumentRequest(
            collection=collection,
            path=path,
            content=body.base64 if body.text is None else body.text.encode(),
            media_type=body.media_type,
            title=body.title,
            metadata=body.metadata,
            expected_revision=body.expected_revision,
            request_id=key,
        )
        response = await call.change(self._documents.PutDocument, request)
        return _written(response)

    async def edit_document(
        self, call: CurrentCall, collection: str, path: Place, body: shapes.Edit, key: Key = ""
    ) -> Response:
        """Replaces a part of a document's text, which must be in it exactly once."""
        request = pb.EditDocumentRequest(
            collection=collection, path=path, request_id=key, **body.model_dump()
        )
        return _written(await call.change(self._documents.EditDocument, request))

    async def move_document(
        self, call: CurrentCall, collection: str, path: Place, body: shapes.Move, key: Key = ""
    ) -> Response:
        """Moves a document, or a folder with everything in it."""
        request = pb.MoveDocumentRequest(
            collection=collection,
            path=path,
            new_path=body.path,
            expected_revision=body.expected_revision,
            request_id=key,
        )
        return _done(await call.change(self._documents.MoveDocument, request, {"new_path": "path"}))

    async def delete_document(
        self,
        call: CurrentCall,
        collection: str,
        path: Place,
        expected_revision: Expected = None,
        key: Key = "",
    ) -> Response:
        """Deletes a document; its history stays."""
        request = pb.DeleteDocumentRequest(
            collection=collection, path=path, expected_revision=expected_revision, request_id=key
        )
        return _done(await call.change(self._documents.DeleteDocument, request))

    async def revert_document(
        self, call: CurrentCall, collection: str, path: Place, body: shapes.Return, key: Key = ""
    ) -> Response:
        """Makes a document what it was at a revision, vectors included."""
        request = pb.RevertDocumentRequest(
            collection=collection, path=path, request_id=key, **body.model_dump()
        )
        return _written(await call.change(self._documents.RevertDocument, request))

    async def summarize_document(
        self, call: CurrentCall, collection: str, path: Place, body: shapes.Summarize
    ) -> Response:
        """Summarizes a document by the planner model; the same is paid for once."""
        request = pb.SummarizeDocumentRequest(
            collection=collection, path=path, revision=body.revision, words=body.words
        )
        patient = call.patient(_SUMMARY_PATIENCE)
        response = await patient.change(self._documents.SummarizeDocument, request)
        return reply(
            shapes.Summary(summary=response.summary, digest=response.digest, calls=response.calls)
        )

    async def read_document(
        self,
        call: CurrentCall,
        collection: str,
        path: Place,
        revision: Number = 0,
        first_line: Line = 0,
        last_line: Line = 0,
        max_characters: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> Response:
        """Returns lines of a document's text, as it was extracted."""
        request = pb.ReadDocumentRequest(
            collection=collection,
            path=path,
            revision=revision,
            first_line=first_line,
            last_line=last_line,
            max_characters=max_characters,
        )
        response = await call.read(self._documents.ReadDocument, request)
        return reply(
            shapes.Excerpt(
                document=shapes.to_document(response.document),
                text=response.text,
                first_line=response.first_line,
                last_line=response.last_line,
                lines=response.lines,
                truncated=response.truncated,
            )
        )

    async def read_original(
        self, call: CurrentCall, collection: str, path: Place, revision: Number = 0
    ) -> Response:
        """Returns a document's original, byte for byte."""
        request = pb.ReadOriginalRequest(collection=collection, path=path, revision=revision)
        stream = self._documents.ReadOriginal(request, metadata=await call.metadata())
        first = await _begun(stream)

        async def parts() -> AsyncIterator[bytes]:
            async for response in stream:
                yield response.content

        # What a tenant keeps is never a page of ours.
        headers = {
            "content-length": str(first.size),
            "content-disposition": "attachment",
            "x-content-type-options": "nosniff",
        }
        return StreamingResponse(parts(), headers=headers, media_type=first.media_type)

    async def watch_document(self, call: CurrentCall, collection: str, path: Place) -> Response:
        """Streams how a document's indexing fares, until it is ready or has failed."""
        request = pb.WatchDocumentRequest(collection=collection, path=path)
        stream = self._documents.WatchDocument(request, metadata=await call.metadata())
        first = await _begun(stream)

        async def frames() -> AsyncIterator[bytes]:
            yield _frame(first)
            async for response in stream:
                yield _frame(response)

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(frames(), headers=headers, media_type="text/event-stream")

    async def list_revisions(
        self,
        call: CurrentCall,
        collection: str,
        path: Place,
        page_size: PageSize = 50,
        page_token: PageToken = "",
    ) -> Response:
        """Lists a document's revisions, the newest first."""
        request = pb.ListRevisionsRequest(
            collection=collection, path=path, page_size=page_size, page_token=page_token
        )
        response = await call.read(self._documents.ListRevisions, request)
        return reply(
            shapes.RevisionPage(
                revisions=[shapes.to_revision(each) for each in response.revisions],
                next_page_token=response.next_page_token,
            )
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
        return reply(shapes.Diff(diff=response.diff, truncated=response.truncated))

    async def list_folders(
        self,
        call: CurrentCall,
        collection: str,
        folder: Annotated[str, Query(max_length=1024)] = "",
        page_size: PageSize = 50,
        page_token: PageToken = "",
    ) -> Response:
        """Lists the folders below a folder by path, the empty ones too."""
        request = pb.ListFoldersRequest(
            collection=collection, folder=folder, page_size=page_size, page_token=page_token
        )
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
        return _done(await call.change(self._documents.CreateFolder, request))

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
        return _done(await call.change(self._documents.DeleteFolder, request))

    async def list_changes(
        self,
        call: CurrentCall,
        collection: Annotated[str, Query(max_length=63)] = "",
        folder: Annotated[str, Query(max_length=1024)] = "",
        turn: Annotated[str, Query(pattern=r"^([0-9a-f-]{36})?$")] = "",
        page_size: PageSize = 50,
        page_token: PageToken = "",
    ) -> Response:
        """Lists changes, the newest first: of a collection, a folder or a turn."""
        request = pb.ListChangesRequest(
            collection=collection,
            folder=folder,
            turn=turn,
            page_size=page_size,
            page_token=page_token,
        )
        response = await call.read(self._documents.ListChanges, request)
        return reply(
            shapes.ChangePage(
                changes=[shapes.to_change(each) for each in response.changes],
                next_page_token=response.next_page_token,
            )
        )

    async def revert_changes(self, call: CurrentCall, body: shapes.Reverted) -> Response:
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
            shapes.Reversals(reversals=[shapes.to_reversal(each) for each in response.reversals])
        )


def _written(response: Any) -> Response:
    document = shapes.to_document(response.document)
    return reply(
        shapes.Written(document=document, change=shapes.to_change(response.change)),
        headers={"etag": f'"{document.revision}"'},
    )


def _done(response: Any) -> Response:
    return reply(shapes.Done(change=shapes.to_change(response.change)))


async def _begun(stream: Any) -> Any:
    """Returns a stream's first message; what refuses it is a problem, and no broken stream."""
    try:
        return await anext(aiter(stream))
    except grpc.aio.AioRpcError as error:
        raise of_remote(from_rpc_error(error)) from error


def _frame(response: pb.WatchDocumentResponse) -> bytes:
    indexing = shapes.to_indexing(response.indexing)
    return b"event: indexing\ndata: " + indexing.model_dump_json().encode() + b"\n\n"
