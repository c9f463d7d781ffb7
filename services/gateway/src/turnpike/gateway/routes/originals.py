"""Documents' originals on their way in, however large."""

import re
from collections.abc import Mapping

import orjson
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import QueryParams
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.api.embedding.v1.document_service_pb2_grpc import DocumentServiceStub
from turnpike.gateway.problems import invalid_field
from turnpike.gateway.requests import header
from turnpike.gateway.routes import document_shapes as shapes
from turnpike.gateway.routes.placing import DOCUMENT
from turnpike.gateway.routes.route import Entrance
from turnpike.gateway.routes.uploading import UPLOAD_SECONDS, streamed
from turnpike.gateway.uploads import read_body_parts

_KNOWN = ("expected_revision", "media_type", "metadata", "sha256", "title")
_NUMBER = re.compile(r"[0-9]{1,18}")
_METADATA = TypeAdapter(dict[str, str])


class OriginalRoutes:
    """`PUT /api/v1/collections/{collection}/documents/{path}:original`."""

    def __init__(self, entrance: Entrance, documents: DocumentServiceStub) -> None:
        self._entrance = entrance
        self._documents = documents

    def routes(self) -> list[Route]:
        """Returns the route that takes bytes as they come."""
        return [Route(f"{DOCUMENT}:original", self, methods=["PUT"], include_in_schema=False)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Writes a document: what is said of it is the query, and its bytes are the body."""
        call = self._entrance.admit(scope)
        await call.credential.token()
        first = pb.UploadDocumentRequest(header=_header(scope))
        sending = self._documents.UploadDocument(
            metadata=await call.metadata(), timeout=UPLOAD_SECONDS
        )
        response = await streamed(
            sending,
            first,
            read_body_parts(receive),
            lambda part: pb.UploadDocumentRequest(chunk=part),
            _names(),
        )
        await shapes.written(response)(scope, receive, send)


def _header(scope: Scope) -> pb.DocumentHeader:
    query, placed = QueryParams(scope["query_string"]), scope["path_params"]
    for name in query:
        if name not in _KNOWN:
            raise invalid_field(name, "is not known here")
    document = pb.PutDocumentRequest(
        collection=placed["collection"],
        path=placed["path"],
        media_type=query.get("media_type") or header(scope, b"content-type"),
        title=query.get("title", ""),
        metadata=_metadata(query.get("metadata", "")),
        request_id=header(scope, b"idempotency-key"),
    )
    if expected := query.get("expected_revision", ""):
        if not _NUMBER.fullmatch(expected):
            raise invalid_field("expected_revision", "is no number")
        document.expected_revision = int(expected)
    return pb.DocumentHeader(document=document, sha256=query.get("sha256", "").lower())


def _metadata(said: str) -> Mapping[str, str]:
    if not said:
        return {}
    try:
        return _METADATA.validate_python(orjson.loads(said), strict=True)
    except (orjson.JSONDecodeError, ValidationError):
        raise invalid_field("metadata", "is a JSON object of texts") from None


def _names() -> dict[str, str]:
    """Returns what the caller calls the fields."""
    fields = pb.PutDocumentRequest.DESCRIPTOR.fields_by_name
    inner = {f"header.document.{name}": name for name in fields}
    return {**inner, "header.sha256": "sha256", "content": "body", "chunk": "body"}
