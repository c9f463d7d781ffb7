"""Pages of lists, newest first, as requests ask for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from turnpike.rpc.paging import cursor_of, page_size, page_token


class PageRequest(Protocol):
    """A request for a page."""

    page_size: int
    page_token: str


class Listed(Protocol):
    """What lists order by."""

    @property
    def created(self) -> datetime:
        """When it was made."""
        ...

    @property
    def id(self) -> UUID:
        """Tells it from what was made in the same moment."""
        ...


Item = TypeVar("Item", bound=Listed)


def page_of(request: PageRequest) -> tuple[tuple[datetime, UUID] | None, int]:
    """Returns after what a page begins, and how much to look for."""
    # One more than is shown tells whether there is a next page.
    cursor = cursor_of(request.page_token, datetime.fromisoformat, UUID)
    return cursor, page_size(request.page_size) + 1


def shown_of(found: Sequence[Item], request: PageRequest) -> tuple[Sequence[Item], str]:
    """Returns what a page shows, and the token of the next one."""
    size = page_size(request.page_size)
    if len(found) <= size:
        return found, ""
    return found[:size], page_token(found[size - 1].created, found[size - 1].id)
