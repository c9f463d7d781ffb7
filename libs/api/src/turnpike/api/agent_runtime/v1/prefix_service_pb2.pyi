import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PrefixSession(_message.Message):
    __slots__ = ("session", "thread", "model", "epoch", "revision", "length", "bytes", "context_tokens", "predicted_tokens", "cached_tokens", "hit_share", "first_delta", "last_outcome", "last_miss", "difference", "in_flight", "evicted", "boundaries", "create_time", "update_time")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    THREAD_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    HIT_SHARE_FIELD_NUMBER: _ClassVar[int]
    FIRST_DELTA_FIELD_NUMBER: _ClassVar[int]
    LAST_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    LAST_MISS_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    EVICTED_FIELD_NUMBER: _ClassVar[int]
    BOUNDARIES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    session: str
    thread: str
    model: str
    epoch: int
    revision: int
    length: int
    bytes: int
    context_tokens: int
    predicted_tokens: int
    cached_tokens: int
    hit_share: float
    first_delta: _duration_pb2.Duration
    last_outcome: str
    last_miss: str
    difference: PrefixDifference
    in_flight: bool
    evicted: bool
    boundaries: _containers.RepeatedCompositeFieldContainer[PrefixBoundary]
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, session: _Optional[str] = ..., thread: _Optional[str] = ..., model: _Optional[str] = ..., epoch: _Optional[int] = ..., revision: _Optional[int] = ..., length: _Optional[int] = ..., bytes: _Optional[int] = ..., context_tokens: _Optional[int] = ..., predicted_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., hit_share: _Optional[float] = ..., first_delta: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., last_outcome: _Optional[str] = ..., last_miss: _Optional[str] = ..., difference: _Optional[_Union[PrefixDifference, _Mapping]] = ..., in_flight: _Optional[bool] = ..., evicted: _Optional[bool] = ..., boundaries: _Optional[_Iterable[_Union[PrefixBoundary, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PrefixDifference(_message.Message):
    __slots__ = ("element", "kind", "offset", "ledger", "request")
    ELEMENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    element: int
    kind: str
    offset: int
    ledger: str
    request: str
    def __init__(self, element: _Optional[int] = ..., kind: _Optional[str] = ..., offset: _Optional[int] = ..., ledger: _Optional[str] = ..., request: _Optional[str] = ...) -> None: ...

class PrefixBoundary(_message.Message):
    __slots__ = ("label", "epoch", "revision", "length", "bytes", "chain", "context_tokens", "predicted_tokens", "cached_tokens", "first_delta_ms", "miss", "time")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    FIRST_DELTA_MS_FIELD_NUMBER: _ClassVar[int]
    MISS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    label: str
    epoch: int
    revision: int
    length: int
    bytes: int
    chain: str
    context_tokens: int
    predicted_tokens: int
    cached_tokens: int
    first_delta_ms: int
    miss: str
    time: str
    def __init__(self, label: _Optional[str] = ..., epoch: _Optional[int] = ..., revision: _Optional[int] = ..., length: _Optional[int] = ..., bytes: _Optional[int] = ..., chain: _Optional[str] = ..., context_tokens: _Optional[int] = ..., predicted_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., first_delta_ms: _Optional[int] = ..., miss: _Optional[str] = ..., time: _Optional[str] = ...) -> None: ...

class ListPrefixSessionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "thread")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    THREAD_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    thread: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., thread: _Optional[str] = ...) -> None: ...

class ListPrefixSessionsResponse(_message.Message):
    __slots__ = ("sessions", "next_page_token")
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedCompositeFieldContainer[PrefixSession]
    next_page_token: str
    def __init__(self, sessions: _Optional[_Iterable[_Union[PrefixSession, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
