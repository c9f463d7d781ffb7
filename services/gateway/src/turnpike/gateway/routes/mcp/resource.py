"""What a client without a credential is told: whom to ask for one (RFC 9728)."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from turnpike.gateway.problems import ProblemError

_WELL_KNOWN = "/.well-known/oauth-protected-resource"
_ENDPOINT = "/mcp"


class ProtectedResource:
    """`/mcp`, as authorization servers and their clients know it.

    Args:
        issuers: Whose tokens open it; without any, nobody is told of it.
        public_url: Where browsers reach the gateway; as requests say, if empty.
    """

    def __init__(self, issuers: Sequence[str], public_url: str) -> None:
        self._issuers = list(issuers)
        self._public_url = public_url.rstrip("/")

    def routes(self) -> list[Route]:
        """Returns the routes: the endpoint's document, and the origin's for older clients."""
        if not self._issuers:
            return []
        return [
            Route(f"{_WELL_KNOWN}{path}", self._document, methods=["GET"], include_in_schema=False)
            for path in (_ENDPOINT, "")
        ]

    def challenged(self, refusal: ProblemError, scope: Scope, *, shown: bool) -> ProblemError:
        """Returns a refusal that says where a credential is to be had.

        Args:
            refusal: What to refuse with.
            scope: The request's.
            shown: Whether it showed one that is not valid.
        """
        if self._issuers and refusal.status == 401:
            error = 'error="invalid_token", ' if shown else ""
            place = f"{self._base(scope)}{_WELL_KNOWN}{_ENDPOINT}"
            refusal.challenge = f'Bearer {error}resource_metadata="{place}"'
        return refusal

    async def _document(self, request: Request) -> Response:
        suffix = request.url.path.rpartition(_WELL_KNOWN)[2]
        document = {
            "resource": f"{self._base(request.scope)}{suffix}",
            "resource_name": "Turnpike",
            "authorization_servers": self._issuers,
            "bearer_methods_supported": ["header"],
        }
        # Pages ask for it before they may ask for anything else; there is nothing secret in it.
        headers = {"cache-control": "public, max-age=300", "access-control-allow-origin": "*"}
        return JSONResponse(document, headers=headers)

    def _base(self, scope: Scope) -> str:
        return self._public_url or str(Request(scope).base_url).rstrip("/")
