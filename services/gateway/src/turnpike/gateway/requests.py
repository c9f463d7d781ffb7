"""Reading requests, within bounds."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

from starlette.types import Receive, Scope

from turnpike.gateway.problems import ProblemError, invalid_field

# The largest number that the services can be asked for; what is larger is
# beyond the end of any log.
_LONGEST_TAG = 64
_JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
"""What a page's form is sent as."""

_LAST_CURSOR = 2**63 - 1


class ClientGoneError(Exception):
    """The client hung up; nobody reads an answer."""


async def read_body(
    scope: Scope, receive: Receive, limit: int, *, media_type: str = _JSON
) -> bytes:
    """Returns the request's body.

    Raises:
        ProblemError: It is larger than `limit`, or not declared as what it must be.
        ClientGoneError: The client hung up before its end.
    """
    length = header(scope, b"content-length")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            break
    if body:
        _check_media_type(header(scope, b"content-type"), media_type)
    return bytes(body)


@asynccontextmanager
async def while_connected(receive: Receive) -> AsyncGenerator[None]:
    """Cancels what is inside when the client hangs up.

    Raises:
        ClientGoneError: In place of the cancellation.
    """
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        # Somebody else may have cancelled us too; that is not ours to swallow.
        if not gone or task.uncancel() > 0:
            raise
        raise ClientGoneError from None
    finally:
        watcher.cancel()


def header(scope: Scope, name: bytes) -> str:
    """Returns a header's value, or an empty string."""
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1").strip()
    return ""


def accepts_events(scope: Scope) -> bool:
    """Tells whether the client asks for an event stream."""
    for part in header(scope, b"accept").split(","):
        media_type, _, parameters = part.partition(";")
        if media_type.strip().lower() == "text/event-stream":
            return parameters.replace(" ", "") not in ("q=0", "q=0.0")
    return False


def idempotency_key(scope: Scope) -> str:
    """Returns the caller's name for this request, or an empty string."""
    key = header(scope, b"idempotency-key")
    if len(key) > 255:
        raise invalid_field("Idempotency-Key", "must have 255 characters at most")
    return key


def if_match(value: str | None) -> str:
    """Returns the entity tag that a change is bound to; empty for any."""
    tag = (value or "").strip().removeprefix("W/")
    if tag in ("", "*"):
        return ""
    if "," in tag or len(tag) > _LONGEST_TAG:
        # None of ours, so nothing that it could match.
        raise ProblemError(412, "ETAG_MISMATCH", "If-Match must be the one ETag that was given out")
    return tag.strip('"')


def cursor(scope: Scope, after: Iterable[str]) -> int:
    """Returns the number to go on from; the header goes before the query."""
    last_seen = header(scope, b"last-event-id")
    if last_seen:
        return _number("Last-Event-ID", last_seen)
    for value in after:
        return _number("after", value)
    return 0


def _number(field: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 100:
        raise invalid_field(field, "must be the number of an event")
    return min(int(value), _LAST_CURSOR)


def _check_media_type(content_type: str, wanted: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    is_like_json = media_type.startswith("application/") and media_type.endswith("+json")
    if media_type != wanted and not (wanted == _JSON and is_like_json):
        raise ProblemError(415, "UNSUPPORTED_MEDIA_TYPE", f"the body must be declared as {wanted}")


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        413,
        "PAYLOAD_TOO_LARGE",
        f"the body is larger than {limit} bytes",
        metadata={"limit": str(limit)},
    )
