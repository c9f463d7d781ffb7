import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OnEdit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_EDIT_UNSPECIFIED: _ClassVar[OnEdit]
    ON_EDIT_KEEP: _ClassVar[OnEdit]
    ON_EDIT_OVERWRITE: _ClassVar[OnEdit]

class SourceRunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_RUN_STATE_UNSPECIFIED: _ClassVar[SourceRunState]
    SOURCE_RUN_STATE_QUEUED: _ClassVar[SourceRunState]
    SOURCE_RUN_STATE_RUNNING: _ClassVar[SourceRunState]
    SOURCE_RUN_STATE_SUCCEEDED: _ClassVar[SourceRunState]
    SOURCE_RUN_STATE_PARTIAL: _ClassVar[SourceRunState]
    SOURCE_RUN_STATE_FAILED: _ClassVar[SourceRunState]

class SourceItemState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_ITEM_STATE_UNSPECIFIED: _ClassVar[SourceItemState]
    SOURCE_ITEM_STATE_OK: _ClassVar[SourceItemState]
    SOURCE_ITEM_STATE_FAILED: _ClassVar[SourceItemState]
    SOURCE_ITEM_STATE_SKIPPED: _ClassVar[SourceItemState]
    SOURCE_ITEM_STATE_REMOVED: _ClassVar[SourceItemState]

