"""What a ledger holds of one session, without any I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import orjson


class Reason(StrEnum):
    """Why a request could not, or did not, hit the provider's cache as far as it goes."""

    NEW_SESSION = "NEW_SESSION"
    """Nothing was sent before."""

    EPOCH_COMPACTION = "EPOCH_COMPACTION"
    """What was said before is summed up."""

    EPOCH_TOOLS = "EPOCH_TOOLS"
    """The tools changed."""

    EPOCH_PROMPT = "EPOCH_PROMPT"
    """The instructions changed."""

    EPOCH_MODEL = "EPOCH_MODEL"
    """Another model is asked."""

    DIVERGENCE = "DIVERGENCE"
    """The history itself is another one."""

    INTERRUPTED = "INTERRUPTED"
    """The last reply was cut: what came of it is not known."""

    TTL_EXPIRED = "TTL_EXPIRED"
    """Too long ago for the provider to have kept it."""

    BELOW_MINIMUM = "BELOW_MINIMUM"
    """Too short for the provider to keep it."""

    ROUTED_ELSEWHERE = "ROUTED_ELSEWHERE"
    """The same model at another endpoint, or with another key."""

    BUSY_FORK = "BUSY_FORK"
    """Another request of the session is under way: this one does not wait for it."""

    EVICTED_BY_PROVIDER = "EVICTED_BY_PROVIDER"
    """The bytes were the same, and the provider did not have them any more."""

    EVICTED = "EVICTED"
    """The ledger was evicted, and what is said now is not what it held."""

    BYPASS = "BYPASS"
    """The ledger could not be read: the request went out as it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where two histories part."""

    element: int
    """Of the request: 0 is the tools, 1 the first message."""

    kind: str
    """`tools`, or the message's role."""

    offset: int
    """The first byte of the element that differs."""

    ledger: str
    """What the ledger has there; empty when it has nothing."""

    request: str
    """What the request has there; empty when it has nothing."""

    def as_dict(self) -> dict[str, Any]:
        """Returns what is stored of it."""
        return {
            "element": self.element,
            "kind": self.kind,
            "offset": self.offset,
            "ledger": self.ledger,
            "request": self.request,
        }


@dataclass(frozen=True, slots=True)
class Miss:
    """Why less is reused than the last request had."""

    reason: Reason
    difference: Difference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The last request of a session, as its cache is predicted from."""

    elements: int = 0
    bytes: int = 0
    tokens: int = 0
    """What the provider said that the prompt was; reckoned where it said nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a session stands."""

    epoch: int = 0
    revision: int = 0
    model: str = ""
    route: str = ""
    template: str = ""
    """The digest of what its instructions are made from."""

    count: int = 0
    chain: bytes = b""
    sent: Sent = Sent()
    idle: timedelta = timedelta()
    """Since its last commit, by Postgres' clock."""

    interrupted: bool = False
    summary: str = ""
    summarised: int = 0
    """The position of the last turn that the summary stands for; 0 without one."""

    pending: int = 0
    """Messages of a client's request whose reply is not committed yet; 0 when there is none."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """A session as Postgres has it."""

    head: Head
    elements: Sequence[bytes]
    """The tools first, then the messages; none when they were evicted."""


EMPTY = Ledger(Head(), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What the provider said of one model call."""

    prompt_tokens: int
    cached_tokens: int
    first_delta: timedelta | None = None
    reckoned: bool = False
    """It said nothing; the figures are ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one commit adds to a session's ledger."""

    session: str
    revision: int
    """The one that it makes: the one that it was made from, plus 1."""

    epoch: int
    first: int
    """The index of the first element that it adds; 0 replaces all."""

    elements: Sequence[bytes]
    count: int
    size: int
    """Bytes of all its elements."""

    chain: bytes
    model: str
    route: str
    template: str
    sent: Sent
    predicted: int
    reported: Reported | None
    miss: Miss | None
    label: str
    """Where it came from, for a person: `turn/step`, or a request's id."""

    interrupted: bool = False
    summary: str = ""
    summarised: int = 0
    provider: str = ""
    """Who was asked, to be counted by; not stored."""

    def as_json(self) -> str:
        """Returns all but the elements, as the SQL function takes it."""
        said = self.reported
        return orjson.dumps(
            {
                "session": self.session,
                "revision": self.revision,
                "epoch": self.epoch,
                "first": self.first,
                "count": self.count,
                "bytes": self.size,
                "chain": self.chain.hex(),
                "model": self.model,
                "route": self.route,
                "template": self.template,
                "sent_elements": self.sent.elements,
                "sent_bytes": self.sent.bytes,
                "sent_tokens": self.sent.tokens,
                "predicted": self.predicted if said else None,
                "reported": said.cached_tokens if said and not said.reckoned else None,
                "first_delta_ms": _milliseconds(said.first_delta) if said else None,
                "miss": str(self.miss.reason) if self.miss else "",
                "difference": self._difference(),
                "label": self.label,
                "interrupted": self.interrupted,
                "summary": self.summary,
                "summarised": self.summarised,
            }
        ).decode()

    def _difference(self) -> dict[str, Any] | None:
        found = self.miss.difference if self.miss else None
        return found.as_dict() if found else None


def _milliseconds(delay: timedelta | None) -> int | None:
    return None if delay is None else round(delay.total_seconds() * 1000)
