"""What approvals and decisions are, without any I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

import orjson

NOBODY = UUID(int=0)
"""Who decides what expires, and what goes on by itself."""

SIGN_IN = "sign in"
"""The header of a question that a sign-in answers."""

DEFAULT_WINDOW = timedelta(hours=24)


class Kind(StrEnum):
    """What is said of a call, as callers write it."""

    APPROVE = "approve"
    EDIT = "edit"
    RESPOND = "respond"
    REJECT = "reject"
    APPROVE_ALWAYS = "approve_always"
    ANSWER = "answer"
    VERIFY = "verify"
    DONE = "done"
    NOT_DONE = "not_done"
    RUN_AGAIN = "run_again"


RUNNING = frozenset({Kind.APPROVE, Kind.EDIT, Kind.APPROVE_ALWAYS})
"""After these the call runs."""


class Subject(StrEnum):
    """Why somebody is asked about a call."""

    CALL = "call"
    """Policy asks before it runs."""

    QUESTION = "question"
    """The call is the question."""

    NEED = "need"
    """Its server wants something from a person."""

    OUTCOME = "outcome"
    """Whether it had its effect is not known."""


class OnExpiry(StrEnum):
    """What becomes of a turn whose approval nobody decides."""

    ABORT = "ABORT"
    REJECT = "REJECT"
    ESCALATE = "ESCALATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing that a person is asked."""

    id: str
    text: str
    header: str = ""
    options: tuple[str, ...] = ()
    multiple: bool = False
    schema: str = ""
    default: str = ""
    """A JSON document; empty for none."""

    url: str = ""
    action: bool = False
    """Nothing is to be said: to have gone there is all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One call that somebody is asked about."""

    call_id: str
    name: str
    arguments: str
    reason: str
    kinds: tuple[str, ...]
    subject: str = Subject.CALL
    digest: str = ""
    """Of the definition that is decided on."""

    connector_identity: str = ""
    """Which connector's tool it is, whatever that is called."""

    schema: str = ""
    """Of the arguments, a JSON document."""

    grantable: bool = False
    """Whether a grant may stand for it: then its `approve_always` is kept."""

    questions: tuple[Question, ...] = ()
    generation: int = 0
    """The effect's, when somebody was asked."""

    @property
    def is_sign_in(self) -> bool:
        """Whether nothing is wanted but that the requester signs in."""
        return self.subject == Subject.NEED and all(
            each.header == SIGN_IN for each in self.questions
        )

    @property
    def connector(self) -> str:
        """The connector of its tool."""
        return self.name.partition("/")[0]

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Returns what was stored."""
        values = dict(stored)
        asked: list[dict[str, Any]] = values.pop("questions")
        questions = tuple(
            Question(options=tuple(each.pop("options")), **each)
            for each in map(dict[str, Any], asked)
        )
        values["kinds"] = tuple(values["kinds"])
        return cls(**values, questions=questions)

    def as_dict(self) -> dict[str, Any]:
        """Returns what is stored of it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRules:
    """Who decides an agent's approvals, and for how long they stand."""

    approvers: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    exclude_requester: bool = False
    quorum: int = 1
    expires_after: float = DEFAULT_WINDOW.total_seconds()
    on_expiry: str = OnExpiry.ABORT
    escalate_to: tuple[str, ...] = ()
    escalate_to_roles: tuple[str, ...] = ()
    incremental: bool = False

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Returns what was stored."""
        values = dict(stored)
        for name in ("approvers", "roles", "escalate_to", "escalate_to_roles"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Returns what is stored of it."""
        return asdict(self)


DEFAULT_RULES = ApprovalRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What somebody said of one call."""

    call_id: str
    kind: str
    principal: UUID = NOBODY
    arguments: str = ""
    text: str = ""
    feedback: str = ""
    scope: str = ""
    expires: datetime | None = None
    request_id: str = ""
    payload_digest: bytes | None = None
    created: datetime | None = None

    def same_as(self, other: "Decision") -> bool:
        """Says whether two people said the same."""
        return self.content == other.content

    @property
    def content(self) -> tuple[str, str, str]:
        """What is said, whoever says it."""
        kind = Kind.APPROVE if self.kind == Kind.APPROVE_ALWAYS else self.kind
        return kind, self.arguments, self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A row of `approvals`, with its decisions."""

    id: UUID
    position: int
    tenant: UUID
    turn: UUID
    thread: UUID
    principal: UUID
    agent: str
    step: int
    status: str
    items: tuple[Item, ...]
    rules: ApprovalRules
    escalated: bool
    expires: datetime
    decided_by: UUID | None
    decided: datetime | None
    created: datetime
    decisions: tuple[Decision, ...] = field(default=())

    @property
    def settled(self) -> dict[str, Decision]:
        """What is decided, by call."""
        return settled(self.items, self.decisions, self.rules.quorum)

    def item(self, call_id: str) -> Item | None:
        """Returns what is asked about a call."""
        return next((each for each in self.items if each.call_id == call_id), None)


def settled(
    items: Iterable[Item], decisions: Sequence[Decision], quorum: int
) -> dict[str, Decision]:
    """Returns what is decided, by call: once so many said the same, or one rejected it.

    What expired is nobody's word, and counts alone.
    """
    found: dict[str, Decision] = {}
    for item in items:
        said = [each for each in decisions if each.call_id == item.call_id]
        for each in said:
            alone = each.kind == Kind.REJECT or each.principal == NOBODY
            if alone or sum(each.same_as(other) for other in said) >= max(quorum, 1):
                found[item.call_id] = each
                break
    return found


def items_json(items: Sequence[Item]) -> str:
    """Returns what is stored of what is asked."""
    return orjson.dumps([each.as_dict() for each in items]).decode()


def rules_json(rules: ApprovalRules) -> str:
    """Returns what is stored of who decides."""
    return orjson.dumps(rules.as_dict()).decode()
