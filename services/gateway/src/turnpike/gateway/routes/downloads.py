"""Sending bytes that a service streams."""

from collections.abc import AsyncGenerator
from typing import Any

import grpc
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from turnpike.gateway.calls import Call
from turnpike.gateway.problems import of_remote
from turnpike.gateway.ranges import Content, Portion, portion
from turnpike.rpc.errors import from_rpc_error

# Of whichever type they are.
_ANY: dict[str, Any] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes; `ETag` is their SHA-256.", "content": _ANY},
    206: {"description": "The range that was asked for.", "content": _ANY},
    304: {"description": "They are what `If-None-Match` names."},
}


async def sent(
    call: Call, method: Any, message: Any, content: Content, request: Request
) -> Response:
    """Returns a response with what a request asks for of a service's bytes.

    Args:
        call: The request's way to the service.
        method: The stub's, which streams `chunk`s from `start` to `end`.
        message: Its request, but for these.
        content: What the bytes are.
        request: What is asked for.

    Raises:
        ProblemError: The range is outside, or the service refuses.
    """
    wanted = portion(request.scope, content)
    if wanted.is_empty or request.method == "HEAD":
        return Response(status_code=wanted.status, headers=dict(wanted.headers))
    return await _streamed(call, method, message, wanted)


async def _streamed(call: Call, method: Any, message: Any, wanted: Portion) -> Response:
    message.start, message.end = wanted.start, wanted.end
    reading: Any = method(message, metadata=await call.metadata())
    try:
        first: Any = await reading.read()
    except grpc.aio.AioRpcError as error:
        raise of_remote(from_rpc_error(error)) from error
    return StreamingResponse(_chunks(reading, first), wanted.status, dict(wanted.headers))


async def _chunks(reading: Any, first: Any) -> AsyncGenerator[bytes]:
    chunk = first
    try:
        while chunk is not grpc.aio.EOF:
            yield chunk.chunk
            chunk = await reading.read()
    finally:
        reading.cancel()
