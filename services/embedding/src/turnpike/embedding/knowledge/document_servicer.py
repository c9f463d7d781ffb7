"""DocumentService: wire ↔ model."""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC
from uuid import UUID

from turnpike.api.embedding.v1 import document_pb2
from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.api.embedding.v1.document_service_pb2_grpc import DocumentServiceServicer
from turnpike.embedding.knowledge import uploads
from turnpike.embedding.knowledge.change_rows import NEWEST
from turnpike.embedding.knowledge.model import Draft, Place
from turnpike.embedding.knowledge.reading import Reading
from turnpike.embedding.knowledge.reverting import Reverting
from turnpike.embedding.knowledge.summarizing import Summarizing
from turnpike.embedding.knowledge.watching import Watching
from turnpike.embedding.knowledge.wire import (
    asker_of,
    author_of,
    change_to_wire,
    document_to_wire,
    expected_of,
    indexing_to_wire,
    place_of,
    reversal_to_wire,
    revision_to_wire,
    tenant_of,
)
from turnpike.embedding.knowledge.writing import Writing, Written
from turnpike.rpc.errors import InvalidArgumentError, ServiceError
from turnpike.rpc.hearing import hear_upload
from turnpike.rpc.paging import cursor_of, number, page_size, page_token, text
from turnpike.rpc.served import Context


