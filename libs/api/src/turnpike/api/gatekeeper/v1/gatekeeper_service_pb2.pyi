import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from turnpike.api.gatekeeper.v1 import principal_pb2 as _principal_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RateClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RATE_CLASS_UNSPECIFIED: _ClassVar[RateClass]
    RATE_CLASS_SYNC: _ClassVar[RateClass]
    RATE_CLASS_ASYNC: _ClassVar[RateClass]
    RATE_CLASS_API: _ClassVar[RateClass]

class UsageKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    USAGE_KIND_UNSPECIFIED: _ClassVar[UsageKind]
    USAGE_KIND_CHAT: _ClassVar[UsageKind]
    USAGE_KIND_EMBEDDING: _ClassVar[UsageKind]
    USAGE_KIND_INTERNAL: _ClassVar[UsageKind]
RATE_CLASS_UNSPECIFIED: RateClass
RATE_CLASS_SYNC: RateClass
RATE_CLASS_ASYNC: RateClass
RATE_CLASS_API: RateClass
USAGE_KIND_UNSPECIFIED: UsageKind
USAGE_KIND_CHAT: UsageKind
USAGE_KIND_EMBEDDING: UsageKind
USAGE_KIND_INTERNAL: UsageKind

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
    __slots__ = ("id", "key", "principal", "tenant", "revoke_time", "generation")
    ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    id: int
    key: str
    principal: str
    tenant: str
    revoke_time: _timestamp_pb2.Timestamp
    generation: int
    def __init__(self, id: _Optional[int] = ..., key: _Optional[str] = ..., principal: _Optional[str] = ..., tenant: _Optional[str] = ..., revoke_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., generation: _Optional[int] = ...) -> None: ...

class Prices(_message.Message):
    __slots__ = ("input", "output", "cached", "cache_write")
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_FIELD_NUMBER: _ClassVar[int]
    input: int
    output: int
    cached: int
    cache_write: int
    def __init__(self, input: _Optional[int] = ..., output: _Optional[int] = ..., cached: _Optional[int] = ..., cache_write: _Optional[int] = ...) -> None: ...

class ModelPrice(_message.Message):
    __slots__ = ("model", "prices", "own_key")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    OWN_KEY_FIELD_NUMBER: _ClassVar[int]
    model: str
    prices: Prices
    own_key: bool
    def __init__(self, model: _Optional[str] = ..., prices: _Optional[_Union[Prices, _Mapping]] = ..., own_key: _Optional[bool] = ...) -> None: ...

class Estimate(_message.Message):
    __slots__ = ("model", "input_tokens", "max_output_tokens")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    model: str
    input_tokens: int
    max_output_tokens: int
    def __init__(self, model: _Optional[str] = ..., input_tokens: _Optional[int] = ..., max_output_tokens: _Optional[int] = ...) -> None: ...

class AdmitRequest(_message.Message):
    __slots__ = ("turn", "tenant", "principal", "key", "agent_owner", "attempt", "segment", "caller", "rate_class", "agent", "estimate", "prices", "snapshot")
    TURN_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    AGENT_OWNER_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    RATE_CLASS_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    turn: str
    tenant: str
    principal: str
    key: str
    agent_owner: str
    attempt: int
    segment: int
    caller: str
    rate_class: RateClass
    agent: str
    estimate: Estimate
    prices: _containers.RepeatedCompositeFieldContainer[ModelPrice]
    snapshot: bytes
    def __init__(self, turn: _Optional[str] = ..., tenant: _Optional[str] = ..., principal: _Optional[str] = ..., key: _Optional[str] = ..., agent_owner: _Optional[str] = ..., attempt: _Optional[int] = ..., segment: _Optional[int] = ..., caller: _Optional[str] = ..., rate_class: _Optional[_Union[RateClass, str]] = ..., agent: _Optional[str] = ..., estimate: _Optional[_Union[Estimate, _Mapping]] = ..., prices: _Optional[_Iterable[_Union[ModelPrice, _Mapping]]] = ..., snapshot: _Optional[bytes] = ...) -> None: ...

