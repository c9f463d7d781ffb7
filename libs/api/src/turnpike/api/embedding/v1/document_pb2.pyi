import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IndexingState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INDEXING_STATE_UNSPECIFIED: _ClassVar[IndexingState]
    INDEXING_STATE_QUEUED: _ClassVar[IndexingState]
    INDEXING_STATE_EXTRACTING: _ClassVar[IndexingState]
    INDEXING_STATE_CHUNKING: _ClassVar[IndexingState]
    INDEXING_STATE_EMBEDDING: _ClassVar[IndexingState]
    INDEXING_STATE_READY: _ClassVar[IndexingState]
    INDEXING_STATE_FAILED: _ClassVar[IndexingState]

class ReversalOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVERSAL_OUTCOME_UNSPECIFIED: _ClassVar[ReversalOutcome]
    REVERSAL_OUTCOME_REVERTED: _ClassVar[ReversalOutcome]
    REVERSAL_OUTCOME_UNCHANGED: _ClassVar[ReversalOutcome]
    REVERSAL_OUTCOME_EDITED_SINCE: _ClassVar[ReversalOutcome]
    REVERSAL_OUTCOME_PATH_TAKEN: _ClassVar[ReversalOutcome]
INDEXING_STATE_UNSPECIFIED: IndexingState
INDEXING_STATE_QUEUED: IndexingState
INDEXING_STATE_EXTRACTING: IndexingState
INDEXING_STATE_CHUNKING: IndexingState
INDEXING_STATE_EMBEDDING: IndexingState
INDEXING_STATE_READY: IndexingState
INDEXING_STATE_FAILED: IndexingState
REVERSAL_OUTCOME_UNSPECIFIED: ReversalOutcome
REVERSAL_OUTCOME_REVERTED: ReversalOutcome
REVERSAL_OUTCOME_UNCHANGED: ReversalOutcome
REVERSAL_OUTCOME_EDITED_SINCE: ReversalOutcome
REVERSAL_OUTCOME_PATH_TAKEN: ReversalOutcome

class Indexing(_message.Message):
    __slots__ = ("state", "done", "total", "embedded", "reason", "detail")
    STATE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    EMBEDDED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    state: IndexingState
    done: int
    total: int
    embedded: int
    reason: str
    detail: str
    def __init__(self, state: _Optional[_Union[IndexingState, str]] = ..., done: _Optional[int] = ..., total: _Optional[int] = ..., embedded: _Optional[int] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class Document(_message.Message):
    __slots__ = ("id", "collection", "path", "title", "media_type", "metadata", "revision", "size", "digest", "indexing", "create_time", "update_time")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    INDEXING_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    collection: str
    path: str
    title: str
    media_type: str
    metadata: _containers.ScalarMap[str, str]
    revision: int
    size: int
    digest: str
    indexing: Indexing
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., collection: _Optional[str] = ..., path: _Optional[str] = ..., title: _Optional[str] = ..., media_type: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., revision: _Optional[int] = ..., size: _Optional[int] = ..., digest: _Optional[str] = ..., indexing: _Optional[_Union[Indexing, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Revision(_message.Message):
    __slots__ = ("number", "version", "path", "title", "media_type", "metadata", "digest", "change")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    number: int
    version: int
    path: str
    title: str
    media_type: str
    metadata: _containers.ScalarMap[str, str]
    digest: str
    change: Change
    def __init__(self, number: _Optional[int] = ..., version: _Optional[int] = ..., path: _Optional[str] = ..., title: _Optional[str] = ..., media_type: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., digest: _Optional[str] = ..., change: _Optional[_Union[Change, _Mapping]] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("id", "collection", "kind", "principal", "turn", "reverts", "documents", "folders_made", "folders_removed", "time")
    ID_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    REVERTS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    FOLDERS_MADE_FIELD_NUMBER: _ClassVar[int]
    FOLDERS_REMOVED_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    id: int
    collection: str
    kind: str
    principal: str
    turn: str
    reverts: int
    documents: _containers.RepeatedCompositeFieldContainer[DocumentChange]
    folders_made: _containers.RepeatedScalarFieldContainer[str]
    folders_removed: _containers.RepeatedScalarFieldContainer[str]
    time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[int] = ..., collection: _Optional[str] = ..., kind: _Optional[str] = ..., principal: _Optional[str] = ..., turn: _Optional[str] = ..., reverts: _Optional[int] = ..., documents: _Optional[_Iterable[_Union[DocumentChange, _Mapping]]] = ..., folders_made: _Optional[_Iterable[str]] = ..., folders_removed: _Optional[_Iterable[str]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DocumentChange(_message.Message):
    __slots__ = ("document", "old_path", "path", "revision", "content_changed")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    OLD_PATH_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_CHANGED_FIELD_NUMBER: _ClassVar[int]
    document: str
    old_path: str
    path: str
    revision: int
    content_changed: bool
    def __init__(self, document: _Optional[str] = ..., old_path: _Optional[str] = ..., path: _Optional[str] = ..., revision: _Optional[int] = ..., content_changed: _Optional[bool] = ...) -> None: ...

class Reversal(_message.Message):
    __slots__ = ("change", "outcome", "reversal", "conflicts")
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REVERSAL_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    change: Change
    outcome: ReversalOutcome
    reversal: Change
    conflicts: _containers.RepeatedCompositeFieldContainer[ReversalConflict]
    def __init__(self, change: _Optional[_Union[Change, _Mapping]] = ..., outcome: _Optional[_Union[ReversalOutcome, str]] = ..., reversal: _Optional[_Union[Change, _Mapping]] = ..., conflicts: _Optional[_Iterable[_Union[ReversalConflict, _Mapping]]] = ...) -> None: ...

class ReversalConflict(_message.Message):
    __slots__ = ("path", "document", "revision", "reverted_revision")
    PATH_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    REVERTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    path: str
    document: str
    revision: int
    reverted_revision: int
    def __init__(self, path: _Optional[str] = ..., document: _Optional[str] = ..., revision: _Optional[int] = ..., reverted_revision: _Optional[int] = ...) -> None: ...
