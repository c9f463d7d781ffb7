import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from turnpike.api.tool_registry.v1 import tool_pb2 as _tool_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Resolution(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOLUTION_UNSPECIFIED: _ClassVar[Resolution]
    RESOLUTION_DONE: _ClassVar[Resolution]
    RESOLUTION_NOT_DONE: _ClassVar[Resolution]
    RESOLUTION_RUN_AGAIN: _ClassVar[Resolution]

class AnswerAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANSWER_ACTION_UNSPECIFIED: _ClassVar[AnswerAction]
    ANSWER_ACTION_ACCEPT: _ClassVar[AnswerAction]
    ANSWER_ACTION_DECLINE: _ClassVar[AnswerAction]
    ANSWER_ACTION_CANCEL: _ClassVar[AnswerAction]
RESOLUTION_UNSPECIFIED: Resolution
RESOLUTION_DONE: Resolution
RESOLUTION_NOT_DONE: Resolution
RESOLUTION_RUN_AGAIN: Resolution
ANSWER_ACTION_UNSPECIFIED: AnswerAction
ANSWER_ACTION_ACCEPT: AnswerAction
ANSWER_ACTION_DECLINE: AnswerAction
ANSWER_ACTION_CANCEL: AnswerAction

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
    __slots__ = ("turn", "fence", "step", "ordinal", "tool", "arguments", "definition_digest", "timeout", "principal", "conversation", "seen_after")
    TURN_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    SEEN_AFTER_FIELD_NUMBER: _ClassVar[int]
    turn: str
    fence: int
    step: int
    ordinal: int
    tool: str
    arguments: str
    definition_digest: str
    timeout: _duration_pb2.Duration
    principal: str
    conversation: str
    seen_after: _timestamp_pb2.Timestamp
    def __init__(self, turn: _Optional[str] = ..., fence: _Optional[int] = ..., step: _Optional[int] = ..., ordinal: _Optional[int] = ..., tool: _Optional[str] = ..., arguments: _Optional[str] = ..., definition_digest: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., principal: _Optional[str] = ..., conversation: _Optional[str] = ..., seen_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RunCallResponse(_message.Message):
    __slots__ = ("call", "progress")
    CALL_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    call: _tool_pb2.Call
    progress: _tool_pb2.Progress
    def __init__(self, call: _Optional[_Union[_tool_pb2.Call, _Mapping]] = ..., progress: _Optional[_Union[_tool_pb2.Progress, _Mapping]] = ...) -> None: ...

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

class GetCallRequest(_message.Message):
    __slots__ = ("turn", "step", "ordinal")
    TURN_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    turn: str
    step: int
    ordinal: int
    def __init__(self, turn: _Optional[str] = ..., step: _Optional[int] = ..., ordinal: _Optional[int] = ...) -> None: ...

class GetCallResponse(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: _tool_pb2.Call
    def __init__(self, call: _Optional[_Union[_tool_pb2.Call, _Mapping]] = ...) -> None: ...

class ResolveCallRequest(_message.Message):
    __slots__ = ("turn", "fence", "step", "ordinal", "generation", "resolution", "text", "principal", "timeout")
    TURN_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    turn: str
    fence: int
    step: int
    ordinal: int
    generation: int
    resolution: Resolution
    text: str
    principal: str
    timeout: _duration_pb2.Duration
    def __init__(self, turn: _Optional[str] = ..., fence: _Optional[int] = ..., step: _Optional[int] = ..., ordinal: _Optional[int] = ..., generation: _Optional[int] = ..., resolution: _Optional[_Union[Resolution, str]] = ..., text: _Optional[str] = ..., principal: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ResolveCallResponse(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: _tool_pb2.Call
    def __init__(self, call: _Optional[_Union[_tool_pb2.Call, _Mapping]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("key", "action", "content")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    key: str
    action: AnswerAction
    content: str
    def __init__(self, key: _Optional[str] = ..., action: _Optional[_Union[AnswerAction, str]] = ..., content: _Optional[str] = ...) -> None: ...

class AnswerCallRequest(_message.Message):
    __slots__ = ("turn", "fence", "step", "ordinal", "generation", "answers", "principal", "timeout")
    TURN_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    turn: str
    fence: int
    step: int
    ordinal: int
    generation: int
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    principal: str
    timeout: _duration_pb2.Duration
    def __init__(self, turn: _Optional[str] = ..., fence: _Optional[int] = ..., step: _Optional[int] = ..., ordinal: _Optional[int] = ..., generation: _Optional[int] = ..., answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ..., principal: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class AnswerCallResponse(_message.Message):
    __slots__ = ("call",)
    CALL_FIELD_NUMBER: _ClassVar[int]
    call: _tool_pb2.Call
    def __init__(self, call: _Optional[_Union[_tool_pb2.Call, _Mapping]] = ...) -> None: ...

class ForgetTurnsRequest(_message.Message):
    __slots__ = ("turns",)
    TURNS_FIELD_NUMBER: _ClassVar[int]
    turns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, turns: _Optional[_Iterable[str]] = ...) -> None: ...

class ForgetTurnsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
