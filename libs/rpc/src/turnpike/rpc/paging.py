"""Pages of lists: where the next one begins, and how long it is."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar, overload

import orjson

from turnpike.rpc.errors import InvalidArgumentError

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 500

_NUMBERS = 2**63

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


def page_size(requested: int) -> int:
    """Returns how many items a page has: 50 where 0 were asked for, 500 at most."""
    return min(requested or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def page_token(*cursor: object) -> str:
    """Returns the token of the page that begins after `cursor`.

    The cursor is what the list is ordered by, of the last item shown: strings,
    numbers, UUIDs, datetimes. The token is opaque to callers, and no secret.
    """
    values = [each.isoformat() if isinstance(each, datetime) else str(each) for each in cursor]
    return urlsafe_b64encode(orjson.dumps(values)).rstrip(b"=").decode()


def text(part: str) -> str:
    """Parses a part of a cursor that a list orders by its text; no database stores a NUL."""
    if "\0" in str(part):
        raise ValueError("a NUL")
    return str(part)


def number(part: str) -> int:
    """Parses a part of a cursor that is a number of at most 63 bits."""
    value = int(part)
    if not -_NUMBERS <= value < _NUMBERS:
        raise ValueError("out of range")
    return value


def moment(part: str) -> datetime:
    """Parses a part of a cursor that is a moment, with its time zone."""
    parsed = datetime.fromisoformat(part)
    if parsed.tzinfo is None:
        raise ValueError("no time zone")
    try:
        return parsed.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error


@overload
def cursor_of(token: str, first: Callable[[str], A], /) -> tuple[A] | None: ...
@overload
def cursor_of(
    token: str, first: Callable[[str], A], second: Callable[[str], B], /
) -> tuple[A, B] | None: ...
@overload
def cursor_of(
    token: str,
    first: Callable[[str], A],
    second: Callable[[str], B],
    third: Callable[[str], C],
    fourth: Callable[[str], D],
    /,
) -> tuple[A, B, C, D] | None: ...
def cursor_of(token: str, /, *parsers: Callable[[str], object]) -> tuple[object, ...] | None:
    """Returns the cursor in a page token; None for the first page's empty token.

    Each part is parsed by its parser: `cursor_of(token, moment, UUID)`. Raises
    `InvalidArgumentError` for anything that is no token of such a list.
    """
    if not token:
        return None
    try:
        values = orjson.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return tuple(parse(value) for parse, value in zip(parsers, values, strict=True))
    except (binascii.Error, ValueError, TypeError, AttributeError) as error:
        raise InvalidArgumentError("page_token", "is not a token of this list") from error
