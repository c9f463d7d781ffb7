import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from turnpike.api.agent_runtime.v1 import agent_service_pb2 as _agent_service_pb2
from turnpike.api.agent_runtime.v1 import model_service_pb2 as _model_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class KeyMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KEY_MODE_UNSPECIFIED: _ClassVar[KeyMode]
    KEY_MODE_OFF: _ClassVar[KeyMode]
    KEY_MODE_PREFERRED: _ClassVar[KeyMode]
    KEY_MODE_REQUIRED: _ClassVar[KeyMode]
KEY_MODE_UNSPECIFIED: KeyMode
KEY_MODE_OFF: KeyMode
KEY_MODE_PREFERRED: KeyMode
KEY_MODE_REQUIRED: KeyMode

class ProviderKey(_message.Message):
    __slots__ = ("name", "scope", "provider", "base_url", "api_key", "sealed_by", "etag", "create_time", "update_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    BASE_URL_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    SEALED_BY_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    scope: _model_service_pb2.Scope
    provider: str
    base_url: str
    api_key: str
    sealed_by: str
    etag: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., scope: _Optional[_Union[_model_service_pb2.Scope, str]] = ..., provider: _Optional[str] = ..., base_url: _Optional[str] = ..., api_key: _Optional[str] = ..., sealed_by: _Optional[str] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateProviderKeyRequest(_message.Message):
    __slots__ = ("provider_key", "validate_only")
    PROVIDER_KEY_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    provider_key: ProviderKey
    validate_only: bool
    def __init__(self, provider_key: _Optional[_Union[ProviderKey, _Mapping]] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class CreateProviderKeyResponse(_message.Message):
    __slots__ = ("provider_key",)
    PROVIDER_KEY_FIELD_NUMBER: _ClassVar[int]
    provider_key: ProviderKey
    def __init__(self, provider_key: _Optional[_Union[ProviderKey, _Mapping]] = ...) -> None: ...

class GetProviderKeyRequest(_message.Message):
    __slots__ = ("name", "scope")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    scope: _model_service_pb2.Scope
    def __init__(self, name: _Optional[str] = ..., scope: _Optional[_Union[_model_service_pb2.Scope, str]] = ...) -> None: ...

class GetProviderKeyResponse(_message.Message):
    __slots__ = ("provider_key",)
    PROVIDER_KEY_FIELD_NUMBER: _ClassVar[int]
    provider_key: ProviderKey
    def __init__(self, provider_key: _Optional[_Union[ProviderKey, _Mapping]] = ...) -> None: ...

class ListProviderKeysRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListProviderKeysResponse(_message.Message):
    __slots__ = ("provider_keys", "next_page_token")
    PROVIDER_KEYS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    provider_keys: _containers.RepeatedCompositeFieldContainer[ProviderKey]
    next_page_token: str
    def __init__(self, provider_keys: _Optional[_Iterable[_Union[ProviderKey, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateProviderKeyRequest(_message.Message):
    __slots__ = ("provider_key", "etag", "allow_missing", "validate_only")
    PROVIDER_KEY_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    provider_key: ProviderKey
    etag: str
    allow_missing: bool
    validate_only: bool
    def __init__(self, provider_key: _Optional[_Union[ProviderKey, _Mapping]] = ..., etag: _Optional[str] = ..., allow_missing: _Optional[bool] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class UpdateProviderKeyResponse(_message.Message):
    __slots__ = ("provider_key", "change")
    PROVIDER_KEY_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    provider_key: ProviderKey
    change: _agent_service_pb2.Change
    def __init__(self, provider_key: _Optional[_Union[ProviderKey, _Mapping]] = ..., change: _Optional[_Union[_agent_service_pb2.Change, str]] = ...) -> None: ...

class DeleteProviderKeyRequest(_message.Message):
    __slots__ = ("name", "etag", "scope")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    scope: _model_service_pb2.Scope
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., scope: _Optional[_Union[_model_service_pb2.Scope, str]] = ...) -> None: ...

class DeleteProviderKeyResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetKeyModeRequest(_message.Message):
    __slots__ = ("scope",)
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    scope: _model_service_pb2.Scope
    def __init__(self, scope: _Optional[_Union[_model_service_pb2.Scope, str]] = ...) -> None: ...

class GetKeyModeResponse(_message.Message):
    __slots__ = ("mode", "etag", "update_time")
    MODE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    mode: KeyMode
    etag: str
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, mode: _Optional[_Union[KeyMode, str]] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class UpdateKeyModeRequest(_message.Message):
    __slots__ = ("scope", "mode", "etag", "validate_only")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    scope: _model_service_pb2.Scope
    mode: KeyMode
    etag: str
    validate_only: bool
    def __init__(self, scope: _Optional[_Union[_model_service_pb2.Scope, str]] = ..., mode: _Optional[_Union[KeyMode, str]] = ..., etag: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class UpdateKeyModeResponse(_message.Message):
    __slots__ = ("mode", "etag", "update_time", "change")
    MODE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    mode: KeyMode
    etag: str
    update_time: _timestamp_pb2.Timestamp
    change: _agent_service_pb2.Change
    def __init__(self, mode: _Optional[_Union[KeyMode, str]] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., change: _Optional[_Union[_agent_service_pb2.Change, str]] = ...) -> None: ...