class DocumentServicer(DocumentServiceServicer):
    """Serves turnpike.api.embedding.v1.DocumentService."""

    def __init__(
        self,
        writing: Writing,
        reading: Reading,
        reverting: Reverting,
        watching: Watching,
        summarizing: Summarizing,
    ) -> None:
        self._writing = writing
        self._reading = reading
        self._reverting = reverting
        self._watching = watching
        self._summarizing = summarizing

    async def PutDocument(
        self, request: pb.PutDocumentRequest, context: Context
    ) -> pb.PutDocumentResponse:
        author = author_of(context, request, request.turn)
        place = place_of(request, expected_of(request))
        written = await self._writing.put(author, place, _draft(request))
        return pb.PutDocumentResponse(
            document=await self._document(author.tenant, place, written),
            change=change_to_wire(written.change, request.collection),
        )

    async def UploadDocument(
        self, request_iterator: AsyncIterator[pb.UploadDocumentRequest], context: Context
    ) -> pb.UploadDocumentResponse:
        most = self._writing.max_upload_bytes
        await context.send_initial_metadata(((uploads.MAX_BYTES, str(most)),))
        try:
            header = await uploads.header_of(request_iterator)
            request, parts = header.document, uploads.parts_of(request_iterator)
            author = author_of(context, request, request.turn)
            place = place_of(request, expected_of(request))
            draft = _draft(request)
            written = await self._writing.upload(author, place, draft, parts, header.sha256)
        except ServiceError:
            await hear_upload(request_iterator, most)
            raise
        return pb.UploadDocumentResponse(
            document=await self._document(author.tenant, place, written),
            change=change_to_wire(written.change, request.collection),
        )

    async def EditDocument(
        self, request: pb.EditDocumentRequest, context: Context
    ) -> pb.EditDocumentResponse:
        author = author_of(context, request, request.turn)
        place = place_of(request, expected_of(request))
        written = await self._writing.edit(author, place, request.old_text, request.new_text)
        return pb.EditDocumentResponse(
            document=await self._document(author.tenant, place, written),
            change=change_to_wire(written.change, request.collection),
        )

    async def GetDocument(
        self, request: pb.GetDocumentRequest, context: Context
    ) -> pb.GetDocumentResponse:
        found = await self._reading.get(tenant_of(context), place_of(request))
        return pb.GetDocumentResponse(document=document_to_wire(found, request.collection))

    async def WatchDocument(
        self, request: pb.WatchDocumentRequest, context: Context
    ) -> AsyncGenerator[pb.WatchDocumentResponse]:
        async for indexing in self._watching.watch(tenant_of(context), place_of(request)):
            yield pb.WatchDocumentResponse(indexing=indexing_to_wire(indexing))

    async def ReadDocument(
        self, request: pb.ReadDocumentRequest, context: Context
    ) -> pb.ReadDocumentResponse:
        excerpt = await self._reading.lines(
            tenant_of(context),
            place_of(request),
            revision=request.revision,
            first=request.first_line,
            last=request.last_line,
            characters=request.max_characters,
        )
        return pb.ReadDocumentResponse(
            document=document_to_wire(excerpt.document, request.collection),
            text=excerpt.text,
            first_line=excerpt.first_line,
            last_line=excerpt.last_line,
            lines=excerpt.lines,
            truncated=excerpt.truncated,
        )

    async def SummarizeDocument(
        self, request: pb.SummarizeDocumentRequest, context: Context
    ) -> pb.SummarizeDocumentResponse:
        made = await self._summarizing.summarize(
            asker_of(context),
            place_of(request),
            revision=request.revision,
            words=request.words,
        )
        return pb.SummarizeDocumentResponse(
            summary=made.text, digest=made.digest.hex(), calls=made.calls
        )

    async def ReadOriginal(
        self, request: pb.ReadOriginalRequest, context: Context
    ) -> AsyncGenerator[pb.ReadOriginalResponse]:
        content, parts = await self._reading.original(
            tenant_of(context), place_of(request), revision=request.revision
        )
        yield pb.ReadOriginalResponse(media_type=content.media_type, size=content.size)
        async for part in parts:
            yield pb.ReadOriginalResponse(content=part)

    async def ListDocuments(
        self, request: pb.ListDocumentsRequest, context: Context
    ) -> pb.ListDocumentsResponse:
        (after,) = cursor_of(request.page_token, text) or ("",)
        size = page_size(request.page_size)
        found = await self._reading.page(
            tenant_of(context),
            request.collection,
            request.folder,
            shallow=request.shallow,
            after=after,
            limit=size + 1,
        )
        is_more = len(found) > size
        return pb.ListDocumentsResponse(
            documents=[document_to_wire(each, request.collection) for each in found[:size]],
            next_page_token=page_token(found[size - 1].shape.path) if is_more else "",
        )

    async def ListFolders(
        self, request: pb.ListFoldersRequest, context: Context
    ) -> pb.ListFoldersResponse:
        (after,) = cursor_of(request.page_token, text) or ("",)
        size = page_size(request.page_size)
        found = await self._reading.folders(
            tenant_of(context), request.collection, request.folder, after=after, limit=size + 1
        )
        return pb.ListFoldersResponse(
            folders=found[:size],
            next_page_token=page_token(found[size - 1]) if len(found) > size else "",
        )

    async def CreateFolder(
        self, request: pb.CreateFolderRequest, context: Context
    ) -> pb.CreateFolderResponse:
        author = author_of(context, request, request.turn)
        written = await self._writing.make_folder(author, request.collection, request.path)
        return pb.CreateFolderResponse(change=change_to_wire(written.change, request.collection))

    async def MoveDocument(
        self, request: pb.MoveDocumentRequest, context: Context
    ) -> pb.MoveDocumentResponse:
        author = author_of(context, request, request.turn)
        place = place_of(request, expected_of(request))
        written = await self._writing.move(author, place, request.new_path)
        return pb.MoveDocumentResponse(change=change_to_wire(written.change, request.collection))

    async def DeleteDocument(
        self, request: pb.DeleteDocumentRequest, context: Context
    ) -> pb.DeleteDocumentResponse:
        author = author_of(context, request, request.turn)
        written = await self._writing.delete(author, place_of(request, expected_of(request)))
        return pb.DeleteDocumentResponse(change=change_to_wire(written.change, request.collection))

    async def DeleteFolder(
        self, request: pb.DeleteFolderRequest, context: Context
    ) -> pb.DeleteFolderResponse:
        author = author_of(context, request, request.turn)
        written = await self._writing.delete_folder(
            author, request.collection, request.path, recursive=request.recursive
        )
        return pb.DeleteFolderResponse(change=change_to_wire(written.change, request.collection))

    async def ListRevisions(
        self, request: pb.ListRevisionsRequest, context: Context
    ) -> pb.ListRevisionsResponse:
        (before,) = cursor_of(request.page_token, number) or (NEWEST,)
        size = page_size(request.page_size)
        found, changes = await self._reading.history(
            tenant_of(context), place_of(request), before=before, limit=size + 1
        )
        return pb.ListRevisionsResponse(
            revisions=[
                revision_to_wire(each, changes[each.change], request.collection)
                for each in found[:size]
            ],
            next_page_token=page_token(found[size - 1].number) if len(found) > size else "",
        )

    async def GetDiff(self, request: pb.GetDiffRequest, context: Context) -> pb.GetDiffResponse:
        # `from` is a word of Python's.
        older: int = getattr(request, "from")
        difference = await self._reading.diff(
            tenant_of(context), place_of(request), older, request.to
        )
        changes, name = difference.changes, request.collection
        revisions = {
            field: revision_to_wire(revision, changes[revision.change], name)
            for field, revision in (("from", difference.older), ("to", difference.newer))
            if revision is not None
        }
        return pb.GetDiffResponse(**revisions, diff=difference.diff, truncated=difference.truncated)

    async def ListChanges(
        self, request: pb.ListChangesRequest, context: Context
    ) -> pb.ListChangesResponse:
        if not request.collection and not request.turn:
            raise InvalidArgumentError("collection", "is needed, or a turn")
        (before,) = cursor_of(request.page_token, number) or (NEWEST,)
        size = page_size(request.page_size)
        tenant = tenant_of(context)
        found = await self._reading.changes(
            tenant,
            collection=request.collection,
            folder=request.folder,
            turn=UUID(request.turn) if request.turn else None,
            before=before,
            limit=size + 1,
        )
        names = await self._reading.names(tenant, {each.collection for each in found})
        return pb.ListChangesResponse(
            changes=[change_to_wire(each, names[each.collection]) for each in found[:size]],
            next_page_token=page_token(found[size - 1].id) if len(found) > size else "",
        )

    async def RevertDocument(
        self, request: pb.RevertDocumentRequest, context: Context
    ) -> pb.RevertDocumentResponse:
        author = author_of(context, request)
        place = place_of(request, request.expected_revision)
        written = await self._reverting.document(
            author, place, request.revision, force=request.force
        )
        return pb.RevertDocumentResponse(
            document=await self._document(author.tenant, place, written),
            change=change_to_wire(written.change, request.collection),
        )

    async def RevertChanges(
        self, request: pb.RevertChangesRequest, context: Context
    ) -> pb.RevertChangesResponse:
        _require_one_target(request)
        author = author_of(context)
        since = request.since.ToDatetime(UTC) if request.HasField("since") else None
        reversals = await self._reverting.changes(
            author,
            collection=request.collection,
            change=request.change,
            turn=UUID(request.turn) if request.turn else None,
            folder=request.folder,
            since=since,
            force=request.force,
        )
        concerned = {each.change.collection for each in reversals}
        names = await self._reading.names(author.tenant, concerned)
        return pb.RevertChangesResponse(
            reversals=[reversal_to_wire(each, names) for each in reversals]
        )

    async def _document(
        self, tenant: UUID, place: Place, written: Written
    ) -> document_pb2.Document:
        # A request that had nothing to do, asked for again, tells no document.
        document = written.document or await self._reading.get(tenant, place)
        return document_to_wire(document, place.collection)


def _require_one_target(request: pb.RevertChangesRequest) -> None:
    targets = [bool(request.turn), bool(request.change), bool(request.folder)]
    if sum(targets) != 1:
        raise InvalidArgumentError("turn", "give one of turn, change and folder")
    if request.folder and not (request.collection and request.HasField("since")):
        raise InvalidArgumentError("since", "a folder needs its collection, and a moment")


def _draft(request: pb.PutDocumentRequest) -> Draft:
    return Draft(
        content=request.content,
        media_type=request.media_type,
        title=request.title,
        metadata=dict(request.metadata),
    )
