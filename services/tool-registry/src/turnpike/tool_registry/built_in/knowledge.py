"""The tools of `builtin:knowledge`: what a call asks of the embedding service, and its receipt."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
import orjson

from turnpike.api.embedding.v1 import collection_service_pb2 as collections_pb
from turnpike.api.embedding.v1 import document_pb2, search_service_pb2
from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.api.embedding.v1.collection_service_pb2_grpc import CollectionServiceStub
from turnpike.api.embedding.v1.document_service_pb2_grpc import DocumentServiceStub
from turnpike.api.embedding.v1.search_service_pb2_grpc import SearchServiceStub
from turnpike.rpc.errors import RemoteError, answered

Arguments: TypeAlias = Mapping[str, Any]
Metadata: TypeAlias = tuple[tuple[str, str], ...]

IDEMPOTENT = tuple(
    f"turnpike.api.embedding.v1.{name}"
    for name in (
        "CollectionService/ListCollections",
        "DocumentService/DeleteDocument",
        "DocumentService/EditDocument",
        "DocumentService/ListDocuments",
        "DocumentService/MoveDocument",
        "DocumentService/PutDocument",
        "DocumentService/ReadDocument",
        "SearchService/Search",
    )
)
"""What may be called again when it is not answered: changes have their effect's id."""

_PAGE = 200
_SECONDS = 30.0
_CHARACTERS = 100_000
_UNANSWERED = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


class UnansweredError(Exception):
    """It is not known what became of a call: to ask again under its effect's id finds out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """In whose name a tool is called, and as which effect."""

    metadata: Metadata
    effect: str
    """`turn:step:ordinal`."""

    @property
    def turn(self) -> str:
        """The turn that calls."""
        return self.effect.partition(":")[0]


class Knowledge:
    """Calls the embedding service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._documents = DocumentServiceStub(channel)
        self._collections = CollectionServiceStub(channel)
        self._search = SearchServiceStub(channel)
        self._tools: dict[str, Callable[[Asker, Arguments], Awaitable[dict[str, Any]]]] = {
            "search_knowledge": self._search_knowledge,
            "list_documents": self._list,
            "read_document": self._read,
            "write_document": self._write,
            "edit_document": self._edit,
            "move_document": self._move,
            "delete_document": self._delete,
        }

    async def call(self, tool: str, asker: Asker, arguments: Arguments) -> dict[str, Any]:
        """Returns a tool's MCP result: a receipt for what is done and committed, or an error.

        Raises:
            UnansweredError: The service did not answer.
        """
        try:
            found = await self._tools[tool](asker, arguments)
        except RemoteError as error:
            if error.code in _UNANSWERED:
                raise UnansweredError(str(error)) from error
            return _failed(error)
        return {"content": [_text(orjson.dumps(found).decode())], "structuredContent": found}

    async def _ask(self, method: Any, asker: Asker, request: Any) -> Any:
        return await answered(method(request, metadata=asker.metadata, timeout=_SECONDS))

    async def _search_knowledge(self, asker: Asker, arguments: Arguments) -> dict[str, Any]:
        request = search_service_pb2.SearchRequest(
            query=arguments["query"],
            limit=arguments.get("limit", 0),
            max_tokens=arguments.get("max_tokens", 0),
            plan=arguments.get("plan", False),
            filter=search_service_pb2.SearchFilter(
                collections=arguments.get("collections", []),
                folder=arguments.get("folder", ""),
                time_zone=arguments.get("time_zone", ""),
            ),
        )
        response = await self._ask(self._search.Search, asker, request)
        return {"passages": [_passage(result) for result in response.results], **_planned(response)}

    async def _list(self, asker: Asker, arguments: Arguments) -> dict[str, Any]:
        if "collection" not in arguments:
            request = collections_pb.ListCollectionsRequest(
                page_size=_PAGE, page_token=arguments.get("page_token", "")
            )
            response = await self._ask(self._collections.ListCollections, asker, request)
            return {
                "collections": [each.name for each in response.collections],
                "next_page_token": response.next_page_token,
            }
        request = pb.ListDocumentsRequest(
            collection=arguments["collection"],
            folder=arguments.get("folder", ""),
            page_size=_PAGE,
            page_token=arguments.get("page_token", ""),
        )
        response = await self._ask(self._documents.ListDocuments, asker, request)
        return {
            "documents": [_document(each) for each in response.documents],
            "next_page_token": response.next_page_token,
        }

    async def _read(self, asker: Asker, arguments: Arguments) -> dict[str, Any]:
        request = pb.ReadDocumentRequest(**arguments, max_characters=_CHARACTERS)
        response = await self._ask(self._documents.ReadDocument, asker, request)
        return {
            **_document(response.document),
            "text": response.text,
            "first_line": response.first_line,
            "last_line": response.last_line,
            "lines": response.lines,
            "truncated": response.truncated,
        }

    async def _write(self, asker: Asker, arguments: Arguments) -> dict[str, Any]:
        others = {key: value for key, value in arguments.items() if key != "text"}
        request = pb.PutDocumentRequest(
            content=arguments["text"].encode(), request_id=asker.effect, turn=asker.turn, **others
        )
        return _receipt(await self._ask(self._documents.PutDocument, asker, request))

    async def _edit(self, asker: Asker, arguments: Arguments) -> dict[str, Any]:
        request = pb.EditDocumentRequest(request_id=asker.effect, turn=asker.turn, **arguments)
        return _receipt(await self._ask(self._documents.EditDocument, asker, request))

    async def _move(self, asker: Asker, arguments: Arguments) -> dict[str, Any]:
        request = pb.MoveDocumentRequest(request_id=asker.effect, turn=asker.turn, **arguments)
        return _receipt(await self._ask(self._documents.MoveDocument, asker, request))

    async def _delete(self, asker: Asker, arguments: Arguments) -> dict[str, Any]:
        request = pb.DeleteDocumentRequest(request_id=asker.effect, turn=asker.turn, **arguments)
        return _receipt(await self._ask(self._documents.DeleteDocument, asker, request))


def _receipt(response: Any) -> dict[str, Any]:
    """Returns what a model is told of what is committed."""
    change: document_pb2.Change = response.change
    return {
        "change": change.id,
        "committed": change.id != 0,
        "documents": [
            {"path": each.path, "old_path": each.old_path, "revision": each.revision}
            for each in change.documents
        ],
    }


def _document(document: document_pb2.Document) -> dict[str, Any]:
    return {
        "path": document.path,
        "title": document.title,
        "media_type": document.media_type,
        "revision": document.revision,
    }


def _planned(response: search_service_pb2.SearchResponse) -> dict[str, Any]:
    """Returns what was searched beside the query, so that a model sees what was left out."""
    if not response.planned:
        return {}
    return {"planned": response.planned, "since": response.since, "until": response.until}


def _passage(result: search_service_pb2.SearchResult) -> dict[str, Any]:
    return {
        "collection": result.collection,
        "path": result.path,
        "title": result.title,
        "revision": result.revision,
        "first_line": result.first_line,
        "last_line": result.last_line,
        "headings": list(result.headings),
        "text": result.header + result.text,
    }


def _failed(error: RemoteError) -> dict[str, Any]:
    told = {"error": error.reason or error.code.name, "message": error.message}
    details = {**told, **error.metadata}
    return {"isError": True, "content": [_text(orjson.dumps(details).decode())]}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
