"""What admission is asked, and answers, as the wire has it."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from uuid import UUID, uuid4

from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as pb
from turnpike.gatekeeper.explanation import Explained
from turnpike.gatekeeper.messages import uuid_of
from turnpike.gatekeeper.model import RunningTurn, Segment
from turnpike.gatekeeper.snapshots import CLASSES, price_message, price_of
from turnpike.gatekeeper.terms import Estimate, Granted, Price, Usage

_KINDS = {
    pb.USAGE_KIND_CHAT: "chat",
    pb.USAGE_KIND_EMBEDDING: "embedding",
    pb.USAGE_KIND_INTERNAL: "internal",
}


def admitted_segment(request: pb.AdmitRequest) -> Segment:
    """Returns the segment that a request would have admitted."""
    return Segment(
        turn=UUID(request.turn),
        tenant=UUID(request.tenant),
        principal=UUID(request.principal),
        key=uuid_of(request.key),
        agent_owner=uuid_of(request.agent_owner),
        attempt=request.attempt,
        number=request.segment,
        caller=uuid_of(request.caller),
        agent=request.agent,
        rate_class=CLASSES[request.rate_class],
    )


def explained_segment(request: pb.ExplainAdmissionRequest, tenant: str) -> Segment:
    """Returns a turn that nobody has asked for, as the request describes it."""
    return Segment(
        turn=uuid4(),
        tenant=UUID(tenant),
        principal=UUID(request.principal),
        key=uuid_of(request.key),
        agent_owner=uuid_of(request.agent_owner),
        attempt=1,
        number=1,
        caller=uuid_of(request.caller),
        agent=request.agent,
        rate_class=CLASSES[request.rate_class],
    )


def estimate_of(
    request: pb.AdmitRequest | pb.ExtendRequest | pb.ExplainAdmissionRequest,
) -> Estimate | None:
    """Returns what the call may use, where the request says so."""
    if not request.HasField("estimate"):
        return None
    estimate = request.estimate
    return Estimate(
        model=estimate.model,
        input_tokens=estimate.input_tokens,
        max_output_tokens=estimate.max_output_tokens,
    )


def prices_of(prices: Iterable[pb.ModelPrice]) -> Mapping[str, Price]:
    """Returns the prices that are known."""
    return {each.model: price_of(each.prices) for each in prices if each.HasField("prices")}


def own_keys_of(prices: Iterable[pb.ModelPrice]) -> frozenset[str]:
    """Returns the models that the caller's own key pays."""
    return frozenset(each.model for each in prices if each.own_key)


def usage_of(message: pb.SettleRequest.Usage) -> Usage:
    """Returns what one call used."""
    return Usage(
        step=message.step,
        call=message.call,
        attempt=message.attempt,
        kind=_KINDS[message.kind],
        model=message.model,
        input=message.input_tokens,
        cached=message.cached_tokens,
        written=message.cache_write_tokens,
        output=message.output_tokens,
        reasoning=message.reasoning_tokens,
        estimated=message.estimated,
        own_key=message.own_key,
    )


def running_turn(slot: pb.HeartbeatRequest.Slot) -> RunningTurn:
    """Returns a turn that a heartbeat is of."""
    return RunningTurn(
        turn=UUID(slot.turn),
        tenant=UUID(slot.tenant),
        principal=UUID(slot.principal),
        key=uuid_of(slot.key),
        agent_owner=uuid_of(slot.agent_owner),
        caller=uuid_of(slot.caller),
        segment=slot.segment or 1,
    )


def grant_message(granted: Granted, receipt: bytes) -> pb.Grant:
    """Returns what was granted, for the wire."""
    held = granted.held
    return pb.Grant(
        max_output_tokens=held.output if held.clamped else None,
        hold_micro_usd=held.hold,
        prices=price_message(granted.ask.price) if granted.ask.estimate else None,
        default_prices=granted.default_price,
        receipt=receipt,
    )


def explanation_message(explained: Explained) -> pb.ExplainAdmissionResponse:
    """Returns every gate's verdict, for the wire."""
    return pb.ExplainAdmissionResponse(
        decision=explained.decision,
        plan=explained.plan,
        payer=explained.payer,
        gates=[
            pb.ExplainAdmissionResponse.Gate(
                name=verdict.gate,
                reason=verdict.reason,
                detail=verdict.detail,
                metadata=verdict.metadata,
                retry_after=timedelta(milliseconds=verdict.retry_after_ms)
                if verdict.retry_after_ms
                else None,
            )
            for verdict in explained.verdicts
        ],
    )
