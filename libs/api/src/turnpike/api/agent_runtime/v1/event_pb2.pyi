import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from turnpike.api.agent_runtime.v1 import approval_pb2 as _approval_pb2
from turnpike.api.agent_runtime.v1 import turn_pb2 as _turn_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Event(_message.Message):
    __slots__ = ("seq", "time", "turn_started", "step_started", "text_delta", "reasoning_delta", "tool_requested", "tool_started", "tool_finished", "log_reset", "model_retrying", "usage", "turn_finished", "model_changed", "thread_titled", "context_measured", "context_compacted", "tool_progress", "approval_required", "approval_decided", "admission_waiting")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    TURN_STARTED_FIELD_NUMBER: _ClassVar[int]
    STEP_STARTED_FIELD_NUMBER: _ClassVar[int]
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    REASONING_DELTA_FIELD_NUMBER: _ClassVar[int]
    TOOL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    TOOL_STARTED_FIELD_NUMBER: _ClassVar[int]
    TOOL_FINISHED_FIELD_NUMBER: _ClassVar[int]
    LOG_RESET_FIELD_NUMBER: _ClassVar[int]
    MODEL_RETRYING_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    TURN_FINISHED_FIELD_NUMBER: _ClassVar[int]
    MODEL_CHANGED_FIELD_NUMBER: _ClassVar[int]
    THREAD_TITLED_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_MEASURED_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_COMPACTED_FIELD_NUMBER: _ClassVar[int]
    TOOL_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_DECIDED_FIELD_NUMBER: _ClassVar[int]
    ADMISSION_WAITING_FIELD_NUMBER: _ClassVar[int]
    seq: int
    time: _timestamp_pb2.Timestamp
    turn_started: TurnStarted
    step_started: StepStarted
    text_delta: TextDelta
    reasoning_delta: ReasoningDelta
    tool_requested: ToolRequested
    tool_started: ToolStarted
    tool_finished: ToolFinished
    log_reset: LogReset
    model_retrying: ModelRetrying
    usage: UsageReported
    turn_finished: TurnFinished
    model_changed: ModelChanged
    thread_titled: ThreadTitled
    context_measured: ContextMeasured
    context_compacted: ContextCompacted
    tool_progress: ToolProgress
    approval_required: ApprovalRequired
    approval_decided: ApprovalDecided
    admission_waiting: AdmissionWaiting
    def __init__(self, seq: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., turn_started: _Optional[_Union[TurnStarted, _Mapping]] = ..., step_started: _Optional[_Union[StepStarted, _Mapping]] = ..., text_delta: _Optional[_Union[TextDelta, _Mapping]] = ..., reasoning_delta: _Optional[_Union[ReasoningDelta, _Mapping]] = ..., tool_requested: _Optional[_Union[ToolRequested, _Mapping]] = ..., tool_started: _Optional[_Union[ToolStarted, _Mapping]] = ..., tool_finished: _Optional[_Union[ToolFinished, _Mapping]] = ..., log_reset: _Optional[_Union[LogReset, _Mapping]] = ..., model_retrying: _Optional[_Union[ModelRetrying, _Mapping]] = ..., usage: _Optional[_Union[UsageReported, _Mapping]] = ..., turn_finished: _Optional[_Union[TurnFinished, _Mapping]] = ..., model_changed: _Optional[_Union[ModelChanged, _Mapping]] = ..., thread_titled: _Optional[_Union[ThreadTitled, _Mapping]] = ..., context_measured: _Optional[_Union[ContextMeasured, _Mapping]] = ..., context_compacted: _Optional[_Union[ContextCompacted, _Mapping]] = ..., tool_progress: _Optional[_Union[ToolProgress, _Mapping]] = ..., approval_required: _Optional[_Union[ApprovalRequired, _Mapping]] = ..., approval_decided: _Optional[_Union[ApprovalDecided, _Mapping]] = ..., admission_waiting: _Optional[_Union[AdmissionWaiting, _Mapping]] = ...) -> None: ...

class TurnStarted(_message.Message):
    __slots__ = ("thread", "agent", "agent_version", "trace_id")
    THREAD_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    AGENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    thread: str
    agent: str
    agent_version: str
    trace_id: str
    def __init__(self, thread: _Optional[str] = ..., agent: _Optional[str] = ..., agent_version: _Optional[str] = ..., trace_id: _Optional[str] = ...) -> None: ...

class StepStarted(_message.Message):
    __slots__ = ("step", "attempt", "model", "prompt_tokens", "own_key")
    STEP_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OWN_KEY_FIELD_NUMBER: _ClassVar[int]
    step: int
    attempt: int
    model: str
    prompt_tokens: int
    own_key: bool
    def __init__(self, step: _Optional[int] = ..., attempt: _Optional[int] = ..., model: _Optional[str] = ..., prompt_tokens: _Optional[int] = ..., own_key: _Optional[bool] = ...) -> None: ...

