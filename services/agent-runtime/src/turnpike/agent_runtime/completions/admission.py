"""Gatekeeper's door for proxied calls."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import grpc

from turnpike.agent_runtime.completions.model import DEFAULT_MAX_OUTPUT, Question
from turnpike.agent_runtime.models.prompt import Model
from turnpike.agent_runtime.prices import MOST_TOKENS, price_message
from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as pb
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.rpc.errors import answered

_SECONDS = 5.0
_SEGMENT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A call that was let in."""

    question: Question
    model: str
    """What it was admitted for: its name in the tenant."""

    snapshot: bytes = field(repr=False)
    receipt: bytes = field(repr=False)
    max_output: int
    """Tokens that the answer may have, to be told to the provider; 0 bounds nothing."""


class Door:
    """Admits calls, and keeps their slots. A call counts like a turn of one model call."""

    def __init__(self, gatekeeper: GatekeeperServiceStub) -> None:
        self._gatekeeper = gatekeeper

    async def admit(self, question: Question, models: Sequence[Model]) -> Admitted:
        """Takes a slot, the rate and a hold for whoever of the models will answer.

        Raises:
            RemoteError: Refused, or gatekeeper does not answer.
        """
        model = models[0]
        most = question.max_output or model.max_output or DEFAULT_MAX_OUTPUT
        request = pb.AdmitRequest(
            turn=str(question.id),
            tenant=str(question.tenant),
            principal=str(question.principal),
            key=question.api_key,
            attempt=1,
            segment=_SEGMENT,
            rate_class=pb.RATE_CLASS_API,
            estimate=pb.Estimate(
                model=model.name,
                # As many as gatekeeper reckons with: no model takes more.
                input_tokens=min(question.input_bound, MOST_TOKENS),
                max_output_tokens=most,
            ),
            prices=_prices(models),
        )
        response = await answered(self._gatekeeper.Admit(request, timeout=_SECONDS))
        grant = response.grant
        clamped = grant.HasField("max_output_tokens") and grant.max_output_tokens < most
        return Admitted(
            question=question,
            model=model.name,
            snapshot=response.snapshot,
            receipt=grant.receipt,
            max_output=grant.max_output_tokens if clamped else question.max_output,
        )

    async def free(self, admitted: Admitted) -> None:
        """Gives the slot back, with its hold kept; one that cannot be lapses by itself."""
        question = admitted.question
        request = pb.ReleaseRequest(
            turn=str(question.id), tenant=str(question.tenant), segment=_SEGMENT, settled=False
        )
        try:
            await self._gatekeeper.Release(request, timeout=_SECONDS)
        except grpc.aio.AioRpcError:
            return

    async def renew(self, replica: UUID, admitted: Iterable[Admitted]) -> dict[UUID, str]:
        """Renews slots, and returns the calls that must stop, with their reasons.

        Raises:
            RemoteError: Gatekeeper does not answer.
        """
        request = pb.HeartbeatRequest(
            replica=str(replica), slots=[_slot(each) for each in admitted]
        )
        response = await answered(self._gatekeeper.Heartbeat(request, timeout=_SECONDS))
        return {UUID(revoked.turn): revoked.reason for revoked in response.revoked}


def _slot(admitted: Admitted) -> pb.HeartbeatRequest.Slot:
    question = admitted.question
    return pb.HeartbeatRequest.Slot(
        turn=str(question.id),
        tenant=str(question.tenant),
        principal=str(question.principal),
        key=question.api_key,
        segment=_SEGMENT,
        receipt=admitted.receipt,
    )


def _prices(models: Sequence[Model]) -> list[pb.ModelPrice]:
    """Returns what each costs: of one with several keys the platform's, if that may be asked."""
    prices: dict[str, pb.ModelPrice] = {}
    for model in models:
        if model.name not in prices or prices[model.name].own_key:
            prices[model.name] = price_message(
                model.name, model.prices, own_key=model.costs_nothing
            )
    return list(prices.values())
