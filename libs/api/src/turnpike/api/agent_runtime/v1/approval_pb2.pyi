import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApprovalStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPROVAL_STATUS_UNSPECIFIED: _ClassVar[ApprovalStatus]
    APPROVAL_STATUS_PENDING: _ClassVar[ApprovalStatus]
    APPROVAL_STATUS_DECIDED: _ClassVar[ApprovalStatus]
    APPROVAL_STATUS_EXPIRED: _ClassVar[ApprovalStatus]
    APPROVAL_STATUS_CANCELLED: _ClassVar[ApprovalStatus]

class DecisionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_KIND_UNSPECIFIED: _ClassVar[DecisionKind]
    DECISION_KIND_APPROVE: _ClassVar[DecisionKind]
    DECISION_KIND_EDIT: _ClassVar[DecisionKind]
    DECISION_KIND_RESPOND: _ClassVar[DecisionKind]
    DECISION_KIND_REJECT: _ClassVar[DecisionKind]
    DECISION_KIND_APPROVE_ALWAYS: _ClassVar[DecisionKind]
    DECISION_KIND_ANSWER: _ClassVar[DecisionKind]
    DECISION_KIND_VERIFY: _ClassVar[DecisionKind]
    DECISION_KIND_DONE: _ClassVar[DecisionKind]
    DECISION_KIND_NOT_DONE: _ClassVar[DecisionKind]
    DECISION_KIND_RUN_AGAIN: _ClassVar[DecisionKind]

class ExpiryAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPIRY_ACTION_UNSPECIFIED: _ClassVar[ExpiryAction]
    EXPIRY_ACTION_ABORT: _ClassVar[ExpiryAction]
    EXPIRY_ACTION_REJECT: _ClassVar[ExpiryAction]
    EXPIRY_ACTION_ESCALATE: _ClassVar[ExpiryAction]
APPROVAL_STATUS_UNSPECIFIED: ApprovalStatus
APPROVAL_STATUS_PENDING: ApprovalStatus
APPROVAL_STATUS_DECIDED: ApprovalStatus
APPROVAL_STATUS_EXPIRED: ApprovalStatus
APPROVAL_STATUS_CANCELLED: ApprovalStatus
DECISION_KIND_UNSPECIFIED: DecisionKind
DECISION_KIND_APPROVE: DecisionKind
DECISION_KIND_EDIT: DecisionKind
DECISION_KIND_RESPOND: DecisionKind
DECISION_KIND_REJECT: DecisionKind
DECISION_KIND_APPROVE_ALWAYS: DecisionKind
DECISION_KIND_ANSWER: DecisionKind
DECISION_KIND_VERIFY: DecisionKind
DECISION_KIND_DONE: DecisionKind
DECISION_KIND_NOT_DONE: DecisionKind
DECISION_KIND_RUN_AGAIN: DecisionKind
EXPIRY_ACTION_UNSPECIFIED: ExpiryAction
EXPIRY_ACTION_ABORT: ExpiryAction
EXPIRY_ACTION_REJECT: ExpiryAction
EXPIRY_ACTION_ESCALATE: ExpiryAction

class ApprovalRules(_message.Message):
    __slots__ = ("approvers", "roles", "exclude_requester", "quorum", "expires_after", "on_expiry", "escalate_to", "escalate_to_roles", "incremental")
    APPROVERS_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_REQUESTER_FIELD_NUMBER: _ClassVar[int]
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AFTER_FIELD_NUMBER: _ClassVar[int]
    ON_EXPIRY_FIELD_NUMBER: _ClassVar[int]
    ESCALATE_TO_FIELD_NUMBER: _ClassVar[int]
    ESCALATE_TO_ROLES_FIELD_NUMBER: _ClassVar[int]
    INCREMENTAL_FIELD_NUMBER: _ClassVar[int]
    approvers: _containers.RepeatedScalarFieldContainer[str]
    roles: _containers.RepeatedScalarFieldContainer[str]
    exclude_requester: bool
    quorum: int
    expires_after: _duration_pb2.Duration
    on_expiry: ExpiryAction
    escalate_to: _containers.RepeatedScalarFieldContainer[str]
    escalate_to_roles: _containers.RepeatedScalarFieldContainer[str]
    incremental: bool
    def __init__(self, approvers: _Optional[_Iterable[str]] = ..., roles: _Optional[_Iterable[str]] = ..., exclude_requester: _Optional[bool] = ..., quorum: _Optional[int] = ..., expires_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., on_expiry: _Optional[_Union[ExpiryAction, str]] = ..., escalate_to: _Optional[_Iterable[str]] = ..., escalate_to_roles: _Optional[_Iterable[str]] = ..., incremental: _Optional[bool] = ...) -> None: ...

