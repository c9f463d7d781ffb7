from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as _gatekeeper_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Sealed(_message.Message):
    __slots__ = ("content", "signature")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    signature: bytes
    def __init__(self, content: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class AdmissionSnapshot(_message.Message):
    __slots__ = ("turn", "tenant", "principal", "caller", "key", "agent_owner", "agent", "rate_class", "payer", "plan", "prices", "default_prices")
    TURN_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    AGENT_OWNER_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    RATE_CLASS_FIELD_NUMBER: _ClassVar[int]
    PAYER_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_PRICES_FIELD_NUMBER: _ClassVar[int]
    turn: str
    tenant: str
    principal: str
    caller: str
    key: str
    agent_owner: str
    agent: str
    rate_class: _gatekeeper_service_pb2.RateClass
    payer: str
    plan: str
    prices: _containers.RepeatedCompositeFieldContainer[_gatekeeper_service_pb2.ModelPrice]
    default_prices: _gatekeeper_service_pb2.Prices
    def __init__(self, turn: _Optional[str] = ..., tenant: _Optional[str] = ..., principal: _Optional[str] = ..., caller: _Optional[str] = ..., key: _Optional[str] = ..., agent_owner: _Optional[str] = ..., agent: _Optional[str] = ..., rate_class: _Optional[_Union[_gatekeeper_service_pb2.RateClass, str]] = ..., payer: _Optional[str] = ..., plan: _Optional[str] = ..., prices: _Optional[_Iterable[_Union[_gatekeeper_service_pb2.ModelPrice, _Mapping]]] = ..., default_prices: _Optional[_Union[_gatekeeper_service_pb2.Prices, _Mapping]] = ...) -> None: ...

class HoldReceipt(_message.Message):
    __slots__ = ("turn", "tenant", "principal", "key", "agent", "parts")
    class PartsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TURN_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    turn: str
    tenant: str
    principal: str
    key: str
    agent: str
    parts: _containers.ScalarMap[str, str]
    def __init__(self, turn: _Optional[str] = ..., tenant: _Optional[str] = ..., principal: _Optional[str] = ..., key: _Optional[str] = ..., agent: _Optional[str] = ..., parts: _Optional[_Mapping[str, str]] = ...) -> None: ...
