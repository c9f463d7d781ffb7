import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from turnpike.api.tool_registry.v1 import tool_pb2 as _tool_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnnounceFenceRequest(_message.Message):
    __slots__ = ("turn", "fence")
    TURN_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    turn: str
    fence: int
    def __init__(self, turn: _Optional[str] = ..., fence: _Optional[int] = ...) -> None: ...

class AnnounceFenceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RunCallRequest(_message.Message):
    __slots__ = ("turn", "fence", "step", "ordinal", "tool", "arguments", "definition_digest", "timeout", "principal")
    TURN_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    turn: str
    fence: int
    step: int
    ordinal: int
    tool: str
    arguments: str
    definition_digest: str
    timeout: _duration_pb2.Duration
    principal: str
    def __init__(self, turn: _Optional[str] = ..., fence: _Optional[int] = ..., step: _Optional[int] = ..., ordinal: _Optional[int] = ..., tool: _Optional[str] = ..., arguments: _Optional[str] = ..., definition_digest: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., principal: _Optional[str] = ...) -> None: ...

class RunCallResponse(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: _tool_pb2.Call
    def __init__(self, call: _Optional[_Union[_tool_pb2.Call, _Mapping]] = ...) -> None: ...

class CancelCallRequest(_message.Message):
    __slots__ = ("turn", "fence", "step", "ordinal")
    TURN_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    turn: str
    fence: int
    step: int
    ordinal: int
    def __init__(self, turn: _Optional[str] = ..., fence: _Optional[int] = ..., step: _Optional[int] = ..., ordinal: _Optional[int] = ...) -> None: ...

class CancelCallResponse(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: _tool_pb2.Call
    def __init__(self, call: _Optional[_Union[_tool_pb2.Call, _Mapping]] = ...) -> None: ...