class SourceChange(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_CHANGE_UNSPECIFIED: _ClassVar[SourceChange]
    SOURCE_CHANGE_CREATED: _ClassVar[SourceChange]
    SOURCE_CHANGE_CHANGED: _ClassVar[SourceChange]
    SOURCE_CHANGE_UNCHANGED: _ClassVar[SourceChange]
ON_EDIT_UNSPECIFIED: OnEdit
ON_EDIT_KEEP: OnEdit
ON_EDIT_OVERWRITE: OnEdit
SOURCE_RUN_STATE_UNSPECIFIED: SourceRunState
SOURCE_RUN_STATE_QUEUED: SourceRunState
SOURCE_RUN_STATE_RUNNING: SourceRunState
SOURCE_RUN_STATE_SUCCEEDED: SourceRunState
SOURCE_RUN_STATE_PARTIAL: SourceRunState
SOURCE_RUN_STATE_FAILED: SourceRunState
SOURCE_ITEM_STATE_UNSPECIFIED: SourceItemState
SOURCE_ITEM_STATE_OK: SourceItemState
SOURCE_ITEM_STATE_FAILED: SourceItemState
SOURCE_ITEM_STATE_SKIPPED: SourceItemState
SOURCE_ITEM_STATE_REMOVED: SourceItemState
SOURCE_CHANGE_UNSPECIFIED: SourceChange
SOURCE_CHANGE_CREATED: SourceChange
SOURCE_CHANGE_CHANGED: SourceChange
SOURCE_CHANGE_UNCHANGED: SourceChange

class Source(_message.Message):
    __slots__ = ("name", "collection", "folder", "connector", "include", "exclude", "uris", "interval", "paused", "on_edit", "principal", "etag", "next_run_time", "last_run", "create_time", "update_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    URIS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    ON_EDIT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    NEXT_RUN_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_RUN_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    collection: str
    folder: str
    connector: str
    include: _containers.RepeatedScalarFieldContainer[str]
    exclude: _containers.RepeatedScalarFieldContainer[str]
    uris: _containers.RepeatedScalarFieldContainer[str]
    interval: _duration_pb2.Duration
    paused: bool
    on_edit: OnEdit
    principal: str
    etag: str
    next_run_time: _timestamp_pb2.Timestamp
    last_run: SourceRun
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., collection: _Optional[str] = ..., folder: _Optional[str] = ..., connector: _Optional[str] = ..., include: _Optional[_Iterable[str]] = ..., exclude: _Optional[_Iterable[str]] = ..., uris: _Optional[_Iterable[str]] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., paused: _Optional[bool] = ..., on_edit: _Optional[_Union[OnEdit, str]] = ..., principal: _Optional[str] = ..., etag: _Optional[str] = ..., next_run_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_run: _Optional[_Union[SourceRun, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SourceRun(_message.Message):
    __slots__ = ("id", "state", "reason", "detail", "listed", "added", "changed", "unchanged", "removed", "failed", "skipped", "incomplete", "create_time", "start_time", "end_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    LISTED_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    id: int
    state: SourceRunState
    reason: str
    detail: str
    listed: int
    added: int
    changed: int
    unchanged: int
    removed: int
    failed: int
    skipped: int
    incomplete: bool
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[int] = ..., state: _Optional[_Union[SourceRunState, str]] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., listed: _Optional[int] = ..., added: _Optional[int] = ..., changed: _Optional[int] = ..., unchanged: _Optional[int] = ..., removed: _Optional[int] = ..., failed: _Optional[int] = ..., skipped: _Optional[int] = ..., incomplete: _Optional[bool] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SourceItem(_message.Message):
    __slots__ = ("uri", "document", "path", "state", "reason", "detail", "update_time")
    URI_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    uri: str
    document: str
    path: str
    state: SourceItemState
    reason: str
    detail: str
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, uri: _Optional[str] = ..., document: _Optional[str] = ..., path: _Optional[str] = ..., state: _Optional[_Union[SourceItemState, str]] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class UpdateSourceRequest(_message.Message):
    __slots__ = ("source", "etag", "allow_missing", "validate_only")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    source: Source
    etag: str
    allow_missing: bool
    validate_only: bool
    def __init__(self, source: _Optional[_Union[Source, _Mapping]] = ..., etag: _Optional[str] = ..., allow_missing: _Optional[bool] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class UpdateSourceResponse(_message.Message):
    __slots__ = ("source", "change")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    source: Source
    change: SourceChange
    def __init__(self, source: _Optional[_Union[Source, _Mapping]] = ..., change: _Optional[_Union[SourceChange, str]] = ...) -> None: ...

class GetSourceRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetSourceResponse(_message.Message):
    __slots__ = ("source",)
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    source: Source
    def __init__(self, source: _Optional[_Union[Source, _Mapping]] = ...) -> None: ...

class ListSourcesRequest(_message.Message):
    __slots__ = ("collection", "page_size", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    page_size: int
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSourcesResponse(_message.Message):
    __slots__ = ("sources", "next_page_token")
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedCompositeFieldContainer[Source]
    next_page_token: str
    def __init__(self, sources: _Optional[_Iterable[_Union[Source, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteSourceRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteSourceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RunSourceRequest(_message.Message):
    __slots__ = ("name", "anew")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ANEW_FIELD_NUMBER: _ClassVar[int]
    name: str
    anew: bool
    def __init__(self, name: _Optional[str] = ..., anew: _Optional[bool] = ...) -> None: ...

class RunSourceResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: SourceRun
    def __init__(self, run: _Optional[_Union[SourceRun, _Mapping]] = ...) -> None: ...

class ListSourceRunsRequest(_message.Message):
    __slots__ = ("name", "page_size", "page_token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    page_size: int
    page_token: str
    def __init__(self, name: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSourceRunsResponse(_message.Message):
    __slots__ = ("runs", "next_page_token")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[SourceRun]
    next_page_token: str
    def __init__(self, runs: _Optional[_Iterable[_Union[SourceRun, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListSourceItemsRequest(_message.Message):
    __slots__ = ("name", "state", "page_size", "page_token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: SourceItemState
    page_size: int
    page_token: str
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[SourceItemState, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSourceItemsResponse(_message.Message):
    __slots__ = ("items", "next_page_token")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[SourceItem]
    next_page_token: str
    def __init__(self, items: _Optional[_Iterable[_Union[SourceItem, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
