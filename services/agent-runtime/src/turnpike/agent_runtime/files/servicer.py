"""Serves turnpike.api.agent_runtime.v1.FileService."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from uuid import UUID

from turnpike.agent_runtime.callers import person_of
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.agent_runtime.files.catalogue import Files
from turnpike.agent_runtime.files.model import File
from turnpike.api.agent_runtime.v1 import file_service_pb2 as pb
from turnpike.api.agent_runtime.v1.file_service_pb2_grpc import FileServiceServicer
from turnpike.rpc.errors import InvalidArgumentError, ServiceError
from turnpike.rpc.hearing import hear_upload
from turnpike.rpc.paging import cursor_of, moment, page_size, page_token
from turnpike.rpc.served import Context
from turnpike.rpc.validation import check_request

_LIFETIME = timedelta(minutes=10)


class FileServicer(FileServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.FileService."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def UploadFile(
        self, request_iterator: AsyncIterator[pb.UploadFileRequest], context: Context
    ) -> pb.UploadFileResponse:
        person = person_of(context, least="member")
        limit = self._files.limit
        await context.send_initial_metadata((("turnpike-max-bytes", str(limit)),))
        try:
            header = await _header(request_iterator)
            file = await self._files.upload(
                person,
                name=header.name,
                media_type=header.media_type,
                chunks=_chunks(request_iterator),
            )
        except ServiceError:
            await hear_upload(request_iterator, limit)
            raise
        return pb.UploadFileResponse(file=_file_to_proto(file))

    async def GetFile(self, request: pb.GetFileRequest, context: Context) -> pb.GetFileResponse:
        file = await self._files.get(person_of(context), _identifier(request.id))
        return pb.GetFileResponse(file=_file_to_proto(file))

    async def ListFiles(
        self, request: pb.ListFilesRequest, context: Context
    ) -> pb.ListFilesResponse:
        size = page_size(request.page_size)
        files = await self._files.page(
            person_of(context), before=cursor_of(request.page_token, moment, UUID), limit=size + 1
        )
        last = files[size - 1] if len(files) > size else None
        return pb.ListFilesResponse(
            files=[_file_to_proto(file) for file in files[:size]],
            next_page_token=page_token(last.created, last.id) if last else "",
        )

    async def ReadFile(
        self, request: pb.ReadFileRequest, context: Context
    ) -> AsyncGenerator[pb.ReadFileResponse]:
        reading = self._files.read(
            person_of(context), _identifier(request.id), request.start, request.end or None
        )
        async with aclosing(reading) as chunks:
            async for chunk in chunks:
                yield pb.ReadFileResponse(chunk=chunk)

    async def GetFileLink(
        self, request: pb.GetFileLinkRequest, context: Context
    ) -> pb.GetFileLinkResponse:
        lifetime = request.lifetime.ToTimedelta() if request.HasField("lifetime") else _LIFETIME
        url = await self._files.link(person_of(context), _identifier(request.id), lifetime)
        return pb.GetFileLinkResponse(url=url, expire_time=datetime.now(UTC) + lifetime)

    async def DeleteFile(
        self, request: pb.DeleteFileRequest, context: Context
    ) -> pb.DeleteFileResponse:
        await self._files.delete(person_of(context, least="member"), _identifier(request.id))
        return pb.DeleteFileResponse()


async def _header(requests: AsyncIterator[pb.UploadFileRequest]) -> pb.FileHeader:
    async for request in requests:
        check_request(request)
        if request.HasField("header"):
            return request.header
        break
    raise InvalidArgumentError("header", "must come first")


async def _chunks(requests: AsyncIterator[pb.UploadFileRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        check_request(request)
        if request.HasField("header"):
            raise InvalidArgumentError("header", "comes once")
        yield request.chunk


def _identifier(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError("file", text) from None


def _file_to_proto(file: File) -> pb.File:
    return pb.File(
        id=str(file.id),
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=file.digest,
        create_time=file.created,
    )
