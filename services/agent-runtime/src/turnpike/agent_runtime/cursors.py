"""Page tokens that say nothing: of lists that are ordered by what callers are not to know."""

from collections.abc import Callable
from typing import TypeVar, overload
from uuid import UUID

from turnpike.database.envelope import Envelope
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.rpc.paging import cursor_of, page_token

A = TypeVar("A")
B = TypeVar("B")


class Cursors:
    """Seals cursors for a tenant. A row's number would tell how much the others do."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    def token(self, tenant: UUID, *cursor: object) -> str:
        """Returns the token of the page that begins after `cursor`; see `page_token`."""
        return self._envelope.seal(tenant, page_token(*cursor))

    @overload
    def cursor(self, tenant: UUID, token: str, first: Callable[[str], A], /) -> tuple[A] | None: ...
    @overload
    def cursor(
        self, tenant: UUID, token: str, first: Callable[[str], A], second: Callable[[str], B], /
    ) -> tuple[A, B] | None: ...
    def cursor(
        self, tenant: UUID, token: str, /, *parsers: Callable[[str], object]
    ) -> tuple[object, ...] | None:
        """Returns the cursor in a page token of the tenant's; None for the empty token.

        Raises `InvalidArgumentError` for any other text.
        """
        if not token:
            return None
        try:
            opened = self._envelope.open(tenant, token)
        except ValueError as error:
            raise InvalidArgumentError("page_token", "is not a token of this list") from error
        return cursor_of(opened, *parsers)