class ApprovalCall(_message.Message):
    __slots__ = ("call_id", "name", "arguments", "reason", "allowed")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    name: str
    arguments: str
    reason: str
    allowed: _containers.RepeatedScalarFieldContainer[DecisionKind]
    def __init__(self, call_id: _Optional[str] = ..., name: _Optional[str] = ..., arguments: _Optional[str] = ..., reason: _Optional[str] = ..., allowed: _Optional[_Iterable[_Union[DecisionKind, str]]] = ...) -> None: ...

class ApprovalQuestion(_message.Message):
    __slots__ = ("call_id", "id", "header", "text", "options", "multiple", "schema", "default", "url")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MULTIPLE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    id: str
    header: str
    text: str
    options: _containers.RepeatedScalarFieldContainer[str]
    multiple: bool
    schema: str
    default: str
    url: str
    def __init__(self, call_id: _Optional[str] = ..., id: _Optional[str] = ..., header: _Optional[str] = ..., text: _Optional[str] = ..., options: _Optional[_Iterable[str]] = ..., multiple: _Optional[bool] = ..., schema: _Optional[str] = ..., default: _Optional[str] = ..., url: _Optional[str] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("call_id", "kind", "arguments", "text", "feedback", "scope", "expires", "decided_by", "decide_time")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    DECIDE_TIME_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    kind: DecisionKind
    arguments: str
    text: str
    feedback: str
    scope: str
    expires: _timestamp_pb2.Timestamp
    decided_by: str
    decide_time: _timestamp_pb2.Timestamp
    def __init__(self, call_id: _Optional[str] = ..., kind: _Optional[_Union[DecisionKind, str]] = ..., arguments: _Optional[str] = ..., text: _Optional[str] = ..., feedback: _Optional[str] = ..., scope: _Optional[str] = ..., expires: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decided_by: _Optional[str] = ..., decide_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Approval(_message.Message):
    __slots__ = ("id", "turn", "thread", "agent", "requester", "status", "calls", "questions", "decisions", "decided_by", "decide_time", "expire_time", "create_time", "quorum", "incremental", "may_decide", "escalated")
    ID_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    THREAD_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    DECIDE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    INCREMENTAL_FIELD_NUMBER: _ClassVar[int]
    MAY_DECIDE_FIELD_NUMBER: _ClassVar[int]
    ESCALATED_FIELD_NUMBER: _ClassVar[int]
    id: str
    turn: str
    thread: str
    agent: str
    requester: str
    status: ApprovalStatus
    calls: _containers.RepeatedCompositeFieldContainer[ApprovalCall]
    questions: _containers.RepeatedCompositeFieldContainer[ApprovalQuestion]
    decisions: _containers.RepeatedCompositeFieldContainer[Decision]
    decided_by: str
    decide_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    create_time: _timestamp_pb2.Timestamp
    quorum: int
    incremental: bool
    may_decide: bool
    escalated: bool
    def __init__(self, id: _Optional[str] = ..., turn: _Optional[str] = ..., thread: _Optional[str] = ..., agent: _Optional[str] = ..., requester: _Optional[str] = ..., status: _Optional[_Union[ApprovalStatus, str]] = ..., calls: _Optional[_Iterable[_Union[ApprovalCall, _Mapping]]] = ..., questions: _Optional[_Iterable[_Union[ApprovalQuestion, _Mapping]]] = ..., decisions: _Optional[_Iterable[_Union[Decision, _Mapping]]] = ..., decided_by: _Optional[str] = ..., decide_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., quorum: _Optional[int] = ..., incremental: _Optional[bool] = ..., may_decide: _Optional[bool] = ..., escalated: _Optional[bool] = ...) -> None: ...
