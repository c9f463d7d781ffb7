"""Signed links to files that are kept in a folder; a bucket serves its own."""

import asyncio
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from turnpike.blobs.directory import DirectoryStore
from turnpike.blobs.links import LINK_PATH, Links
from turnpike.blobs.model import BlobNotFoundError, LinkError
from turnpike.gateway.problems import ProblemError
from turnpike.gateway.ranges import Content, portion
from turnpike.gateway.routes.downloads import BYTES
from turnpike.gateway.routes.replies import problems
from turnpike.gateway.routes.route import Entrance


class LinkRoutes:
    """`/api/v1/blobs`, whose links are their own credential.

    Args:
        folder: What services keep their blobs in; None: there are no links of ours.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the route."""
        router = entrance.open_router()
        router.add_api_route(
            f"{LINK_PATH}{{token:name}}",
            self.follow_link,
            methods=["GET"],
            responses=BYTES | problems(404, 416, always=(400, 500)),
        )
        return router

    async def follow_link(self, token: str, request: Request) -> Response:
        """Returns the bytes that a link leads to, until it expires."""
        if self._folder is None:
            raise _gone()
        try:
            link = await asyncio.to_thread(Links(self._folder).read, token)
            store = DirectoryStore(self._folder, link.scope)
            size = await store.size(link.blob)
        except (LinkError, BlobNotFoundError) as error:
            raise _gone() from error
        content = Content(link.name, link.media_type, size, link.blob.digest)
        wanted = portion(request.scope, content)
        if wanted.is_empty or request.method == "HEAD":
            return Response(status_code=wanted.status, headers=dict(wanted.headers))
        chunks = store.read(link.blob, wanted.start, wanted.end)
        return StreamingResponse(chunks, wanted.status, dict(wanted.headers))


def _gone() -> ProblemError:
    return ProblemError(404, "NOT_FOUND", "the link leads nowhere, or has expired")
