"""Files on their way in: raw bodies and forms, read as they come."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope

from turnpike.gateway.problems import ProblemError, invalid_field
from turnpike.gateway.requests import ClientGoneError, header

_FIELD = "file"
_FORM = "multipart/form-data"
_MOST_HEADERS = 16


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a request brings."""

    name: str
    media_type: str
    """In lower case, without parameters; empty where nobody says."""

    chunks: AsyncIterator[bytes]
    """Its bytes; raises what `read_upload` does."""


async def read_upload(scope: Scope, receive: Receive) -> Upload:
    """Returns the file of a request: the part `file` of a form, or the body itself.

    Raises:
        ProblemError: The form is none, or holds something else.
        ClientGoneError: The client hung up.
    """
    declared = header(scope, b"content-type")
    if _media_type(declared) == _FORM:
        return await _Form(declared, read_body_parts(receive)).file()
    query = QueryParams(scope["query_string"])
    for name in query:
        if name not in ("name", "media_type"):
            raise invalid_field(name, "is not known here")
    media_type = _media_type(query.get("media_type") or declared)
    return Upload(query.get("name", "file"), media_type, read_body_parts(receive))


async def read_body_parts(receive: Receive) -> AsyncIterator[bytes]:
    """Yields a request's body as it comes; raises `ClientGoneError`."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        if chunk := message.get("body", b""):
            yield chunk
        if not message.get("more_body", False):
            return


class _Form:
    """A form whose only part is a file, read no further than it is asked for."""

    def __init__(self, declared: str, body: AsyncIterator[bytes]) -> None:
        _, options = parse_options_header(declared)
        boundary = options.get(b"boundary", b"")
        if not boundary:
            raise invalid_field("Content-Type", "a form has a boundary")
        self._body = body
        self._data: deque[bytes] = deque()
        self._headers: dict[str, bytes] = {}
        self._field = b""
        self._value = b""
        self._parts = 0
        self._open = False
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._take_field,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._take_data,
                "on_end": self._end,
            },
        )

    async def file(self) -> Upload:
        """Returns the file once its headers have come."""
        while not self._open and await self._more():
            pass
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        if not self._open or options.get(b"name") != _FIELD.encode():
            raise invalid_field(_FIELD, "is the one part that a form has")
        return Upload(
            _file_name(options),
            _media_type(self._headers.get("content-type", b"").decode("latin-1")),
            self._chunks(),
        )

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            while self._data:
                yield self._data.popleft()
            if not await self._more():
                break
        if not self._ended:
            raise invalid_field(_FIELD, "breaks off")

    async def _more(self) -> bool:
        async for chunk in self._body:
            try:
                self._parser.write(chunk)
            except FormParserError:
                raise invalid_field(_FIELD, "is in no form that can be read") from None
            if self._parts > 1:
                raise invalid_field(_FIELD, "is the one part that a form has")
            return True
        return False

    def _begin(self) -> None:
        self._parts += 1

    def _take_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if len(self._headers) < _MOST_HEADERS:
            self._headers[self._field.decode("latin-1").lower()] = self._value
        self._field = self._value = b""

    def _end_headers(self) -> None:
        self._open = True

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _end(self) -> None:
        self._ended = True


def _file_name(options: dict[bytes, bytes]) -> str:
    if extended := options.get(b"filename*"):
        return unquote(extended.decode("latin-1").rpartition("'")[2])
    try:
        return options.get(b"filename", b"file").decode()
    except UnicodeDecodeError as error:
        raise ProblemError(400, "INVALID_ARGUMENT", "name: is no UTF-8") from error


def _media_type(declared: str) -> str:
    return declared.partition(";")[0].strip().lower()
