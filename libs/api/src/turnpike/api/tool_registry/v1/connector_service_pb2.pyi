from buf.validate import validate_pb2 as _validate_pb2
from turnpike.api.tool_registry.v1 import tool_pb2 as _tool_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Change(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_UNSPECIFIED: _ClassVar[Change]
    CHANGE_CREATED: _ClassVar[Change]
    CHANGE_CHANGED: _ClassVar[Change]
    CHANGE_UNCHANGED: _ClassVar[Change]
CHANGE_UNSPECIFIED: Change
CHANGE_CREATED: Change
CHANGE_CHANGED: Change
CHANGE_UNCHANGED: Change

class CreateConnectorRequest(_message.Message):
    __slots__ = ("connector", "validate_only", "probe")
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    PROBE_FIELD_NUMBER: _ClassVar[int]
    connector: _tool_pb2.Connector
    validate_only: bool
    probe: bool
    def __init__(self, connector: _Optional[_Union[_tool_pb2.Connector, _Mapping]] = ..., validate_only: _Optional[bool] = ..., probe: _Optional[bool] = ...) -> None: ...

class CreateConnectorResponse(_message.Message):
    __slots__ = ("connector", "probe")
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    PROBE_FIELD_NUMBER: _ClassVar[int]
    connector: _tool_pb2.Connector
    probe: _tool_pb2.Probe
    def __init__(self, connector: _Optional[_Union[_tool_pb2.Connector, _Mapping]] = ..., probe: _Optional[_Union[_tool_pb2.Probe, _Mapping]] = ...) -> None: ...

class GetConnectorRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetConnectorResponse(_message.Message):
    __slots__ = ("connector",)
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    connector: _tool_pb2.Connector
    def __init__(self, connector: _Optional[_Union[_tool_pb2.Connector, _Mapping]] = ...) -> None: ...

class ListConnectorsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListConnectorsResponse(_message.Message):
    __slots__ = ("connectors", "next_page_token")
    CONNECTORS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    connectors: _containers.RepeatedCompositeFieldContainer[_tool_pb2.Connector]
    next_page_token: str
    def __init__(self, connectors: _Optional[_Iterable[_Union[_tool_pb2.Connector, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateConnectorRequest(_message.Message):
    __slots__ = ("connector", "etag", "allow_missing", "validate_only")
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    connector: _tool_pb2.Connector
    etag: str
    allow_missing: bool
    validate_only: bool
    def __init__(self, connector: _Optional[_Union[_tool_pb2.Connector, _Mapping]] = ..., etag: _Optional[str] = ..., allow_missing: _Optional[bool] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class UpdateConnectorResponse(_message.Message):
    __slots__ = ("connector", "change")
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    connector: _tool_pb2.Connector
    change: Change
    def __init__(self, connector: _Optional[_Union[_tool_pb2.Connector, _Mapping]] = ..., change: _Optional[_Union[Change, str]] = ...) -> None: ...

class DeleteConnectorRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteConnectorResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListToolsRequest(_message.Message):
    __slots__ = ("patterns",)
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    patterns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, patterns: _Optional[_Iterable[str]] = ...) -> None: ...

class ListToolsResponse(_message.Message):
    __slots__ = ("tools", "toolset_digest")
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    TOOLSET_DIGEST_FIELD_NUMBER: _ClassVar[int]
    tools: _containers.RepeatedCompositeFieldContainer[_tool_pb2.Tool]
    toolset_digest: str
    def __init__(self, tools: _Optional[_Iterable[_Union[_tool_pb2.Tool, _Mapping]]] = ..., toolset_digest: _Optional[str] = ...) -> None: ...

class ProbeConnectorRequest(_message.Message):
    __slots__ = ("connector",)
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    connector: _tool_pb2.Connector
    def __init__(self, connector: _Optional[_Union[_tool_pb2.Connector, _Mapping]] = ...) -> None: ...

class ProbeConnectorResponse(_message.Message):
    __slots__ = ("probe",)
    PROBE_FIELD_NUMBER: _ClassVar[int]
    probe: _tool_pb2.Probe
    def __init__(self, probe: _Optional[_Union[_tool_pb2.Probe, _Mapping]] = ...) -> None: ...

class RefreshConnectorRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class RefreshConnectorResponse(_message.Message):
    __slots__ = ("connector",)
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    connector: _tool_pb2.Connector
    def __init__(self, connector: _Optional[_Union[_tool_pb2.Connector, _Mapping]] = ...) -> None: ...

class SetCredentialRequest(_message.Message):
    __slots__ = ("credential", "etag")
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    credential: _tool_pb2.Credential
    etag: str
    def __init__(self, credential: _Optional[_Union[_tool_pb2.Credential, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class SetCredentialResponse(_message.Message):
    __slots__ = ("credential",)
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    credential: _tool_pb2.Credential
    def __init__(self, credential: _Optional[_Union[_tool_pb2.Credential, _Mapping]] = ...) -> None: ...

class ListCredentialsRequest(_message.Message):
    __slots__ = ("connector",)
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    connector: str
    def __init__(self, connector: _Optional[str] = ...) -> None: ...

class ListCredentialsResponse(_message.Message):
    __slots__ = ("credentials",)
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    credentials: _containers.RepeatedCompositeFieldContainer[_tool_pb2.Credential]
    def __init__(self, credentials: _Optional[_Iterable[_Union[_tool_pb2.Credential, _Mapping]]] = ...) -> None: ...

class DeleteCredentialRequest(_message.Message):
    __slots__ = ("connector", "principal", "shared")
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    connector: str
    principal: str
    shared: bool
    def __init__(self, connector: _Optional[str] = ..., principal: _Optional[str] = ..., shared: _Optional[bool] = ...) -> None: ...

class DeleteCredentialResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartSignInRequest(_message.Message):
    __slots__ = ("connector", "shared", "redirect_uri", "client_metadata_url", "state")
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    REDIRECT_URI_FIELD_NUMBER: _ClassVar[int]
    CLIENT_METADATA_URL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    connector: str
    shared: bool
    redirect_uri: str
    client_metadata_url: str
    state: str
    def __init__(self, connector: _Optional[str] = ..., shared: _Optional[bool] = ..., redirect_uri: _Optional[str] = ..., client_metadata_url: _Optional[str] = ..., state: _Optional[str] = ...) -> None: ...

class StartSignInResponse(_message.Message):
    __slots__ = ("sign_in", "authorization_url")
    SIGN_IN_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_URL_FIELD_NUMBER: _ClassVar[int]
    sign_in: _tool_pb2.SignIn
    authorization_url: str
    def __init__(self, sign_in: _Optional[_Union[_tool_pb2.SignIn, _Mapping]] = ..., authorization_url: _Optional[str] = ...) -> None: ...

class FinishSignInRequest(_message.Message):
    __slots__ = ("state", "code", "issuer", "error")
    STATE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    state: str
    code: str
    issuer: str
    error: str
    def __init__(self, state: _Optional[str] = ..., code: _Optional[str] = ..., issuer: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class FinishSignInResponse(_message.Message):
    __slots__ = ("sign_in",)
    SIGN_IN_FIELD_NUMBER: _ClassVar[int]
    sign_in: _tool_pb2.SignIn
    def __init__(self, sign_in: _Optional[_Union[_tool_pb2.SignIn, _Mapping]] = ...) -> None: ...

class GetSignInRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetSignInResponse(_message.Message):
    __slots__ = ("sign_in",)
    SIGN_IN_FIELD_NUMBER: _ClassVar[int]
    sign_in: _tool_pb2.SignIn
    def __init__(self, sign_in: _Optional[_Union[_tool_pb2.SignIn, _Mapping]] = ...) -> None: ...

class UpdateToolRequest(_message.Message):
    __slots__ = ("name", "disabled", "alias", "validate_only")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    name: str
    disabled: bool
    alias: str
    validate_only: bool
    def __init__(self, name: _Optional[str] = ..., disabled: _Optional[bool] = ..., alias: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class UpdateToolResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: Change
    def __init__(self, change: _Optional[_Union[Change, str]] = ...) -> None: ...

class ListReviewsRequest(_message.Message):
    __slots__ = ("connector", "page_size", "page_token")
    CONNECTOR_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    connector: str
    page_size: int
    page_token: str
    def __init__(self, connector: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListReviewsResponse(_message.Message):
    __slots__ = ("reviews", "next_page_token")
    REVIEWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    reviews: _containers.RepeatedCompositeFieldContainer[_tool_pb2.Review]
    next_page_token: str
    def __init__(self, reviews: _Optional[_Iterable[_Union[_tool_pb2.Review, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ApproveToolRequest(_message.Message):
    __slots__ = ("name", "digest")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    name: str
    digest: str
    def __init__(self, name: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class ApproveToolResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
