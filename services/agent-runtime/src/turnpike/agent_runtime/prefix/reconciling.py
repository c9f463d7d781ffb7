"""Comparing a history with the ledger: what is sent, and why it is not what was sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from turnpike.agent_runtime.prefix.counting import BREACHES
from turnpike.agent_runtime.prefix.elements import (
    chained,
    difference,
    is_marked,
    same,
    same_but_thoughts,
    says_again,
    size,
)
from turnpike.agent_runtime.prefix.model import Head, Ledger, Miss, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a session's next request begins with."""

    head: Head
    epoch: int
    elements: Sequence[bytes]
    """In their ledgered bytes, as far as they mean the same."""

    kept: int
    """How many of them the ledger has, in this epoch."""

    shared: int
    """How many bytes of them are the last request's."""

    miss: Miss | None


def reconcile(ledger: Ledger, history: Sequence[bytes], *, template: str = "") -> Opening:
    """Returns a request's elements: the ledgered bytes of what means the same, then the rest.

    Args:
        ledger: What was sent and received before.
        history: The tools and the messages of the request, as they would be sent without.
        template: What the instructions are made from; another one starts an epoch.
    """
    head = ledger.head
    if head.revision == 0:
        return _fresh(head, history, Miss(Reason.NEW_SESSION))
    if not ledger.elements:
        return _rebuilt(head, history)
    agreed, elements = _agreed(ledger.elements, history)
    miss = _miss(ledger, history, agreed, template)
    if chained(b"", ledger.elements) != head.chain:
        # What is stored is not what was sent: nobody knows what the provider has.
        BREACHES.inc()
        return _fresh(head, history, miss or Miss(Reason.DIVERGENCE))
    if miss is None:
        return Opening(
            head=head,
            epoch=head.epoch,
            elements=elements,
            kept=len(ledger.elements),
            shared=head.sent.bytes,
            miss=None,
        )
    shared = min(size(ledger.elements[:agreed]), head.sent.bytes) if _hits(miss) else 0
    return Opening(
        head=head, epoch=head.epoch + 1, elements=elements, kept=0, shared=shared, miss=miss
    )


def _fresh(head: Head, history: Sequence[bytes], miss: Miss) -> Opening:
    return Opening(
        head=head, epoch=head.epoch + 1, elements=list(history), kept=0, shared=0, miss=miss
    )


def _rebuilt(head: Head, history: Sequence[bytes]) -> Opening:
    """Returns what was evicted, made again from what else is stored; the hash proves it."""
    if len(history) < head.count or chained(b"", history[: head.count]) != head.chain:
        return _fresh(head, history, Miss(Reason.EVICTED))
    return Opening(
        head=head,
        epoch=head.epoch,
        elements=list(history),
        kept=0,
        shared=head.sent.bytes,
        miss=None,
    )


def _agreed(ledgered: Sequence[bytes], history: Sequence[bytes]) -> tuple[int, list[bytes]]:
    elements = list(history)
    last = len(ledgered) - 1
    for index, (ours, theirs) in enumerate(zip(ledgered, history, strict=False)):
        if says_again(ours, theirs):
            elements[index] = ours
            continue
        if not same(ours, theirs):
            if index == last and index > 0 and same_but_thoughts(ours, theirs):
                # A reply that nobody was sent yet: how it is told is the client's to say.
                return index + 1, elements
            return index, elements
        # A client's own breakpoints move from request to request; no cache minds them.
        if not (is_marked(ours) or is_marked(theirs)):
            elements[index] = ours
    return min(len(ledgered), len(history)), elements


def _miss(ledger: Ledger, history: Sequence[bytes], agreed: int, template: str) -> Miss | None:
    head, ledgered = ledger.head, ledger.elements
    if agreed == len(ledgered):
        return Miss(Reason.INTERRUPTED) if head.interrupted else None
    ours = ledgered[agreed]
    theirs = history[agreed] if agreed < len(history) else b""
    found = difference(agreed, ours, theirs)
    if agreed == 0:
        return Miss(Reason.EPOCH_TOOLS, found)
    if agreed == 1 and (head.template != template or found.kind == "system"):
        return Miss(Reason.EPOCH_PROMPT, found)
    return Miss(Reason.DIVERGENCE, found)


def _hits(miss: Miss) -> bool:
    # The tools come first in what a provider hashes.
    return miss.reason is not Reason.EPOCH_TOOLS
