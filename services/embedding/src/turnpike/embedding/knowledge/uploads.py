"""Documents whose bytes come in parts, as messages."""

from collections.abc import AsyncIterator

from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.rpc.validation import check_request

MAX_BYTES = "turnpike-max-bytes"
"""The initial metadata that tells how many bytes are listened to."""


async def header_of(requests: AsyncIterator[pb.UploadDocumentRequest]) -> pb.DocumentHeader:
    """Returns what the first message says of the document."""
    async for request in requests:
        check_request(request)
        if request.HasField("header"):
            if request.header.document.content:
                raise InvalidArgumentError("header.document.content", "comes in parts")
            return request.header
        break
    raise InvalidArgumentError("header", "must come first")


async def parts_of(requests: AsyncIterator[pb.UploadDocumentRequest]) -> AsyncIterator[bytes]:
    """Yields the bytes that all further messages bring."""
    async for request in requests:
        check_request(request)
        if request.HasField("header"):
            raise InvalidArgumentError("header", "comes once")
        yield request.chunk
