"""Reading a streamed chat completion in the OpenAI wire format, as servers really send it."""

import json
from typing import Any

import msgspec

from turnpike.agent_runtime.models.openai_thoughts import google_signature, signatures
from turnpike.agent_runtime.models.openai_wire import error_kind, error_text
from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    ModelError,
    Piece,
    ReasoningPiece,
    SignaturePiece,
    TextPiece,
    ToolUsePiece,
)
from turnpike.agent_runtime.models.refusals import reason_of, refusal, shown
from turnpike.agent_runtime.models.usage import usage_of

_LONGEST_LINE = 8 << 20
_END = b"[DONE]"
_FIRST_STATUS, _LAST_STATUS = 400, 599
# In an error amid a stream: asking again would fail in the same way.
_PASSING = frozenset({"PROVIDER_ERROR", "RATE_LIMITED", "OVERLOADED"})
_FOR_GOOD = ("invalid_request", "authentication", "permission", "not_found", "content_filter")


class _Function(msgspec.Struct):
    name: str | None = None
    # A string by the book; an object from some servers.
    arguments: str | dict[str, Any] | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    # Google's: a signature is in there.
    extra_content: dict[str, Any] | None = None


class _Delta(msgspec.Struct):
    content: str | list[Any] | None = None
    # Two spellings of the same: DeepSeek's and vLLM's, OpenRouter's.
    reasoning_content: str | None = None
    reasoning: str | None = None
    # OpenRouter's: what is signed, or encrypted, by whoever is behind it.
    reasoning_details: list[dict[str, Any]] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    # Its shape is whatever the server's is; read once a call.
    usage: dict[str, Any] | None = None
    error: Any = None


_DECODER = msgspec.json.Decoder(_Chunk, strict=False)


class ChunkReader:
    """Reads one stream, block by block.

    Lines end in LF or CRLF; a document may be spread over several `data:` lines;
    everything else between them is passed over.
    """

    def __init__(self, secret: str) -> None:
        self.done = False
        """Whether the stream said that it is over."""

        self.ended = False
        """Whether the model did."""

        self._secret = secret
        self._rest = b""
        self._document = b""
        self._calls = _Calls()
        self._failure: ModelError | None = None

    def read(self, block: bytes) -> list[Piece]:
        """Returns what the lines say that a block completes; afterwards, `check`.

        What stands before garbage, or an error, was said, and is paid for.
        """
        pieces: list[Piece] = []
        try:
            self._read_lines(block, pieces)
        except ModelError as error:
            self._failure = error
        return pieces

    def check(self) -> None:
        """Raises what was wrong with the last block.

        Raises:
            ModelError: It ended in garbage, or in an error.
        """
        if self._failure is not None:
            raise self._failure

    def _read_lines(self, block: bytes, pieces: list[Piece]) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        if len(self._rest) + len(self._document) > _LONGEST_LINE:
            raise ModelError("PROVIDER_ERROR", "the provider's line is too long", transient=False)
        for line in lines:
            if line.startswith(b"data:"):
                self._read_document(line[5:].strip(), pieces)
            elif self._document and not line.strip():
                raise ModelError("PROVIDER_ERROR", "the provider answered garbage", transient=True)

    def _read_document(self, line: bytes, pieces: list[Piece]) -> None:
        document = self._document + line
        if document == _END:
            self.done = True
        elif document:
            chunk = _decode(document)
            # What is no document yet may become one with the next line.
            self._document = document if chunk is None else b""
            if chunk is not None:
                self._read_chunk(chunk, pieces)

    def _read_chunk(self, chunk: _Chunk, pieces: list[Piece]) -> None:
        if chunk.error is not None:
            raise _stream_error(chunk.error, self._secret)
        if chunk.usage is not None:
            pieces.append(usage_of(chunk.usage))
        for choice in chunk.choices or ():
            if choice.delta is not None:
                self._read_delta(choice.delta, pieces)
            if choice.finish_reason:
                self.ended = True
                pieces.append(EndPiece(choice.finish_reason))

    def _read_delta(self, delta: _Delta, pieces: list[Piece]) -> None:
        if reasoning := delta.reasoning_content or delta.reasoning:
            pieces.append(ReasoningPiece(reasoning))
        for detail in delta.reasoning_details or ():
            pieces.extend(signatures(detail))
        if text := delta.content or delta.refusal:
            pieces.append(TextPiece(text if isinstance(text, str) else _joined(text)))
        for call in delta.tool_calls or ():
            part = self._calls.read(call)
            pieces.append(part)
            if signature := google_signature(call.extra_content):
                pieces.append(SignaturePiece(signature, of="call", call=part.index))


class _Calls:
    """Tells the calls of one answer apart, whatever a server makes of their indices.

    Some give none, some give all the same: then an id that is new begins a call.
    """

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._by_index: dict[int | None, int] = {}

    def read(self, call: _ToolCall) -> ToolUsePiece:
        """Returns the piece that a part of a call is."""
        number = self._by_index.get(call.index)
        given = call.id or ""
        if number is None or (given and self._ids[number] not in ("", given)):
            number = self._begin(call.index, given)
        function = call.function or _Function()
        arguments = function.arguments or ""
        if not isinstance(arguments, str):
            arguments = msgspec.json.encode(arguments).decode()
        # Postgres stores no NUL.
        name = (function.name or "").replace("\0", "")
        return ToolUsePiece(number, given.replace("\0", ""), name, arguments)

    def _begin(self, index: int | None, given: str) -> int:
        number = len(self._ids)
        self._ids.append(given)
        self._by_index[index] = number
        return number


def _decode(document: bytes) -> _Chunk | None:
    try:
        return _DECODER.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_patiently(document)


def _decode_patiently(document: bytes) -> _Chunk | None:
    """Reads a document that has half a surrogate pair, or bytes that are no UTF-8."""
    try:
        loaded = json.loads(document.decode("utf-8", "replace"))
        return _DECODER.decode(json.dumps(loaded, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None


def _joined(parts: list[Any]) -> str:
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _stream_error(error: Any, secret: str) -> ModelError:
    said = error_text(error)
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and _FIRST_STATUS <= code <= _LAST_STATUS:
        return refusal(code, said, {}, secret=secret, kind=error_kind(error))
    reason = reason_of(str(error)) or "PROVIDER_ERROR"
    for_good = reason not in _PASSING or any(each in str(error) for each in _FOR_GOOD)
    return ModelError(reason, shown(said, secret), transient=not for_good)
