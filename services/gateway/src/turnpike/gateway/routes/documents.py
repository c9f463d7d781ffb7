"""Documents: what is in them, and how they become others."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Any

import grpc
from fastapi import APIRouter, Query, Response
from starlette.responses import StreamingResponse

from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.api.embedding.v1.document_service_pb2_grpc import DocumentServiceStub
from turnpike.gateway.problems import invalid_field, of_remote
from turnpike.gateway.routes import document_shapes as shapes
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.placing import DOCUMENT, DOCUMENTS, Key, Place, done
from turnpike.gateway.routes.replies import FRAME, problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.rpc.errors import from_rpc_error

Number = Annotated[int, Query(ge=0, lt=2**63)]
Line = Annotated[int, Query(ge=0, le=100_000_000)]
Expected = Annotated[
    int | None, Query(ge=1, lt=2**63, description="Fail with 409 unless this is its revision.")
]


# A long document is many calls of a model.
_SUMMARY_PATIENCE = timedelta(minutes=10)


class DocumentRoutes:
    """`/api/v1/collections/{collection}/documents`."""

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
            (DOCUMENTS, self.list_documents, "GET", shapes.DocumentPage, reads),
            (f"{DOCUMENT}:read", self.read_document, "GET", shapes.Excerpt, reads),
            (f"{DOCUMENT}:summarize", self.summarize_document, "POST", shapes.Summary, writes),
            (f"{DOCUMENT}:original", self.read_original, "GET", None, original),
            (f"{DOCUMENT}:status", self.watch_document, "GET", None, stream),
            (f"{DOCUMENT}:edit", self.edit_document, "POST", shapes.Written, writes),
            (f"{DOCUMENT}:move", self.move_document, "POST", shapes.Done, writes),
            (DOCUMENT, self.get_document, "GET", shapes.Document, reads),
            (DOCUMENT, self.put_document, "PUT", shapes.Written, writes),
            (DOCUMENT, self.delete_document, "DELETE", shapes.Done, writes),
        ):
            router.add_api_route(
                path, endpoint, methods=[method], response_model=model, responses=responses
            )
        return router

    async def list_documents(
        self,
        call: CurrentCall,
        collection: str,
        page: Page,
        folder: Annotated[str, Query(max_length=1024)] = "",
        shallow: Annotated[bool, Query(description="Not those of folders below.")] = False,
    ) -> Response:
        """Lists a folder's documents by path."""
        request = pb.ListDocumentsRequest(
            collection=collection, folder=folder, shallow=shallow, **page
        )
        response = await call.read(self._documents.ListDocuments, request)
        documents = [shapes.to_document(each) for each in response.documents]
        return reply(
            shapes.DocumentPage(documents=documents, next_page_token=response.next_page_token)
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
        return shapes.written(response)

    async def edit_document(
        self, call: CurrentCall, collection: str, path: Place, body: shapes.Edit, key: Key = ""
    ) -> Response:
        """Replaces a part of a document's text, which must be in it exactly once."""
        request = pb.EditDocumentRequest(
            collection=collection, path=path, request_id=key, **body.model_dump()
        )
        return shapes.written(await call.change(self._documents.EditDocument, request))

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
        return done(await call.change(self._documents.MoveDocument, request, {"new_path": "path"}))

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
        return done(await call.change(self._documents.DeleteDocument, request))

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


async def _begun(stream: Any) -> Any:
    """Returns a stream's first message; what refuses it is a problem, and no broken stream."""
    try:
        return await anext(aiter(stream))
    except grpc.aio.AioRpcError as error:
        raise of_remote(from_rpc_error(error)) from error


def _frame(response: pb.WatchDocumentResponse) -> bytes:
    indexing = shapes.to_indexing(response.indexing)
    return b"event: indexing\ndata: " + indexing.model_dump_json().encode() + b"\n\n"
