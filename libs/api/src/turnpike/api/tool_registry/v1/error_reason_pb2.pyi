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
    ERROR_REASON_CONFLICT: _ClassVar[ErrorReason]
    ERROR_REASON_ETAG_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_FENCE_STALE: _ClassVar[ErrorReason]
    ERROR_REASON_EFFECT_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_DEFINITION_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_CALL_NOT_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_CALL_NOT_WAITING: _ClassVar[ErrorReason]
    ERROR_REASON_VARIABLE_UNUSABLE: _ClassVar[ErrorReason]
    ERROR_REASON_SIGN_IN_IMPOSSIBLE: _ClassVar[ErrorReason]
    ERROR_REASON_SIGN_IN_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_CONNECTOR_UNUSABLE: _ClassVar[ErrorReason]
    ERROR_REASON_RESOURCES_UNSUPPORTED: _ClassVar[ErrorReason]
    ERROR_REASON_RESOURCE_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_RESOURCE_TOO_LARGE: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_ARGUMENT: ErrorReason
ERROR_REASON_UNAUTHENTICATED: ErrorReason
ERROR_REASON_FORBIDDEN: ErrorReason
ERROR_REASON_NOT_FOUND: ErrorReason
ERROR_REASON_CONFLICT: ErrorReason
ERROR_REASON_ETAG_MISMATCH: ErrorReason
ERROR_REASON_FENCE_STALE: ErrorReason
ERROR_REASON_EFFECT_MISMATCH: ErrorReason
ERROR_REASON_UNAVAILABLE: ErrorReason
ERROR_REASON_DEFINITION_MISMATCH: ErrorReason
ERROR_REASON_CALL_NOT_UNKNOWN: ErrorReason
ERROR_REASON_CALL_NOT_WAITING: ErrorReason
ERROR_REASON_VARIABLE_UNUSABLE: ErrorReason
ERROR_REASON_SIGN_IN_IMPOSSIBLE: ErrorReason
ERROR_REASON_SIGN_IN_INVALID: ErrorReason
ERROR_REASON_CONNECTOR_UNUSABLE: ErrorReason
ERROR_REASON_RESOURCES_UNSUPPORTED: ErrorReason
ERROR_REASON_RESOURCE_REFUSED: ErrorReason
ERROR_REASON_RESOURCE_TOO_LARGE: ErrorReason
