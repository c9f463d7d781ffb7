"""Pages of what is offered."""

from collections.abc import Mapping

from turnpike.gateway.problems import invalid_field
from turnpike.gateway.routes.mcp.offers import Offer
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.rpc.paging import cursor_of, page_token, text

_SIZE = 100


def page(offers: Mapping[str, Offer], cursor: str | None) -> tuple[list[Offer], str]:
    """Returns the offers after a cursor, in the order of names, and the next page's; or "".

    What comes and goes meanwhile moves no other: pages begin after a name.

    Raises:
        ProblemError: The cursor is none of ours.
    """
    after = ""
    if cursor is not None:
        try:
            (after,) = cursor_of(cursor, text) or ("",)
        except InvalidArgumentError:
            raise invalid_field("cursor", "is none of this list's") from None
    left = [offer for name, offer in offers.items() if name > after]
    return left[:_SIZE], page_token(left[_SIZE - 1].name) if len(left) > _SIZE else ""
