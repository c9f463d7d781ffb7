from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AskPlannerRequest(_message.Message):
    __slots__ = ("instructions", "text", "max_output_tokens")
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    instructions: str
    text: str
    max_output_tokens: int
    def __init__(self, instructions: _Optional[str] = ..., text: _Optional[str] = ..., max_output_tokens: _Optional[int] = ...) -> None: ...

class AskPlannerResponse(_message.Message):
    __slots__ = ("text", "usage", "complete")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    text: str
    usage: CompletionUsage
    complete: bool
    def __init__(self, text: _Optional[str] = ..., usage: _Optional[_Union[CompletionUsage, _Mapping]] = ..., complete: _Optional[bool] = ...) -> None: ...

class StreamCompletionRequest(_message.Message):
    __slots__ = ("model", "session", "messages", "tools", "parameters", "max_output_tokens")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    model: str
    session: str
    messages: _containers.RepeatedScalarFieldContainer[str]
    tools: _containers.RepeatedScalarFieldContainer[str]
    parameters: str
    max_output_tokens: int
    def __init__(self, model: _Optional[str] = ..., session: _Optional[str] = ..., messages: _Optional[_Iterable[str]] = ..., tools: _Optional[_Iterable[str]] = ..., parameters: _Optional[str] = ..., max_output_tokens: _Optional[int] = ...) -> None: ...

class StreamCompletionResponse(_message.Message):
    __slots__ = ("pieces",)
    PIECES_FIELD_NUMBER: _ClassVar[int]
    pieces: _containers.RepeatedCompositeFieldContainer[CompletionPiece]
    def __init__(self, pieces: _Optional[_Iterable[_Union[CompletionPiece, _Mapping]]] = ...) -> None: ...

class CompletionPiece(_message.Message):
    __slots__ = ("text", "reasoning", "call", "usage", "end", "signature")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    text: str
    reasoning: str
    call: CompletionCall
    usage: CompletionUsage
    end: CompletionEnd
    signature: str
    def __init__(self, text: _Optional[str] = ..., reasoning: _Optional[str] = ..., call: _Optional[_Union[CompletionCall, _Mapping]] = ..., usage: _Optional[_Union[CompletionUsage, _Mapping]] = ..., end: _Optional[_Union[CompletionEnd, _Mapping]] = ..., signature: _Optional[str] = ...) -> None: ...

class CompletionCall(_message.Message):
    __slots__ = ("index", "id", "name", "arguments")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    index: int
    id: str
    name: str
    arguments: str
    def __init__(self, index: _Optional[int] = ..., id: _Optional[str] = ..., name: _Optional[str] = ..., arguments: _Optional[str] = ...) -> None: ...

class CompletionUsage(_message.Message):
    __slots__ = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REASONING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    def __init__(self, input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., cache_write_tokens: _Optional[int] = ..., reasoning_tokens: _Optional[int] = ...) -> None: ...

class CompletionEnd(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...