class AdmitResponse(_message.Message):
    __slots__ = ("slot_ttl", "snapshot", "grant", "plan")
    SLOT_TTL_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    slot_ttl: _duration_pb2.Duration
    snapshot: bytes
    grant: Grant
    plan: str
    def __init__(self, slot_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., snapshot: _Optional[bytes] = ..., grant: _Optional[_Union[Grant, _Mapping]] = ..., plan: _Optional[str] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("max_output_tokens", "hold_micro_usd", "prices", "default_prices", "receipt")
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    HOLD_MICRO_USD_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_PRICES_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    max_output_tokens: int
    hold_micro_usd: int
    prices: Prices
    default_prices: bool
    receipt: bytes
    def __init__(self, max_output_tokens: _Optional[int] = ..., hold_micro_usd: _Optional[int] = ..., prices: _Optional[_Union[Prices, _Mapping]] = ..., default_prices: _Optional[bool] = ..., receipt: _Optional[bytes] = ...) -> None: ...

class ExtendRequest(_message.Message):
    __slots__ = ("turn", "tenant", "segment", "snapshot", "step", "attempt", "estimate")
    TURN_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    turn: str
    tenant: str
    segment: int
    snapshot: bytes
    step: int
    attempt: int
    estimate: Estimate
    def __init__(self, turn: _Optional[str] = ..., tenant: _Optional[str] = ..., segment: _Optional[int] = ..., snapshot: _Optional[bytes] = ..., step: _Optional[int] = ..., attempt: _Optional[int] = ..., estimate: _Optional[_Union[Estimate, _Mapping]] = ...) -> None: ...

class ExtendResponse(_message.Message):
    __slots__ = ("grant",)
    GRANT_FIELD_NUMBER: _ClassVar[int]
    grant: Grant
    def __init__(self, grant: _Optional[_Union[Grant, _Mapping]] = ...) -> None: ...

class SettleRequest(_message.Message):
    __slots__ = ("turn", "tenant", "segment", "snapshot", "usage", "ends")
    class Usage(_message.Message):
        __slots__ = ("step", "call", "attempt", "kind", "model", "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "estimated", "own_key")
        STEP_FIELD_NUMBER: _ClassVar[int]
        CALL_FIELD_NUMBER: _ClassVar[int]
        ATTEMPT_FIELD_NUMBER: _ClassVar[int]
        KIND_FIELD_NUMBER: _ClassVar[int]
        MODEL_FIELD_NUMBER: _ClassVar[int]
        INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
        CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
        CACHE_WRITE_TOKENS_FIELD_NUMBER: _ClassVar[int]
        OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
        REASONING_TOKENS_FIELD_NUMBER: _ClassVar[int]
        ESTIMATED_FIELD_NUMBER: _ClassVar[int]
        OWN_KEY_FIELD_NUMBER: _ClassVar[int]
        step: int
        call: int
        attempt: int
        kind: UsageKind
        model: str
        input_tokens: int
        cached_tokens: int
        cache_write_tokens: int
        output_tokens: int
        reasoning_tokens: int
        estimated: bool
        own_key: bool
        def __init__(self, step: _Optional[int] = ..., call: _Optional[int] = ..., attempt: _Optional[int] = ..., kind: _Optional[_Union[UsageKind, str]] = ..., model: _Optional[str] = ..., input_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., cache_write_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., reasoning_tokens: _Optional[int] = ..., estimated: _Optional[bool] = ..., own_key: _Optional[bool] = ...) -> None: ...
    TURN_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    ENDS_FIELD_NUMBER: _ClassVar[int]
    turn: str
    tenant: str
    segment: int
    snapshot: bytes
    usage: _containers.RepeatedCompositeFieldContainer[SettleRequest.Usage]
    ends: bool
    def __init__(self, turn: _Optional[str] = ..., tenant: _Optional[str] = ..., segment: _Optional[int] = ..., snapshot: _Optional[bytes] = ..., usage: _Optional[_Iterable[_Union[SettleRequest.Usage, _Mapping]]] = ..., ends: _Optional[bool] = ...) -> None: ...

class SettleResponse(_message.Message):
    __slots__ = ("cost_micro_usd",)
    COST_MICRO_USD_FIELD_NUMBER: _ClassVar[int]
    cost_micro_usd: int
    def __init__(self, cost_micro_usd: _Optional[int] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("turn", "tenant", "segment", "settled")
    TURN_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    turn: str
    tenant: str
    segment: int
    settled: bool
    def __init__(self, turn: _Optional[str] = ..., tenant: _Optional[str] = ..., segment: _Optional[int] = ..., settled: _Optional[bool] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("replica", "slots")
    class Slot(_message.Message):
        __slots__ = ("turn", "tenant", "principal", "key", "agent_owner", "caller", "segment", "receipt")
        TURN_FIELD_NUMBER: _ClassVar[int]
        TENANT_FIELD_NUMBER: _ClassVar[int]
        PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
        KEY_FIELD_NUMBER: _ClassVar[int]
        AGENT_OWNER_FIELD_NUMBER: _ClassVar[int]
        CALLER_FIELD_NUMBER: _ClassVar[int]
        SEGMENT_FIELD_NUMBER: _ClassVar[int]
        RECEIPT_FIELD_NUMBER: _ClassVar[int]
        turn: str
        tenant: str
        principal: str
        key: str
        agent_owner: str
        caller: str
        segment: int
        receipt: bytes
        def __init__(self, turn: _Optional[str] = ..., tenant: _Optional[str] = ..., principal: _Optional[str] = ..., key: _Optional[str] = ..., agent_owner: _Optional[str] = ..., caller: _Optional[str] = ..., segment: _Optional[int] = ..., receipt: _Optional[bytes] = ...) -> None: ...
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    replica: str
    slots: _containers.RepeatedCompositeFieldContainer[HeartbeatRequest.Slot]
    def __init__(self, replica: _Optional[str] = ..., slots: _Optional[_Iterable[_Union[HeartbeatRequest.Slot, _Mapping]]] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("revoked", "missing_holds")
    class RevokedTurn(_message.Message):
        __slots__ = ("turn", "reason")
        TURN_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        turn: str
        reason: str
        def __init__(self, turn: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    MISSING_HOLDS_FIELD_NUMBER: _ClassVar[int]
    revoked: _containers.RepeatedCompositeFieldContainer[HeartbeatResponse.RevokedTurn]
    missing_holds: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, revoked: _Optional[_Iterable[_Union[HeartbeatResponse.RevokedTurn, _Mapping]]] = ..., missing_holds: _Optional[_Iterable[str]] = ...) -> None: ...

class ExplainAdmissionRequest(_message.Message):
    __slots__ = ("principal", "key", "agent_owner", "caller", "rate_class", "agent", "estimate", "prices")
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    AGENT_OWNER_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    RATE_CLASS_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    principal: str
    key: str
    agent_owner: str
    caller: str
    rate_class: RateClass
    agent: str
    estimate: Estimate
    prices: _containers.RepeatedCompositeFieldContainer[ModelPrice]
    def __init__(self, principal: _Optional[str] = ..., key: _Optional[str] = ..., agent_owner: _Optional[str] = ..., caller: _Optional[str] = ..., rate_class: _Optional[_Union[RateClass, str]] = ..., agent: _Optional[str] = ..., estimate: _Optional[_Union[Estimate, _Mapping]] = ..., prices: _Optional[_Iterable[_Union[ModelPrice, _Mapping]]] = ...) -> None: ...

class ExplainAdmissionResponse(_message.Message):
    __slots__ = ("decision", "plan", "payer", "gates")
    class Gate(_message.Message):
        __slots__ = ("name", "reason", "detail", "metadata", "retry_after")
        class MetadataEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: str
            def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
        NAME_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        DETAIL_FIELD_NUMBER: _ClassVar[int]
        METADATA_FIELD_NUMBER: _ClassVar[int]
        RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
        name: str
        reason: str
        detail: str
        metadata: _containers.ScalarMap[str, str]
        retry_after: _duration_pb2.Duration
        def __init__(self, name: _Optional[str] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    DECISION_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PAYER_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    decision: str
    plan: str
    payer: str
    gates: _containers.RepeatedCompositeFieldContainer[ExplainAdmissionResponse.Gate]
    def __init__(self, decision: _Optional[str] = ..., plan: _Optional[str] = ..., payer: _Optional[str] = ..., gates: _Optional[_Iterable[_Union[ExplainAdmissionResponse.Gate, _Mapping]]] = ...) -> None: ...
