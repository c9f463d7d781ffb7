import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchPlan(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEARCH_PLAN_UNSPECIFIED: _ClassVar[SearchPlan]
    SEARCH_PLAN_EXACT: _ClassVar[SearchPlan]
    SEARCH_PLAN_PARTIAL_INDEX: _ClassVar[SearchPlan]
    SEARCH_PLAN_ITERATIVE: _ClassVar[SearchPlan]
SEARCH_PLAN_UNSPECIFIED: SearchPlan
SEARCH_PLAN_EXACT: SearchPlan
SEARCH_PLAN_PARTIAL_INDEX: SearchPlan
SEARCH_PLAN_ITERATIVE: SearchPlan

class SearchRequest(_message.Message):
    __slots__ = ("query", "planned", "filter", "limit", "max_tokens", "recent", "read_time", "plan")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    PLANNED_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    RECENT_FIELD_NUMBER: _ClassVar[int]
    READ_TIME_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    query: str
    planned: _containers.RepeatedScalarFieldContainer[str]
    filter: SearchFilter
    limit: int
    max_tokens: int
    recent: bool
    read_time: bool
    plan: bool
    def __init__(self, query: _Optional[str] = ..., planned: _Optional[_Iterable[str]] = ..., filter: _Optional[_Union[SearchFilter, _Mapping]] = ..., limit: _Optional[int] = ..., max_tokens: _Optional[int] = ..., recent: _Optional[bool] = ..., read_time: _Optional[bool] = ..., plan: _Optional[bool] = ...) -> None: ...

class SearchFilter(_message.Message):
    __slots__ = ("collections", "folder", "media_types", "metadata", "since", "until", "time_zone")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COLLECTIONS_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPES_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    collections: _containers.RepeatedScalarFieldContainer[str]
    folder: str
    media_types: _containers.RepeatedScalarFieldContainer[str]
    metadata: _containers.ScalarMap[str, str]
    since: str
    until: str
    time_zone: str
    def __init__(self, collections: _Optional[_Iterable[str]] = ..., folder: _Optional[str] = ..., media_types: _Optional[_Iterable[str]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., since: _Optional[str] = ..., until: _Optional[str] = ..., time_zone: _Optional[str] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("results", "tokens", "plan", "since", "until", "recent", "planned", "reranked")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    RECENT_FIELD_NUMBER: _ClassVar[int]
    PLANNED_FIELD_NUMBER: _ClassVar[int]
    RERANKED_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[SearchResult]
    tokens: int
    plan: SearchPlan
    since: str
    until: str
    recent: bool
    planned: str
    reranked: bool
    def __init__(self, results: _Optional[_Iterable[_Union[SearchResult, _Mapping]]] = ..., tokens: _Optional[int] = ..., plan: _Optional[_Union[SearchPlan, str]] = ..., since: _Optional[str] = ..., until: _Optional[str] = ..., recent: _Optional[bool] = ..., planned: _Optional[str] = ..., reranked: _Optional[bool] = ...) -> None: ...

class SearchResult(_message.Message):
    __slots__ = ("document", "collection", "path", "title", "revision", "position", "text", "header", "headings", "start", "end", "first_line", "last_line", "tokens", "score", "dense_rank", "text_rank", "update_time")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    HEADINGS_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    FIRST_LINE_FIELD_NUMBER: _ClassVar[int]
    LAST_LINE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DENSE_RANK_FIELD_NUMBER: _ClassVar[int]
    TEXT_RANK_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    document: str
    collection: str
    path: str
    title: str
    revision: int
    position: int
    text: str
    header: str
    headings: _containers.RepeatedScalarFieldContainer[str]
    start: int
    end: int
    first_line: int
    last_line: int
    tokens: int
    score: float
    dense_rank: int
    text_rank: int
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, document: _Optional[str] = ..., collection: _Optional[str] = ..., path: _Optional[str] = ..., title: _Optional[str] = ..., revision: _Optional[int] = ..., position: _Optional[int] = ..., text: _Optional[str] = ..., header: _Optional[str] = ..., headings: _Optional[_Iterable[str]] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., first_line: _Optional[int] = ..., last_line: _Optional[int] = ..., tokens: _Optional[int] = ..., score: _Optional[float] = ..., dense_rank: _Optional[int] = ..., text_rank: _Optional[int] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
