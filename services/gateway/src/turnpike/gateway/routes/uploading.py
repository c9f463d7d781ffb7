"""Sending bytes on, as they come."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc

from turnpike.api.agent_runtime.v1 import file_service_pb2 as pb
from turnpike.api.agent_runtime.v1.file_service_pb2_grpc import FileServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.problems import ProblemError, of_remote
from turnpike.gateway.requests import ClientGoneError
from turnpike.gateway.uploads import Upload
from turnpike.rpc.errors import from_rpc_error

UPLOAD_SECONDS = 900.0
"""How slowly it may come."""

_CHUNK = 1 << 20
_LIMIT = "turnpike-max-bytes"


async def keep_upload(
    call: Call, files: FileServiceStub, upload: Upload, names: Mapping[str, str]
) -> pb.File:
    """Returns the file that an upload is kept as.

    Args:
        call: The request's way to the services.
        files: Who keeps them.
        upload: The bytes; they are read no further than is kept.
        names: What the caller calls the fields; see `of_remote`.

    Raises:
        ProblemError: It is refused.
        ClientGoneError: The client hung up.
    """
    sending = files.UploadFile(metadata=await call.metadata(), timeout=UPLOAD_SECONDS)
    header = pb.FileHeader(name=upload.name, media_type=upload.media_type)
    first = pb.UploadFileRequest(header=header)
    response = await streamed(
        sending, first, upload.chunks, lambda part: pb.UploadFileRequest(chunk=part), names
    )
    return response.file


async def streamed(
    sending: Any,
    first: Any,
    chunks: AsyncIterator[bytes],
    message: Callable[[bytes], Any],
    names: Mapping[str, str],
) -> Any:
    """Returns what a service answers to a header and the bytes after it.

    Args:
        sending: The call; it tells first how many bytes it listens to.
        first: The header.
        chunks: The bytes; they are read no further than that.
        message: Makes a message of some of them.
        names: What the caller calls the fields; see `of_remote`.

    Raises:
        ProblemError: It is refused.
        ClientGoneError: The client hung up.
    """
    try:
        await _write(sending, first, chunks, message)
        return await sending
    except grpc.aio.AioRpcError as error:
        raise of_remote(from_rpc_error(error), names) from error
    except (ProblemError, ClientGoneError):
        sending.cancel()
        raise


async def _write(
    sending: Any, first: Any, chunks: AsyncIterator[bytes], message: Callable[[bytes], Any]
) -> None:
    most = dict(await sending.initial_metadata()).get(_LIMIT)
    if most is None:
        # It was refused. Whoever writes then is told INTERNAL instead of why.
        return
    await sending.write(first)
    left = int(most)
    async for chunk in chunks:
        for at in range(0, len(chunk), _CHUNK):
            await sending.write(message(chunk[at : at + _CHUNK]))
        left -= len(chunk)
        if left < 0:
            break
    await sending.done_writing()
