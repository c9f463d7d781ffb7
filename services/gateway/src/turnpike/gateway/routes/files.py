"""Files: what agents are given with a turn's input."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from google.protobuf.duration_pb2 import Duration
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from turnpike.api.agent_runtime.v1 import file_service_pb2 as pb
from turnpike.api.agent_runtime.v1.file_service_pb2_grpc import FileServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.ranges import Content
from turnpike.gateway.routes.downloads import BYTES, sent
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Time
from turnpike.gateway.routes.uploading import keep_upload
from turnpike.gateway.uploads import read_upload

_NAMES = {"header.name": "name", "header.media_type": "media_type", "chunk": "file"}

Seconds = Annotated[int, Query(ge=1, le=86_400, description="For how long the link is good.")]


class File(Reply):
    """Bytes with a name."""

    id: str
    name: str
    media_type: str
    size: int
    sha256: str
    created: Time


class FilePage(Reply):
    """A page of files, newest first."""

    files: list[File]
    next_page_token: str


class FileLink(Reply):
    """Where the bytes are to be had without a credential."""

    url: str
    expires: Time


class FileRoutes:
    """`/api/v1/files`."""

    def __init__(self, entrance: Entrance, files: FileServiceStub) -> None:
        self._entrance = entrance
        self._files = files

    def routes(self) -> list[Route]:
        """Returns the route that takes bytes as they come."""
        return [Route("/api/v1/files", self, methods=["POST"], include_in_schema=False)]

    def router(self) -> APIRouter:
        """Returns the other routes."""
        router = self._entrance.router()
        one = "/api/v1/files/{file:name}"
        for path, endpoint, method, model, responses in (
            ("/api/v1/files", self.list_files, "GET", FilePage, problems()),
            (f"{one}:link", self.link_file, "POST", FileLink, problems(404, 413, 415)),
            (one, self.get_file, "GET", File, problems(404)),
            (f"{one}/content", self.read_file, "GET", None, BYTES | problems(404, 416)),
        ):
            router.add_api_route(
                path, endpoint, methods=[method], response_model=model, responses=responses
            )
        router.add_api_route(
            one,
            self.delete_file,
            methods=["DELETE"],
            status_code=204,
            responses=problems(404, 413, 415),
        )
        return router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keeps a file: the part `file` of a form, or the body, called `?name=`."""
        call = self._entrance.admit(scope)
        await call.credential.token()
        upload = await read_upload(scope, receive)
        file = await keep_upload(call, self._files, upload, _NAMES)
        response = reply(_file(file), 201, {"location": f"/api/v1/files/{file.id}"})
        await response(scope, receive, send)

    async def list_files(self, call: CurrentCall, page: Page) -> Response:
        """Lists files, newest first."""
        request = pb.ListFilesRequest(**page)
        response = await call.read(self._files.ListFiles, request)
        files = [_file(each) for each in response.files]
        return reply(FilePage(files=files, next_page_token=response.next_page_token))

    async def get_file(self, call: CurrentCall, file: str) -> Response:
        """Returns what a file is, without its bytes."""
        return reply(_file(await self._get(call, file)))

    async def read_file(self, call: CurrentCall, file: str, request: Request) -> Response:
        """Returns a file's bytes, or the range of them that is asked for."""
        found = await self._get(call, file)
        content = Content(found.name, found.media_type, found.size, found.sha256)
        return await sent(call, self._files.ReadFile, pb.ReadFileRequest(id=file), content, request)

    async def link_file(self, call: CurrentCall, file: str, seconds: Seconds = 600) -> Response:
        """Makes a link by which a browser gets the bytes without a credential, for some time."""
        request = pb.GetFileLinkRequest(id=file, lifetime=Duration(seconds=seconds))
        response = await call.read(self._files.GetFileLink, request)
        return reply(FileLink(url=response.url, expires=rfc3339(response.expire_time)))

    async def delete_file(self, call: CurrentCall, file: str) -> Response:
        """Deletes a file; threads that hold it keep it for as long as they are there."""
        await call.read(self._files.DeleteFile, pb.DeleteFileRequest(id=file))
        return Response(status_code=204)

    async def _get(self, call: Call, file: str) -> pb.File:
        return (await call.read(self._files.GetFile, pb.GetFileRequest(id=file))).file


def _file(file: pb.File) -> File:
    return File(
        id=file.id,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=file.sha256,
        created=rfc3339(file.create_time),
    )