class TextDelta(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class ReasoningDelta(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class ToolRequested(_message.Message):
    __slots__ = ("call_id", "name", "arguments", "effect")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    name: str
    arguments: str
    effect: str
    def __init__(self, call_id: _Optional[str] = ..., name: _Optional[str] = ..., arguments: _Optional[str] = ..., effect: _Optional[str] = ...) -> None: ...

class ToolStarted(_message.Message):
    __slots__ = ("call_id",)
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    def __init__(self, call_id: _Optional[str] = ...) -> None: ...

class ToolProgress(_message.Message):
    __slots__ = ("call_id", "progress", "total", "message")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    progress: float
    total: float
    message: str
    def __init__(self, call_id: _Optional[str] = ..., progress: _Optional[float] = ..., total: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class ToolFinished(_message.Message):
    __slots__ = ("call_id", "outcome", "result", "structured")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    STRUCTURED_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    outcome: _turn_pb2.ToolOutcome
    result: str
    structured: str
    def __init__(self, call_id: _Optional[str] = ..., outcome: _Optional[_Union[_turn_pb2.ToolOutcome, str]] = ..., result: _Optional[str] = ..., structured: _Optional[str] = ...) -> None: ...

class ApprovalRequired(_message.Message):
    __slots__ = ("approval", "calls", "questions", "expire_time", "escalated")
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    ESCALATED_FIELD_NUMBER: _ClassVar[int]
    approval: str
    calls: _containers.RepeatedCompositeFieldContainer[_approval_pb2.ApprovalCall]
    questions: _containers.RepeatedCompositeFieldContainer[_approval_pb2.ApprovalQuestion]
    expire_time: _timestamp_pb2.Timestamp
    escalated: bool
    def __init__(self, approval: _Optional[str] = ..., calls: _Optional[_Iterable[_Union[_approval_pb2.ApprovalCall, _Mapping]]] = ..., questions: _Optional[_Iterable[_Union[_approval_pb2.ApprovalQuestion, _Mapping]]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., escalated: _Optional[bool] = ...) -> None: ...

class ApprovalDecided(_message.Message):
    __slots__ = ("approval", "decisions", "decided_by", "complete")
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    approval: str
    decisions: _containers.RepeatedCompositeFieldContainer[_approval_pb2.Decision]
    decided_by: str
    complete: bool
    def __init__(self, approval: _Optional[str] = ..., decisions: _Optional[_Iterable[_Union[_approval_pb2.Decision, _Mapping]]] = ..., decided_by: _Optional[str] = ..., complete: _Optional[bool] = ...) -> None: ...

class AdmissionWaiting(_message.Message):
    __slots__ = ("reason", "delay")
    REASON_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    reason: str
    delay: _duration_pb2.Duration
    def __init__(self, reason: _Optional[str] = ..., delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class LogReset(_message.Message):
    __slots__ = ("after_seq",)
    AFTER_SEQ_FIELD_NUMBER: _ClassVar[int]
    after_seq: int
    def __init__(self, after_seq: _Optional[int] = ...) -> None: ...

class ModelRetrying(_message.Message):
    __slots__ = ("reason", "delay", "attempt")
    REASON_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    delay: _duration_pb2.Duration
    attempt: int
    def __init__(self, reason: _Optional[str] = ..., delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., attempt: _Optional[int] = ...) -> None: ...

class ModelChanged(_message.Message):
    __slots__ = ("reason", "to")
    REASON_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    reason: str
    to: str
    def __init__(self, reason: _Optional[str] = ..., to: _Optional[str] = ..., **kwargs) -> None: ...

class ThreadTitled(_message.Message):
    __slots__ = ("title",)
    TITLE_FIELD_NUMBER: _ClassVar[int]
    title: str
    def __init__(self, title: _Optional[str] = ...) -> None: ...

class UsageReported(_message.Message):
    __slots__ = ("step", "model", "usage", "attempt", "estimated", "default_prices")
    STEP_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_PRICES_FIELD_NUMBER: _ClassVar[int]
    step: int
    model: str
    usage: _turn_pb2.Usage
    attempt: int
    estimated: bool
    default_prices: bool
    def __init__(self, step: _Optional[int] = ..., model: _Optional[str] = ..., usage: _Optional[_Union[_turn_pb2.Usage, _Mapping]] = ..., attempt: _Optional[int] = ..., estimated: _Optional[bool] = ..., default_prices: _Optional[bool] = ...) -> None: ...

class ContextMeasured(_message.Message):
    __slots__ = ("step", "model", "tokens", "window", "cached_tokens", "predicted_tokens", "reckoned", "miss")
    STEP_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    RECKONED_FIELD_NUMBER: _ClassVar[int]
    MISS_FIELD_NUMBER: _ClassVar[int]
    step: int
    model: str
    tokens: int
    window: int
    cached_tokens: int
    predicted_tokens: int
    reckoned: bool
    miss: str
    def __init__(self, step: _Optional[int] = ..., model: _Optional[str] = ..., tokens: _Optional[int] = ..., window: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., predicted_tokens: _Optional[int] = ..., reckoned: _Optional[bool] = ..., miss: _Optional[str] = ...) -> None: ...

class ContextCompacted(_message.Message):
    __slots__ = ("tokens", "turns")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    tokens: int
    turns: int
    def __init__(self, tokens: _Optional[int] = ..., turns: _Optional[int] = ...) -> None: ...

class TurnFinished(_message.Message):
    __slots__ = ("status", "error")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    status: _turn_pb2.TurnStatus
    error: _turn_pb2.TurnError
    def __init__(self, status: _Optional[_Union[_turn_pb2.TurnStatus, str]] = ..., error: _Optional[_Union[_turn_pb2.TurnError, _Mapping]] = ...) -> None: ...
