import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from turnpike.api.gatekeeper.v1 import principal_pb2 as _principal_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuthenticateRequest(_message.Message):
    __slots__ = ("credential",)
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    credential: str
    def __init__(self, credential: _Optional[str] = ...) -> None: ...

class AuthenticateResponse(_message.Message):
    __slots__ = ("token", "expire_time", "principal")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    token: str
    expire_time: _timestamp_pb2.Timestamp
    principal: _principal_pb2.Principal
    def __init__(self, token: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., principal: _Optional[_Union[_principal_pb2.Principal, _Mapping]] = ...) -> None: ...

class WatchRevocationsRequest(_message.Message):
    __slots__ = ("after",)
    AFTER_FIELD_NUMBER: _ClassVar[int]
    after: int
    def __init__(self, after: _Optional[int] = ...) -> None: ...

class WatchRevocationsResponse(_message.Message):
    __slots__ = ("revocations", "last_id")
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    LAST_ID_FIELD_NUMBER: _ClassVar[int]
    revocations: _containers.RepeatedCompositeFieldContainer[Revocation]
    last_id: int
    def __init__(self, revocations: _Optional[_Iterable[_Union[Revocation, _Mapping]]] = ..., last_id: _Optional[int] = ...) -> None: ...

class Revocation(_message.Message):
    __slots__ = ("id", "key", "principal", "tenant", "revoke_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: int
    key: str
    principal: str
    tenant: str
    revoke_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[int] = ..., key: _Optional[str] = ..., principal: _Optional[str] = ..., tenant: _Optional[str] = ..., revoke_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AdmitRequest(_message.Message):
    __slots__ = ("turn", "tenant", "principal", "key", "agent_owner", "attempt", "segment")
    TURN_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    AGENT_OWNER_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    turn: str
    tenant: str
    principal: str
    key: str
    agent_owner: str
    attempt: int
    segment: int
    def __init__(self, turn: _Optional[str] = ..., tenant: _Optional[str] = ..., principal: _Optional[str] = ..., key: _Optional[str] = ..., agent_owner: _Optional[str] = ..., attempt: _Optional[int] = ..., segment: _Optional[int] = ...) -> None: ...

class AdmitResponse(_message.Message):
    __slots__ = ("slot_ttl",)
    SLOT_TTL_FIELD_NUMBER: _ClassVar[int]
    slot_ttl: _duration_pb2.Duration
    def __init__(self, slot_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("turn", "tenant")
    TURN_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    turn: str
    tenant: str
    def __init__(self, turn: _Optional[str] = ..., tenant: _Optional[str] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("replica", "slots")
    class Slot(_message.Message):
        __slots__ = ("turn", "tenant", "principal", "key", "agent_owner")
        TURN_FIELD_NUMBER: _ClassVar[int]
        TENANT_FIELD_NUMBER: _ClassVar[int]
        PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
        KEY_FIELD_NUMBER: _ClassVar[int]
        AGENT_OWNER_FIELD_NUMBER: _ClassVar[int]
        turn: str
        tenant: str
        principal: str
        key: str
        agent_owner: str
        def __init__(self, turn: _Optional[str] = ..., tenant: _Optional[str] = ..., principal: _Optional[str] = ..., key: _Optional[str] = ..., agent_owner: _Optional[str] = ...) -> None: ...
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    replica: str
    slots: _containers.RepeatedCompositeFieldContainer[HeartbeatRequest.Slot]
    def __init__(self, replica: _Optional[str] = ..., slots: _Optional[_Iterable[_Union[HeartbeatRequest.Slot, _Mapping]]] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("revoked",)
    class RevokedTurn(_message.Message):
        __slots__ = ("turn", "reason")
        TURN_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        turn: str
        reason: str
        def __init__(self, turn: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    revoked: _containers.RepeatedCompositeFieldContainer[HeartbeatResponse.RevokedTurn]
    def __init__(self, revoked: _Optional[_Iterable[_Union[HeartbeatResponse.RevokedTurn, _Mapping]]] = ...) -> None: ...
