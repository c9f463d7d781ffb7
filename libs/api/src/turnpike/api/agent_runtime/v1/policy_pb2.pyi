from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from turnpike.api.agent_runtime.v1 import approval_pb2 as _approval_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PolicyMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POLICY_MODE_UNSPECIFIED: _ClassVar[PolicyMode]
    POLICY_MODE_DEFAULT: _ClassVar[PolicyMode]
    POLICY_MODE_BYPASS: _ClassVar[PolicyMode]
    POLICY_MODE_DONT_ASK: _ClassVar[PolicyMode]

class RuleEffect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RULE_EFFECT_UNSPECIFIED: _ClassVar[RuleEffect]
    RULE_EFFECT_ALLOW: _ClassVar[RuleEffect]
    RULE_EFFECT_ASK: _ClassVar[RuleEffect]
    RULE_EFFECT_DENY: _ClassVar[RuleEffect]
    RULE_EFFECT_ALWAYS_ASK: _ClassVar[RuleEffect]

class TextFilterAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEXT_FILTER_ACTION_UNSPECIFIED: _ClassVar[TextFilterAction]
    TEXT_FILTER_ACTION_REFUSE: _ClassVar[TextFilterAction]
    TEXT_FILTER_ACTION_MASK: _ClassVar[TextFilterAction]
POLICY_MODE_UNSPECIFIED: PolicyMode
POLICY_MODE_DEFAULT: PolicyMode
POLICY_MODE_BYPASS: PolicyMode
POLICY_MODE_DONT_ASK: PolicyMode
RULE_EFFECT_UNSPECIFIED: RuleEffect
RULE_EFFECT_ALLOW: RuleEffect
RULE_EFFECT_ASK: RuleEffect
RULE_EFFECT_DENY: RuleEffect
RULE_EFFECT_ALWAYS_ASK: RuleEffect
TEXT_FILTER_ACTION_UNSPECIFIED: TextFilterAction
TEXT_FILTER_ACTION_REFUSE: TextFilterAction
TEXT_FILTER_ACTION_MASK: TextFilterAction

class NumberRange(_message.Message):
    __slots__ = ("minimum", "maximum")
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    minimum: float
    maximum: float
    def __init__(self, minimum: _Optional[float] = ..., maximum: _Optional[float] = ...) -> None: ...

class Predicate(_message.Message):
    __slots__ = ("path", "equals", "one_of", "pattern", "range")
    PATH_FIELD_NUMBER: _ClassVar[int]
    EQUALS_FIELD_NUMBER: _ClassVar[int]
    ONE_OF_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    path: str
    equals: _struct_pb2.Value
    one_of: _struct_pb2.ListValue
    pattern: str
    range: NumberRange
    def __init__(self, path: _Optional[str] = ..., equals: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., one_of: _Optional[_Union[_struct_pb2.ListValue, _Mapping]] = ..., pattern: _Optional[str] = ..., range: _Optional[_Union[NumberRange, _Mapping]] = ...) -> None: ...

class Rule(_message.Message):
    __slots__ = ("tool", "effect", "where", "reason")
    TOOL_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    tool: str
    effect: RuleEffect
    where: _containers.RepeatedCompositeFieldContainer[Predicate]
    reason: str
    def __init__(self, tool: _Optional[str] = ..., effect: _Optional[_Union[RuleEffect, str]] = ..., where: _Optional[_Iterable[_Union[Predicate, _Mapping]]] = ..., reason: _Optional[str] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("allow", "ask", "deny", "mode", "rules", "reason")
    ALLOW_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    DENY_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    allow: _containers.RepeatedScalarFieldContainer[str]
    ask: _containers.RepeatedScalarFieldContainer[str]
    deny: _containers.RepeatedScalarFieldContainer[str]
    mode: PolicyMode
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    reason: str
    def __init__(self, allow: _Optional[_Iterable[str]] = ..., ask: _Optional[_Iterable[str]] = ..., deny: _Optional[_Iterable[str]] = ..., mode: _Optional[_Union[PolicyMode, str]] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., reason: _Optional[str] = ...) -> None: ...

class TextFilter(_message.Message):
    __slots__ = ("name", "pattern", "action", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    pattern: str
    action: TextFilterAction
    reason: str
    def __init__(self, name: _Optional[str] = ..., pattern: _Optional[str] = ..., action: _Optional[_Union[TextFilterAction, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class TenantPolicy(_message.Message):
    __slots__ = ("disabled", "deny", "always_ask", "rules", "reason", "defaults", "approvals", "text_filters")
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    DENY_FIELD_NUMBER: _ClassVar[int]
    ALWAYS_ASK_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DEFAULTS_FIELD_NUMBER: _ClassVar[int]
    APPROVALS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FILTERS_FIELD_NUMBER: _ClassVar[int]
    disabled: bool
    deny: _containers.RepeatedScalarFieldContainer[str]
    always_ask: _containers.RepeatedScalarFieldContainer[str]
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    reason: str
    defaults: Policy
    approvals: _approval_pb2.ApprovalRules
    text_filters: _containers.RepeatedCompositeFieldContainer[TextFilter]
    def __init__(self, disabled: _Optional[bool] = ..., deny: _Optional[_Iterable[str]] = ..., always_ask: _Optional[_Iterable[str]] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., reason: _Optional[str] = ..., defaults: _Optional[_Union[Policy, _Mapping]] = ..., approvals: _Optional[_Union[_approval_pb2.ApprovalRules, _Mapping]] = ..., text_filters: _Optional[_Iterable[_Union[TextFilter, _Mapping]]] = ...) -> None: ...

class PersonPolicy(_message.Message):
    __slots__ = ("ask", "deny", "rules", "reason")
    ASK_FIELD_NUMBER: _ClassVar[int]
    DENY_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ask: _containers.RepeatedScalarFieldContainer[str]
    deny: _containers.RepeatedScalarFieldContainer[str]
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    reason: str
    def __init__(self, ask: _Optional[_Iterable[str]] = ..., deny: _Optional[_Iterable[str]] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., reason: _Optional[str] = ...) -> None: ...
