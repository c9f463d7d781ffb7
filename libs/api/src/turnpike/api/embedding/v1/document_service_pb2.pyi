import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from turnpike.api.embedding.v1 import document_pb2 as _document_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PutDocumentRequest(_message.Message):
    __slots__ = ("collection", "path", "content", "media_type", "title", "metadata", "expected_revision", "request_id", "turn")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    content: bytes
    media_type: str
    title: str
    metadata: _containers.ScalarMap[str, str]
    expected_revision: int
    request_id: str
    turn: str
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ..., content: _Optional[bytes] = ..., media_type: _Optional[str] = ..., title: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., expected_revision: _Optional[int] = ..., request_id: _Optional[str] = ..., turn: _Optional[str] = ...) -> None: ...

class PutDocumentResponse(_message.Message):
    __slots__ = ("document", "change")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    document: _document_pb2.Document
    change: _document_pb2.Change
    def __init__(self, document: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., change: _Optional[_Union[_document_pb2.Change, _Mapping]] = ...) -> None: ...

class UploadDocumentRequest(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: DocumentHeader
    chunk: bytes
    def __init__(self, header: _Optional[_Union[DocumentHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class DocumentHeader(_message.Message):
    __slots__ = ("document", "sha256")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    document: PutDocumentRequest
    sha256: str
    def __init__(self, document: _Optional[_Union[PutDocumentRequest, _Mapping]] = ..., sha256: _Optional[str] = ...) -> None: ...

class UploadDocumentResponse(_message.Message):
    __slots__ = ("document", "change")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    document: _document_pb2.Document
    change: _document_pb2.Change
    def __init__(self, document: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., change: _Optional[_Union[_document_pb2.Change, _Mapping]] = ...) -> None: ...

class EditDocumentRequest(_message.Message):
    __slots__ = ("collection", "path", "old_text", "new_text", "expected_revision", "request_id", "turn")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OLD_TEXT_FIELD_NUMBER: _ClassVar[int]
    NEW_TEXT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    old_text: str
    new_text: str
    expected_revision: int
    request_id: str
    turn: str
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ..., old_text: _Optional[str] = ..., new_text: _Optional[str] = ..., expected_revision: _Optional[int] = ..., request_id: _Optional[str] = ..., turn: _Optional[str] = ...) -> None: ...

class EditDocumentResponse(_message.Message):
    __slots__ = ("document", "change")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    document: _document_pb2.Document
    change: _document_pb2.Change
    def __init__(self, document: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., change: _Optional[_Union[_document_pb2.Change, _Mapping]] = ...) -> None: ...

class GetDocumentRequest(_message.Message):
    __slots__ = ("collection", "path")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ...) -> None: ...

class GetDocumentResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: _document_pb2.Document
    def __init__(self, document: _Optional[_Union[_document_pb2.Document, _Mapping]] = ...) -> None: ...

class WatchDocumentRequest(_message.Message):
    __slots__ = ("collection", "path")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ...) -> None: ...

class WatchDocumentResponse(_message.Message):
    __slots__ = ("indexing",)
    INDEXING_FIELD_NUMBER: _ClassVar[int]
    indexing: _document_pb2.Indexing
    def __init__(self, indexing: _Optional[_Union[_document_pb2.Indexing, _Mapping]] = ...) -> None: ...

class ReadDocumentRequest(_message.Message):
    __slots__ = ("collection", "path", "revision", "first_line", "last_line", "max_characters")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    FIRST_LINE_FIELD_NUMBER: _ClassVar[int]
    LAST_LINE_FIELD_NUMBER: _ClassVar[int]
    MAX_CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    revision: int
    first_line: int
    last_line: int
    max_characters: int
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ..., revision: _Optional[int] = ..., first_line: _Optional[int] = ..., last_line: _Optional[int] = ..., max_characters: _Optional[int] = ...) -> None: ...

class ReadDocumentResponse(_message.Message):
    __slots__ = ("document", "text", "first_line", "last_line", "lines", "truncated")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FIRST_LINE_FIELD_NUMBER: _ClassVar[int]
    LAST_LINE_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    document: _document_pb2.Document
    text: str
    first_line: int
    last_line: int
    lines: int
    truncated: bool
    def __init__(self, document: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., text: _Optional[str] = ..., first_line: _Optional[int] = ..., last_line: _Optional[int] = ..., lines: _Optional[int] = ..., truncated: _Optional[bool] = ...) -> None: ...

class SummarizeDocumentRequest(_message.Message):
    __slots__ = ("collection", "path", "revision", "words")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    revision: int
    words: int
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ..., revision: _Optional[int] = ..., words: _Optional[int] = ...) -> None: ...

class SummarizeDocumentResponse(_message.Message):
    __slots__ = ("summary", "digest", "calls")
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    summary: str
    digest: str
    calls: int
    def __init__(self, summary: _Optional[str] = ..., digest: _Optional[str] = ..., calls: _Optional[int] = ...) -> None: ...

