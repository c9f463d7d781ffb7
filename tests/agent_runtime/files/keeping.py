"""Files of a tenant's: uploading them, and looking where their bytes are."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from tests.agent_runtime.serving import Metadata, Tenant
from turnpike.agent_runtime.settings import Settings
from turnpike.api.agent_runtime.v1 import file_service_pb2 as pb
from turnpike.blobs.model import Blob
from turnpike.blobs.opening import open_store

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
TEXT = b"It is raining in Z\xc3\xbcrich."


def requests(
    *chunks: bytes, name: str = "notes.txt", media_type: str = ""
) -> Sequence[pb.UploadFileRequest]:
    """Returns the messages of an upload."""
    header = pb.FileHeader(name=name, media_type=media_type)
    return [
        pb.UploadFileRequest(header=header),
        *(pb.UploadFileRequest(chunk=chunk) for chunk in chunks),
    ]


async def stream(
    messages: Sequence[pb.UploadFileRequest],
) -> AsyncIterator[pb.UploadFileRequest]:
    for message in messages:
        yield message


async def upload(
    tenant: Tenant,
    *chunks: bytes,
    name: str = "notes.txt",
    media_type: str = "",
    metadata: Metadata | None = None,
) -> pb.File:
    """Uploads a file."""
    response = await tenant.runtime.files.UploadFile(
        stream(requests(*chunks, name=name, media_type=media_type)),
        metadata=metadata or tenant.admin,
    )
    return response.file


async def download(
    tenant: Tenant, file: str, start: int = 0, end: int = 0, metadata: Metadata | None = None
) -> bytes:
    """Returns a file's bytes."""
    request = pb.ReadFileRequest(id=file, start=start, end=end)
    reading = tenant.runtime.files.ReadFile(request, metadata=metadata or tenant.admin)
    return b"".join([response.chunk async for response in reading])


async def listed(tenant: Tenant, metadata: Metadata | None = None) -> list[pb.File]:
    """Returns a tenant's files."""
    response = await tenant.runtime.files.ListFiles(
        pb.ListFilesRequest(), metadata=metadata or tenant.admin
    )
    return list(response.files)


async def delete(tenant: Tenant, file: str, metadata: Metadata | None = None) -> None:
    """Deletes a file."""
    await tenant.runtime.files.DeleteFile(
        pb.DeleteFileRequest(id=file), metadata=metadata or tenant.admin
    )


async def blobs_of(settings: Settings, tenant: Tenant) -> list[Blob]:
    """Returns what is kept of a tenant's bytes."""
    store = open_store(settings, "agent-runtime")
    return [each.blob async for each in store.listed(UUID(tenant.id))]
