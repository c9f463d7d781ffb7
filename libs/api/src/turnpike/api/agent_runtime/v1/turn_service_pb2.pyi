from buf.validate import validate_pb2 as _validate_pb2
from turnpike.api.agent_runtime.v1 import agent_pb2 as _agent_pb2
from turnpike.api.agent_runtime.v1 import event_pb2 as _event_pb2
from turnpike.api.agent_runtime.v1 import turn_pb2 as _turn_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OnBusy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_BUSY_UNSPECIFIED: _ClassVar[OnBusy]
    ON_BUSY_REJECT: _ClassVar[OnBusy]
    ON_BUSY_ENQUEUE: _ClassVar[OnBusy]
ON_BUSY_UNSPECIFIED: OnBusy
ON_BUSY_REJECT: OnBusy
ON_BUSY_ENQUEUE: OnBusy

class ContentPart(_message.Message):
    __slots__ = ("text", "file")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    text: str
    file: FilePart
    def __init__(self, text: _Optional[str] = ..., file: _Optional[_Union[FilePart, _Mapping]] = ...) -> None: ...

class FilePart(_message.Message):
    __slots__ = ("file", "image", "name", "media_type", "size", "sha256")
    FILE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    file: str
    image: bool
    name: str
    media_type: str
    size: int
    sha256: str
    def __init__(self, file: _Optional[str] = ..., image: _Optional[bool] = ..., name: _Optional[str] = ..., media_type: _Optional[str] = ..., size: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class Invocation(_message.Message):
    __slots__ = ("tool", "arguments", "definition_digest")
    TOOL_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    tool: str
    arguments: str
    definition_digest: str
    def __init__(self, tool: _Optional[str] = ..., arguments: _Optional[str] = ..., definition_digest: _Optional[str] = ...) -> None: ...

class StartTurnRequest(_message.Message):
    __slots__ = ("thread", "agent", "inline_agent", "call", "input", "on_busy", "time_zone", "metadata", "request_id")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    THREAD_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    INLINE_AGENT_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ON_BUSY_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    thread: str
    agent: str
    inline_agent: _agent_pb2.AgentSpec
    call: Invocation
    input: _containers.RepeatedCompositeFieldContainer[ContentPart]
    on_busy: OnBusy
    time_zone: str
    metadata: _containers.ScalarMap[str, str]
    request_id: str
    def __init__(self, thread: _Optional[str] = ..., agent: _Optional[str] = ..., inline_agent: _Optional[_Union[_agent_pb2.AgentSpec, _Mapping]] = ..., call: _Optional[_Union[Invocation, _Mapping]] = ..., input: _Optional[_Iterable[_Union[ContentPart, _Mapping]]] = ..., on_busy: _Optional[_Union[OnBusy, str]] = ..., time_zone: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class StartTurnResponse(_message.Message):
    __slots__ = ("turn", "created")
    TURN_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    turn: _turn_pb2.Turn
    created: bool
    def __init__(self, turn: _Optional[_Union[_turn_pb2.Turn, _Mapping]] = ..., created: _Optional[bool] = ...) -> None: ...

class RunTurnRequest(_message.Message):
    __slots__ = ("start",)
    START_FIELD_NUMBER: _ClassVar[int]
    start: StartTurnRequest
    def __init__(self, start: _Optional[_Union[StartTurnRequest, _Mapping]] = ...) -> None: ...

class RunTurnResponse(_message.Message):
    __slots__ = ("turn", "created", "events")
    TURN_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    turn: _turn_pb2.Turn
    created: bool
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    def __init__(self, turn: _Optional[_Union[_turn_pb2.Turn, _Mapping]] = ..., created: _Optional[bool] = ..., events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ...) -> None: ...

class WatchTurnRequest(_message.Message):
    __slots__ = ("turn", "after")
    TURN_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    turn: str
    after: int
    def __init__(self, turn: _Optional[str] = ..., after: _Optional[int] = ...) -> None: ...

class WatchTurnResponse(_message.Message):
    __slots__ = ("events", "exhausted")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    exhausted: bool
    def __init__(self, events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ..., exhausted: _Optional[bool] = ...) -> None: ...

class GetTurnRequest(_message.Message):
    __slots__ = ("turn",)
    TURN_FIELD_NUMBER: _ClassVar[int]
    turn: str
    def __init__(self, turn: _Optional[str] = ...) -> None: ...

class GetTurnResponse(_message.Message):
    __slots__ = ("turn",)
    TURN_FIELD_NUMBER: _ClassVar[int]
    turn: _turn_pb2.Turn
    def __init__(self, turn: _Optional[_Union[_turn_pb2.Turn, _Mapping]] = ...) -> None: ...

class ListTurnsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "thread", "statuses", "agent")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    THREAD_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    thread: str
    statuses: _containers.RepeatedScalarFieldContainer[_turn_pb2.TurnStatus]
    agent: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., thread: _Optional[str] = ..., statuses: _Optional[_Iterable[_Union[_turn_pb2.TurnStatus, str]]] = ..., agent: _Optional[str] = ...) -> None: ...

class ListTurnsResponse(_message.Message):
    __slots__ = ("turns", "next_page_token")
    TURNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    turns: _containers.RepeatedCompositeFieldContainer[_turn_pb2.Turn]
    next_page_token: str
    def __init__(self, turns: _Optional[_Iterable[_Union[_turn_pb2.Turn, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelTurnRequest(_message.Message):
    __slots__ = ("turn",)
    TURN_FIELD_NUMBER: _ClassVar[int]
    turn: str
    def __init__(self, turn: _Optional[str] = ...) -> None: ...

class CancelTurnResponse(_message.Message):
    __slots__ = ("turn",)
    TURN_FIELD_NUMBER: _ClassVar[int]
    turn: _turn_pb2.Turn
    def __init__(self, turn: _Optional[_Union[_turn_pb2.Turn, _Mapping]] = ...) -> None: ...
