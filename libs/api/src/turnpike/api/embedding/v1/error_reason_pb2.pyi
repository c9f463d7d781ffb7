from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_ARGUMENT: _ClassVar[ErrorReason]
    ERROR_REASON_UNAUTHENTICATED: _ClassVar[ErrorReason]
    ERROR_REASON_FORBIDDEN: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_INPUT_EMPTY: _ClassVar[ErrorReason]
    ERROR_REASON_INPUT_TOO_LONG: _ClassVar[ErrorReason]
    ERROR_REASON_QUEUE_FULL: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_RATE_LIMITED: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_ERROR: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_UNREACHABLE: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_UNUSABLE: _ClassVar[ErrorReason]
    ERROR_REASON_CONFLICT: _ClassVar[ErrorReason]
    ERROR_REASON_ETAG_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_REVISION_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_PATH_TAKEN: _ClassVar[ErrorReason]
    ERROR_REASON_FOLDER_NOT_EMPTY: _ClassVar[ErrorReason]
    ERROR_REASON_TENANT_LIMIT: _ClassVar[ErrorReason]
    ERROR_REASON_EDIT_NOT_UNIQUE: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_TEXT: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_EXTRACTED: _ClassVar[ErrorReason]
    ERROR_REASON_EDITED_SINCE: _ClassVar[ErrorReason]
    ERROR_REASON_IDEMPOTENCY_KEY_REUSED: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_ARGUMENT: ErrorReason
ERROR_REASON_UNAUTHENTICATED: ErrorReason
ERROR_REASON_FORBIDDEN: ErrorReason
ERROR_REASON_NOT_FOUND: ErrorReason
ERROR_REASON_UNAVAILABLE: ErrorReason
ERROR_REASON_INPUT_EMPTY: ErrorReason
ERROR_REASON_INPUT_TOO_LONG: ErrorReason
ERROR_REASON_QUEUE_FULL: ErrorReason
ERROR_REASON_PROVIDER_RATE_LIMITED: ErrorReason
ERROR_REASON_PROVIDER_ERROR: ErrorReason
ERROR_REASON_PROVIDER_UNREACHABLE: ErrorReason
ERROR_REASON_MODEL_UNUSABLE: ErrorReason
ERROR_REASON_CONFLICT: ErrorReason
ERROR_REASON_ETAG_MISMATCH: ErrorReason
ERROR_REASON_REVISION_MISMATCH: ErrorReason
ERROR_REASON_PATH_TAKEN: ErrorReason
ERROR_REASON_FOLDER_NOT_EMPTY: ErrorReason
ERROR_REASON_TENANT_LIMIT: ErrorReason
ERROR_REASON_EDIT_NOT_UNIQUE: ErrorReason
ERROR_REASON_NOT_TEXT: ErrorReason
ERROR_REASON_NOT_EXTRACTED: ErrorReason
ERROR_REASON_EDITED_SINCE: ErrorReason
ERROR_REASON_IDEMPOTENCY_KEY_REUSED: ErrorReason
