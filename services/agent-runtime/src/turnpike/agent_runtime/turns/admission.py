"""Gatekeeper's door, as agent-runtime sees it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc

from turnpike.agent_runtime.models.prompt import Prices
from turnpike.agent_runtime.prices import MOST_TOKENS, price_message
from turnpike.agent_runtime.turns.estimating import Estimate
from turnpike.agent_runtime.turns.model import FREE, Rate, Turn
from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as pb
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.rpc.errors import RemoteError, answered

_ADMIT_SECONDS = 5.0
_PATIENCE_SECONDS = 3.0
_SOON = timedelta(milliseconds=250)
_HEARTBEAT_SECONDS = 2.0
_AWAY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})

RateClass = pb.RateClass
SYNC, ASYNC = pb.RATE_CLASS_SYNC, pb.RATE_CLASS_ASYNC


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What gatekeeper needs to know of a turn that runs."""

    turn: UUID
    tenant: UUID
    principal: UUID
    api_key: str
    agent_owner: str = ""
    segment: int = 1
    receipt: bytes = field(default=b"", repr=False)
    """The hold's receipt, for when gatekeeper has lost the hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model that the turn may call costs."""

    model: str
    prices: Prices | None
    own_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What the next model call may use."""

    estimate: Estimate | None
    """What it was granted for, its output clamped to what is left."""

    budgeted: bool
    """Whether some budget stands above the turn: then the output limit is binding."""

    rate: Rate
    receipt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What gatekeeper answers to a segment that it lets in."""

    snapshot: bytes = field(repr=False)
    grant: Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What gatekeeper answers to a heartbeat."""

    revoked: dict[UUID, str]
    """Turns that must stop, with their reasons."""

    missing: frozenset[UUID]
    """Turns whose receipts the next one is to bring."""


class Admission:
    """Asks gatekeeper whether a turn may run and go on, and tells it what was used."""

    def __init__(self, gatekeeper: GatekeeperServiceStub) -> None:
        self._gatekeeper = gatekeeper

    async def admit(
        self,
        turn: Turn,
        *,
        agent_owner: str = "",
        estimate: Estimate | None = None,
        prices: Sequence[Price] = (),
        rate_class: RateClass = SYNC,
    ) -> Admitted:
        """Takes a slot, the rate and a hold for the turn's segment.

        Who is told to come back in a moment does so: right after Redis lost its
        state gatekeeper lets nobody in until the running turns have registered.

        Raises:
            RemoteError: Refused, or gatekeeper does not answer.
        """
        standing = turn.standing
        request = pb.AdmitRequest(
            turn=str(turn.id),
            tenant=str(turn.tenant),
            principal=str(turn.principal),
            key=turn.api_key,
            agent_owner=agent_owner,
            attempt=turn.attempt,
            segment=standing.segment,
            rate_class=rate_class,
            agent=turn.agent,
            estimate=_estimate_to_proto(estimate),
            prices=[
                price_message(price.model, price.prices, own_key=price.own_key) for price in prices
            ],
            snapshot=standing.snapshot,
        )
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _PATIENCE_SECONDS
        while True:
            try:
                response = await answered(self._gatekeeper.Admit(request, timeout=_ADMIT_SECONDS))
            except RemoteError as refusal:
                delay = (refusal.retry_after or _SOON).total_seconds()
                away = refusal.code is grpc.StatusCode.UNAVAILABLE
                if not away or loop.time() + delay > give_up_at:
                    raise
            else:
                grant = _granted(response.grant, estimate, prices)
                return Admitted(snapshot=response.snapshot, grant=grant)
            await asyncio.sleep(delay)

    async def extend(
        self, slot: Slot, snapshot: bytes, *, step: int, attempt: int, estimate: Estimate
    ) -> Grant:
        """Goes on with an admitted segment for another model call.

        Raises:
            RemoteError: Refused, or gatekeeper does not answer.
        """
        request = pb.ExtendRequest(
            turn=str(slot.turn),
            tenant=str(slot.tenant),
            segment=slot.segment,
            snapshot=snapshot,
            step=step,
            attempt=attempt,
            estimate=_estimate_to_proto(estimate),
        )
        response = await answered(self._gatekeeper.Extend(request, timeout=_ADMIT_SECONDS))
        return _granted(response.grant, estimate, ())

    async def settle(
        self,
        turn: UUID,
        tenant: UUID,
        segment: int,
        *,
        snapshot: bytes,
        entries: Sequence[Mapping[str, Any]],
        ends: bool,
        patience: float,
    ) -> None:
        """Writes what a turn used into the ledger, within some seconds.

        Where it `ends` the segment, and nothing else is owed, the rest of its hold falls too.

        Raises:
            RemoteError: Gatekeeper does not answer, or refuses.
        """
        request = pb.SettleRequest(
            turn=str(turn),
            tenant=str(tenant),
            segment=segment,
            snapshot=snapshot,
            usage=[_usage_to_proto(**entry) for entry in entries],
            ends=ends,
        )
        await answered(self._gatekeeper.Settle(request, timeout=patience))

    async def free(self, slot: Slot) -> None:
        """Gives the slot back, with its hold kept; one that cannot be lapses by itself."""
        try:
            await self.release(slot.turn, slot.tenant, slot.segment, settled=False)
        except RemoteError:
            return

    async def release(self, turn: UUID, tenant: UUID, segment: int, *, settled: bool) -> None:
        """Gives a segment's slot back, and what is left of its hold when all is settled.

        Raises:
            RemoteError: Gatekeeper does not answer.
        """
        request = pb.ReleaseRequest(
            turn=str(turn), tenant=str(tenant), segment=segment, settled=settled
        )
        await answered(self._gatekeeper.Release(request, timeout=_HEARTBEAT_SECONDS))

    async def heartbeat(self, replica: UUID, slots: list[Slot]) -> Beat:
        """Renews slots, and says what is to be done about which turns.

        Raises:
            RemoteError: Gatekeeper does not answer.
        """
        request = pb.HeartbeatRequest(
            replica=str(replica), slots=[_slot_to_proto(slot) for slot in slots]
        )
        reply = await answered(self._gatekeeper.Heartbeat(request, timeout=_HEARTBEAT_SECONDS))
        return Beat(
            revoked={UUID(revoked.turn): revoked.reason for revoked in reply.revoked},
            missing=frozenset(UUID(turn) for turn in reply.missing_holds),
        )


def is_away(error: RemoteError) -> bool:
    """Says whether a service did not answer, rather than refuse."""
    return error.code in _AWAY


def _slot_to_proto(slot: Slot) -> pb.HeartbeatRequest.Slot:
    return pb.HeartbeatRequest.Slot(
        turn=str(slot.turn),
        tenant=str(slot.tenant),
        principal=str(slot.principal),
        key=slot.api_key,
        agent_owner=slot.agent_owner,
        segment=slot.segment,
        receipt=slot.receipt,
    )


def _estimate_to_proto(estimate: Estimate | None) -> pb.Estimate | None:
    if estimate is None:
        return None
    return pb.Estimate(
        model=estimate.model,
        # By its bytes a prompt may have more tokens than gatekeeper reckons with, and than any
        # model takes.
        input_tokens=min(estimate.input_tokens, MOST_TOKENS),
        max_output_tokens=estimate.max_output_tokens,
    )


def _usage_to_proto(*, kind: str, **entry: Any) -> pb.SettleRequest.Usage:
    """Returns an entry of the outbox; see `rows.owed`."""
    return pb.SettleRequest.Usage(kind=f"USAGE_KIND_{kind}", **entry)


def _granted(grant: pb.Grant, estimate: Estimate | None, prices: Sequence[Price]) -> Grant:
    granted = estimate
    if estimate is not None and grant.HasField("max_output_tokens"):
        granted = Estimate(
            model=estimate.model,
            input_tokens=estimate.input_tokens,
            max_output_tokens=min(grant.max_output_tokens, estimate.max_output_tokens),
        )
    return Grant(
        estimate=granted,
        budgeted=grant.hold_micro_usd > 0 or grant.HasField("max_output_tokens"),
        rate=_rate(grant) if grant.HasField("prices") else _own_rate(estimate, prices),
        receipt=grant.receipt,
    )


def _rate(grant: pb.Grant) -> Rate:
    prices = grant.prices
    return Rate(
        input=prices.input,
        output=prices.output,
        cached=prices.cached if prices.HasField("cached") else prices.input,
        cache_write=prices.cache_write if prices.HasField("cache_write") else prices.input,
        default=grant.default_prices,
    )


def _own_rate(estimate: Estimate | None, prices: Sequence[Price]) -> Rate:
    """Returns a model's own prices: of a gatekeeper that grants none."""
    for price in prices:
        if estimate is not None and price.model == estimate.model and price.prices is not None:
            own = price.prices
            cached = own.cached or own.input
            written = own.cache_write or own.input
            return Rate(input=own.input, output=own.output, cached=cached, cache_write=written)
    return FREE
