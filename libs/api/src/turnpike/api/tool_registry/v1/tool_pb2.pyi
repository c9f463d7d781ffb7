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

class ConnectorState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONNECTOR_STATE_UNSPECIFIED: _ClassVar[ConnectorState]
    CONNECTOR_STATE_OK: _ClassVar[ConnectorState]
    CONNECTOR_STATE_DEGRADED: _ClassVar[ConnectorState]
    CONNECTOR_STATE_NEEDS_AUTH: _ClassVar[ConnectorState]
    CONNECTOR_STATE_DISABLED: _ClassVar[ConnectorState]

class Fault(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAULT_UNSPECIFIED: _ClassVar[Fault]
    FAULT_DNS: _ClassVar[Fault]
    FAULT_ADDRESS_REFUSED: _ClassVar[Fault]
    FAULT_CONNECTION_REFUSED: _ClassVar[Fault]
    FAULT_CONNECTION_LOST: _ClassVar[Fault]
    FAULT_TLS: _ClassVar[Fault]
    FAULT_TIMEOUT: _ClassVar[Fault]
    FAULT_HTTP_STATUS: _ClassVar[Fault]
    FAULT_AUTH_NEEDED: _ClassVar[Fault]
    FAULT_FORBIDDEN: _ClassVar[Fault]
    FAULT_NOT_MCP: _ClassVar[Fault]
    FAULT_VERSION: _ClassVar[Fault]
    FAULT_TOO_LARGE: _ClassVar[Fault]
    FAULT_COMMAND: _ClassVar[Fault]
    FAULT_CREDENTIAL: _ClassVar[Fault]
    FAULT_SERVER_ERROR: _ClassVar[Fault]
    FAULT_VARIABLE: _ClassVar[Fault]

class Warning(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WARNING_UNSPECIFIED: _ClassVar[Warning]
    WARNING_TOO_MANY_TOOLS: _ClassVar[Warning]
    WARNING_TOO_MANY_PAGES: _ClassVar[Warning]
    WARNING_TOO_MANY_BYTES: _ClassVar[Warning]
    WARNING_TOOLS_LEFT_OUT: _ClassVar[Warning]
    WARNING_TOOLS_QUARANTINED: _ClassVar[Warning]

class Transport(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRANSPORT_UNSPECIFIED: _ClassVar[Transport]
    TRANSPORT_HTTP: _ClassVar[Transport]
    TRANSPORT_STDIO: _ClassVar[Transport]
    TRANSPORT_SSE: _ClassVar[Transport]

class SignInState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIGN_IN_STATE_UNSPECIFIED: _ClassVar[SignInState]
    SIGN_IN_STATE_PENDING: _ClassVar[SignInState]
    SIGN_IN_STATE_DONE: _ClassVar[SignInState]
    SIGN_IN_STATE_FAILED: _ClassVar[SignInState]

class CallStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CALL_STATUS_UNSPECIFIED: _ClassVar[CallStatus]
    CALL_STATUS_PENDING: _ClassVar[CallStatus]
    CALL_STATUS_DISPATCHED: _ClassVar[CallStatus]
    CALL_STATUS_SUCCEEDED: _ClassVar[CallStatus]
    CALL_STATUS_FAILED: _ClassVar[CallStatus]
    CALL_STATUS_CANCELLED: _ClassVar[CallStatus]
    CALL_STATUS_UNKNOWN: _ClassVar[CallStatus]

class NeedKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NEED_KIND_UNSPECIFIED: _ClassVar[NeedKind]
    NEED_KIND_ELICITATION: _ClassVar[NeedKind]
    NEED_KIND_INPUT_REQUIRED: _ClassVar[NeedKind]
    NEED_KIND_SIGN_IN: _ClassVar[NeedKind]
CONNECTOR_STATE_UNSPECIFIED: ConnectorState
CONNECTOR_STATE_OK: ConnectorState
CONNECTOR_STATE_DEGRADED: ConnectorState
CONNECTOR_STATE_NEEDS_AUTH: ConnectorState
CONNECTOR_STATE_DISABLED: ConnectorState
FAULT_UNSPECIFIED: Fault
FAULT_DNS: Fault
FAULT_ADDRESS_REFUSED: Fault
FAULT_CONNECTION_REFUSED: Fault
FAULT_CONNECTION_LOST: Fault
FAULT_TLS: Fault
FAULT_TIMEOUT: Fault
FAULT_HTTP_STATUS: Fault
FAULT_AUTH_NEEDED: Fault
FAULT_FORBIDDEN: Fault
FAULT_NOT_MCP: Fault
FAULT_VERSION: Fault
FAULT_TOO_LARGE: Fault
FAULT_COMMAND: Fault
FAULT_CREDENTIAL: Fault
FAULT_SERVER_ERROR: Fault
FAULT_VARIABLE: Fault
WARNING_UNSPECIFIED: Warning
WARNING_TOO_MANY_TOOLS: Warning
WARNING_TOO_MANY_PAGES: Warning
WARNING_TOO_MANY_BYTES: Warning
WARNING_TOOLS_LEFT_OUT: Warning
WARNING_TOOLS_QUARANTINED: Warning
TRANSPORT_UNSPECIFIED: Transport
TRANSPORT_HTTP: Transport
TRANSPORT_STDIO: Transport
TRANSPORT_SSE: Transport
SIGN_IN_STATE_UNSPECIFIED: SignInState
SIGN_IN_STATE_PENDING: SignInState
SIGN_IN_STATE_DONE: SignInState
SIGN_IN_STATE_FAILED: SignInState
CALL_STATUS_UNSPECIFIED: CallStatus
CALL_STATUS_PENDING: CallStatus
CALL_STATUS_DISPATCHED: CallStatus
CALL_STATUS_SUCCEEDED: CallStatus
CALL_STATUS_FAILED: CallStatus
CALL_STATUS_CANCELLED: CallStatus
CALL_STATUS_UNKNOWN: CallStatus
NEED_KIND_UNSPECIFIED: NeedKind
NEED_KIND_ELICITATION: NeedKind
NEED_KIND_INPUT_REQUIRED: NeedKind
NEED_KIND_SIGN_IN: NeedKind

class Connector(_message.Message):
    __slots__ = ("name", "transport", "url", "command", "headers", "env", "header_names", "env_names", "state", "state_reason", "etag", "create_time", "update_time", "owner", "disabled", "personal_credentials", "distrust_annotations", "fault", "warnings", "discover_time")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class EnvEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    HEADER_NAMES_FIELD_NUMBER: _ClassVar[int]
    ENV_NAMES_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_REASON_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    PERSONAL_CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    DISTRUST_ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    DISCOVER_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    transport: Transport
    url: str
    command: _containers.RepeatedScalarFieldContainer[str]
    headers: _containers.ScalarMap[str, str]
    env: _containers.ScalarMap[str, str]
    header_names: _containers.RepeatedScalarFieldContainer[str]
    env_names: _containers.RepeatedScalarFieldContainer[str]
    state: ConnectorState
    state_reason: str
    etag: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    owner: str
    disabled: bool
    personal_credentials: bool
    distrust_annotations: bool
    fault: Fault
    warnings: _containers.RepeatedScalarFieldContainer[Warning]
    discover_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., transport: _Optional[_Union[Transport, str]] = ..., url: _Optional[str] = ..., command: _Optional[_Iterable[str]] = ..., headers: _Optional[_Mapping[str, str]] = ..., env: _Optional[_Mapping[str, str]] = ..., header_names: _Optional[_Iterable[str]] = ..., env_names: _Optional[_Iterable[str]] = ..., state: _Optional[_Union[ConnectorState, str]] = ..., state_reason: _Optional[str] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., owner: _Optional[str] = ..., disabled: _Optional[bool] = ..., personal_credentials: _Optional[bool] = ..., distrust_annotations: _Optional[bool] = ..., fault: _Optional[_Union[Fault, str]] = ..., warnings: _Optional[_Iterable[_Union[Warning, str]]] = ..., discover_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Credential(_message.Message):
    __slots__ = ("connector", "principal", "headers", "header_names", "update_time", "issuer", "scope", "expire_time", "refusal")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    HEADER_NAMES_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    connector: str
    principal: str
    headers: _containers.ScalarMap[str, str]
    header_names: _containers.RepeatedScalarFieldContainer[str]
    update_time: _timestamp_pb2.Timestamp
    issuer: str
    scope: str
    expire_time: _timestamp_pb2.Timestamp
    refusal: str
    def __init__(self, connector: _Optional[str] = ..., principal: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., header_names: _Optional[_Iterable[str]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., issuer: _Optional[str] = ..., scope: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., refusal: _Optional[str] = ...) -> None: ...

class SignIn(_message.Message):
    __slots__ = ("id", "connector", "shared", "state", "reason", "message", "expire_time", "issuer")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    id: str
    connector: str
    shared: bool
    state: SignInState
    reason: str
    message: str
    expire_time: _timestamp_pb2.Timestamp
    issuer: str
    def __init__(self, id: _Optional[str] = ..., connector: _Optional[str] = ..., shared: _Optional[bool] = ..., state: _Optional[_Union[SignInState, str]] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., issuer: _Optional[str] = ...) -> None: ...

class Probe(_message.Message):
    __slots__ = ("fault", "message", "seconds", "protocol_version", "server_name", "server_version", "tools", "warnings")
    FAULT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVER_NAME_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    fault: Fault
    message: str
    seconds: float
    protocol_version: str
    server_name: str
    server_version: str
    tools: int
    warnings: _containers.RepeatedScalarFieldContainer[Warning]
    def __init__(self, fault: _Optional[_Union[Fault, str]] = ..., message: _Optional[str] = ..., seconds: _Optional[float] = ..., protocol_version: _Optional[str] = ..., server_name: _Optional[str] = ..., server_version: _Optional[str] = ..., tools: _Optional[int] = ..., warnings: _Optional[_Iterable[_Union[Warning, str]]] = ...) -> None: ...

class Review(_message.Message):
    __slots__ = ("tool", "digest", "approved_digest", "drift", "flags", "renamed_from", "diff")
    TOOL_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    APPROVED_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DRIFT_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    RENAMED_FROM_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    tool: str
    digest: str
    approved_digest: str
    drift: _containers.RepeatedScalarFieldContainer[str]
    flags: _containers.RepeatedScalarFieldContainer[str]
    renamed_from: str
    diff: str
    def __init__(self, tool: _Optional[str] = ..., digest: _Optional[str] = ..., approved_digest: _Optional[str] = ..., drift: _Optional[_Iterable[str]] = ..., flags: _Optional[_Iterable[str]] = ..., renamed_from: _Optional[str] = ..., diff: _Optional[str] = ...) -> None: ...

class Tool(_message.Message):
    __slots__ = ("name", "description", "input_schema", "annotations", "digest", "state", "alias", "annotations_trusted", "drift", "flags", "renamed_from", "connector_identity")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_TRUSTED_FIELD_NUMBER: _ClassVar[int]
    DRIFT_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    RENAMED_FROM_FIELD_NUMBER: _ClassVar[int]
    CONNECTOR_IDENTITY_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    input_schema: str
    annotations: str
    digest: str
    state: str
    alias: str
    annotations_trusted: bool
    drift: _containers.RepeatedScalarFieldContainer[str]
    flags: _containers.RepeatedScalarFieldContainer[str]
    renamed_from: str
    connector_identity: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., input_schema: _Optional[str] = ..., annotations: _Optional[str] = ..., digest: _Optional[str] = ..., state: _Optional[str] = ..., alias: _Optional[str] = ..., annotations_trusted: _Optional[bool] = ..., drift: _Optional[_Iterable[str]] = ..., flags: _Optional[_Iterable[str]] = ..., renamed_from: _Optional[str] = ..., connector_identity: _Optional[str] = ...) -> None: ...

class Need(_message.Message):
    __slots__ = ("kind", "key", "message", "schema", "url", "connector", "request")
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    kind: NeedKind
    key: str
    message: str
    schema: str
    url: str
    connector: str
    request: str
    def __init__(self, kind: _Optional[_Union[NeedKind, str]] = ..., key: _Optional[str] = ..., message: _Optional[str] = ..., schema: _Optional[str] = ..., url: _Optional[str] = ..., connector: _Optional[str] = ..., request: _Optional[str] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("effect", "status", "result", "structured", "reason", "generation", "task", "resolved_by", "needs")
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    STRUCTURED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_BY_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    effect: str
    status: CallStatus
    result: str
    structured: str
    reason: str
    generation: int
    task: str
    resolved_by: str
    needs: _containers.RepeatedCompositeFieldContainer[Need]
    def __init__(self, effect: _Optional[str] = ..., status: _Optional[_Union[CallStatus, str]] = ..., result: _Optional[str] = ..., structured: _Optional[str] = ..., reason: _Optional[str] = ..., generation: _Optional[int] = ..., task: _Optional[str] = ..., resolved_by: _Optional[str] = ..., needs: _Optional[_Iterable[_Union[Need, _Mapping]]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("progress", "total", "message")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    progress: float
    total: float
    message: str
    def __init__(self, progress: _Optional[float] = ..., total: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...
