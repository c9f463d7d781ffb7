"""The console: a page for browsers, which talks to the edge like everybody else."""

from collections.abc import Callable, Coroutine
from hashlib import blake2b
from importlib.resources import files

from fastapi import APIRouter, Request, Response

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_HEADERS = {
    # Nothing but its own files: what a model or a tool says cannot bring a script along.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    # A deploy changes several files at once: each load asks whether they are the same.
    "cache-control": "no-cache",
}


class ConsoleRoutes:
    """`/` and `/console/…`."""

    def __init__(self) -> None:
        folder = files("turnpike.gateway") / "console"
        self._files = {each.name: each.read_bytes() for each in folder.iterdir()}

    def router(self) -> APIRouter:
        """Returns the routes."""
        router = APIRouter()
        for name in self._files:
            path = "/" if name == "index.html" else f"/console/{name}"
            router.add_api_route(
                path, self._serving(name), methods=["GET"], include_in_schema=False
            )
        return router

    def _serving(self, name: str) -> Callable[[Request], Coroutine[None, None, Response]]:
        content = self._files[name]
        etag = f'"{blake2b(content, digest_size=12).hexdigest()}"'
        headers = _HEADERS | {"etag": etag}
        media_type = _TYPES[name[name.rindex(".") :]]

        async def serve(request: Request) -> Response:
            if etag in request.headers.get("if-none-match", ""):
                return Response(status_code=304, headers=headers)
            return Response(content, media_type=media_type, headers=headers)

        return serve
