"""Keeping bytes as a file, as they come."""

from collections.abc import Mapping
from typing import Any

import grpc

from turnpike.api.agent_runtime.v1 import file_service_pb2 as pb
from turnpike.api.agent_runtime.v1.file_service_pb2_grpc import FileServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.problems import ProblemError, of_remote
from turnpike.gateway.requests import ClientGoneError
from turnpike.gateway.uploads import Upload
from turnpike.rpc.errors import from_rpc_error

# However slowly it comes.
_UPLOAD_SECONDS = 900.0
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
    sending: Any = files.UploadFile(metadata=await call.metadata(), timeout=_UPLOAD_SECONDS)
    try:
        await _write(sending, upload)
        return (await sending).file
    except grpc.aio.AioRpcError as error:
        raise of_remote(from_rpc_error(error), names) from error
    except (ProblemError, ClientGoneError):
        sending.cancel()
        raise


async def _write(sending: Any, upload: Upload) -> None:
    most = dict(await sending.initial_metadata()).get(_LIMIT)
    if most is None:
        # It was refused. Whoever writes then is told INTERNAL instead of why.
        return
    header = pb.FileHeader(name=upload.name, media_type=upload.media_type)
    await sending.write(pb.UploadFileRequest(header=header))
    left = int(most)
    async for chunk in upload.chunks:
        for at in range(0, len(chunk), _CHUNK):
            await sending.write(pb.UploadFileRequest(chunk=chunk[at : at + _CHUNK]))
        left -= len(chunk)
        if left < 0:
            break
    await sending.done_writing()