class ReadOriginalRequest(_message.Message):
    __slots__ = ("collection", "path", "revision")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    revision: int
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class ReadOriginalResponse(_message.Message):
    __slots__ = ("content", "media_type", "size")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    media_type: str
    size: int
    def __init__(self, content: _Optional[bytes] = ..., media_type: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class ListDocumentsRequest(_message.Message):
    __slots__ = ("collection", "folder", "shallow", "page_size", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    SHALLOW_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    folder: str
    shallow: bool
    page_size: int
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., folder: _Optional[str] = ..., shallow: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDocumentsResponse(_message.Message):
    __slots__ = ("documents", "next_page_token")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[_document_pb2.Document]
    next_page_token: str
    def __init__(self, documents: _Optional[_Iterable[_Union[_document_pb2.Document, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListFoldersRequest(_message.Message):
    __slots__ = ("collection", "folder", "page_size", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    folder: str
    page_size: int
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., folder: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFoldersResponse(_message.Message):
    __slots__ = ("folders", "next_page_token")
    FOLDERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    folders: _containers.RepeatedScalarFieldContainer[str]
    next_page_token: str
    def __init__(self, folders: _Optional[_Iterable[str]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CreateFolderRequest(_message.Message):
    __slots__ = ("collection", "path", "request_id", "turn")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    request_id: str
    turn: str
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ..., request_id: _Optional[str] = ..., turn: _Optional[str] = ...) -> None: ...

class CreateFolderResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: _document_pb2.Change
    def __init__(self, change: _Optional[_Union[_document_pb2.Change, _Mapping]] = ...) -> None: ...

class MoveDocumentRequest(_message.Message):
    __slots__ = ("collection", "path", "new_path", "expected_revision", "request_id", "turn")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    NEW_PATH_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    new_path: str
    expected_revision: int
    request_id: str
    turn: str
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ..., new_path: _Optional[str] = ..., expected_revision: _Optional[int] = ..., request_id: _Optional[str] = ..., turn: _Optional[str] = ...) -> None: ...

class MoveDocumentResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: _document_pb2.Change
    def __init__(self, change: _Optional[_Union[_document_pb2.Change, _Mapping]] = ...) -> None: ...

class DeleteDocumentRequest(_message.Message):
    __slots__ = ("collection", "path", "expected_revision", "request_id", "turn")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    expected_revision: int
    request_id: str
    turn: str
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ..., expected_revision: _Optional[int] = ..., request_id: _Optional[str] = ..., turn: _Optional[str] = ...) -> None: ...

class DeleteDocumentResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: _document_pb2.Change
    def __init__(self, change: _Optional[_Union[_document_pb2.Change, _Mapping]] = ...) -> None: ...

class DeleteFolderRequest(_message.Message):
    __slots__ = ("collection", "path", "recursive", "request_id", "turn")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    recursive: bool
    request_id: str
    turn: str
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ..., recursive: _Optional[bool] = ..., request_id: _Optional[str] = ..., turn: _Optional[str] = ...) -> None: ...

class DeleteFolderResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: _document_pb2.Change
    def __init__(self, change: _Optional[_Union[_document_pb2.Change, _Mapping]] = ...) -> None: ...

class ListRevisionsRequest(_message.Message):
    __slots__ = ("collection", "path", "page_size", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    page_size: int
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRevisionsResponse(_message.Message):
    __slots__ = ("revisions", "next_page_token")
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    revisions: _containers.RepeatedCompositeFieldContainer[_document_pb2.Revision]
    next_page_token: str
    def __init__(self, revisions: _Optional[_Iterable[_Union[_document_pb2.Revision, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetDiffRequest(_message.Message):
    __slots__ = ("collection", "path", "to")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    to: int
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ..., to: _Optional[int] = ..., **kwargs) -> None: ...

class GetDiffResponse(_message.Message):
    __slots__ = ("to", "diff", "truncated")
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    to: _document_pb2.Revision
    diff: str
    truncated: bool
    def __init__(self, to: _Optional[_Union[_document_pb2.Revision, _Mapping]] = ..., diff: _Optional[str] = ..., truncated: _Optional[bool] = ..., **kwargs) -> None: ...

class ListChangesRequest(_message.Message):
    __slots__ = ("collection", "folder", "turn", "page_size", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    folder: str
    turn: str
    page_size: int
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., folder: _Optional[str] = ..., turn: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListChangesResponse(_message.Message):
    __slots__ = ("changes", "next_page_token")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[_document_pb2.Change]
    next_page_token: str
    def __init__(self, changes: _Optional[_Iterable[_Union[_document_pb2.Change, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RevertDocumentRequest(_message.Message):
    __slots__ = ("collection", "path", "revision", "expected_revision", "force", "request_id")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    collection: str
    path: str
    revision: int
    expected_revision: int
    force: bool
    request_id: str
    def __init__(self, collection: _Optional[str] = ..., path: _Optional[str] = ..., revision: _Optional[int] = ..., expected_revision: _Optional[int] = ..., force: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class RevertDocumentResponse(_message.Message):
    __slots__ = ("document", "change")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    document: _document_pb2.Document
    change: _document_pb2.Change
    def __init__(self, document: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., change: _Optional[_Union[_document_pb2.Change, _Mapping]] = ...) -> None: ...

class RevertChangesRequest(_message.Message):
    __slots__ = ("collection", "turn", "change", "folder", "since", "force")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    collection: str
    turn: str
    change: int
    folder: str
    since: _timestamp_pb2.Timestamp
    force: bool
    def __init__(self, collection: _Optional[str] = ..., turn: _Optional[str] = ..., change: _Optional[int] = ..., folder: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., force: _Optional[bool] = ...) -> None: ...

class RevertChangesResponse(_message.Message):
    __slots__ = ("reversals",)
    REVERSALS_FIELD_NUMBER: _ClassVar[int]
    reversals: _containers.RepeatedCompositeFieldContainer[_document_pb2.Reversal]
    def __init__(self, reversals: _Optional[_Iterable[_Union[_document_pb2.Reversal, _Mapping]]] = ...) -> None: ...
