"""Gatekeeper's door for whoever has texts embedded, and what they owe then."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import grpc

from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as pb
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.rpc.errors import RemoteError, ServiceError, answered

logger = logging.getLogger(__name__)

METERING = tuple(
    f"turnpike.api.gatekeeper.v1.GatekeeperService/{name}"
    for name in ("Admit", "Settle", "Release")
)
"""What may be called again when it is not answered."""

_SECONDS = 5.0
_SEGMENT = 1
_TRIED_FOR_SECONDS = 30.0
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 2.0
_REFUSALS = frozenset(
    {
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Whose call it is."""

    tenant: str
    principal: str
    key: str
    """The API key that it came with; empty when none did."""

    by_service: bool = False
    """Whether a service asks for them, within work that was admitted already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a call may use of a model."""

    model: str
    input_price: int
    """Millionths of a US dollar for a million tokens."""

    tokens: int
    cached_tokens: int
    """Of those, such as cost nothing: their vectors are there already."""

    estimated: bool
    """Whether the tokens are counted with another model's tokenizer."""


@dataclass(slots=True)
class _Admitted:
    payer: Payer
    load: Load
    call: UUID = field(default_factory=uuid4)
    snapshot: bytes = b""


class NotAdmittedError(ServiceError):
    """Gatekeeper refused: its own code, reason and details."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"

    def __init__(self, refusal: RemoteError) -> None:
        decided = refusal.code in _REFUSALS and refusal.reason
        message = refusal.message if decided else "gatekeeper does not answer; try again"
        wait = refusal.retry_after or (None if decided else timedelta(seconds=1))
        super().__init__(message, retry_after=wait, quota=refusal.quota)
        self.metadata = dict(refusal.metadata)
        if decided:
            self.code = refusal.code  # pyright: ignore[reportAttributeAccessIssue] # this one's own
            self.reason = refusal.reason  # pyright: ignore[reportAttributeAccessIssue] # this one's own
            self.domain = refusal.domain  # pyright: ignore[reportAttributeAccessIssue] # this one's own


class Meter:
    """Admits calls, and settles what they used. A call counts like one of the API's.

    What cannot be settled at once is tried again for half a minute, and lost then,
    with a line in the log; its hold goes on counting in full until it lapses.
    """

    def __init__(self, gatekeeper: GatekeeperServiceStub) -> None:
        self._gatekeeper = gatekeeper
        self._settling: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def metered(self, payer: Payer, load: Load) -> AsyncGenerator[None]:
        """Admits a call, and settles it if the block succeeds.

        Raises:
            NotAdmittedError: Refused, or gatekeeper does not answer.
        """
        admitted = _Admitted(payer, load)
        try:
            response = await answered(self._gatekeeper.Admit(_ask(admitted), timeout=_SECONDS))
        except RemoteError as refusal:
            raise NotAdmittedError(refusal) from refusal
        admitted.snapshot, used = response.snapshot, False
        try:
            yield
            used = True
        finally:
            ending = asyncio.create_task(self._end(admitted, used=used))
            self._settling.add(ending)
            ending.add_done_callback(self._settling.discard)

    async def close(self) -> None:
        """Waits until everything is settled."""
        await asyncio.gather(*self._settling, return_exceptions=True)

    async def _end(self, admitted: _Admitted, *, used: bool) -> None:
        loop = asyncio.get_running_loop()
        give_up_at, pause = loop.time() + _TRIED_FOR_SECONDS, _FIRST_DELAY_SECONDS
        while True:
            try:
                if used and admitted.snapshot:
                    await answered(self._gatekeeper.Settle(_bill(admitted), timeout=_SECONDS))
                else:
                    await answered(self._gatekeeper.Release(_release(admitted), timeout=_SECONDS))
            except RemoteError as error:
                if loop.time() + pause > give_up_at:
                    logger.warning("call %s is not settled: %s", admitted.call, error)
                    return
            else:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_DELAY_SECONDS)


def _ask(admitted: _Admitted) -> pb.AdmitRequest:
    load, payer = admitted.load, admitted.payer
    price = pb.Prices(input=load.input_price, output=0, cached=0)
    return pb.AdmitRequest(
        turn=str(admitted.call),
        tenant=payer.tenant,
        principal=payer.principal,
        key=payer.key,
        attempt=1,
        segment=_SEGMENT,
        rate_class=pb.RATE_CLASS_API,
        estimate=pb.Estimate(model=load.model, input_tokens=load.tokens - load.cached_tokens),
        prices=[pb.ModelPrice(model=load.model, prices=price)],
    )


def _bill(admitted: _Admitted) -> pb.SettleRequest:
    load = admitted.load
    usage = pb.SettleRequest.Usage(
        step=1,
        attempt=1,
        kind=pb.USAGE_KIND_EMBEDDING,
        model=load.model,
        input_tokens=load.tokens,
        cached_tokens=load.cached_tokens,
        estimated=load.estimated,
    )
    return pb.SettleRequest(
        turn=str(admitted.call),
        tenant=admitted.payer.tenant,
        segment=_SEGMENT,
        snapshot=admitted.snapshot,
        usage=[usage],
        ends=True,
    )


def _release(admitted: _Admitted) -> pb.ReleaseRequest:
    return pb.ReleaseRequest(
        turn=str(admitted.call), tenant=admitted.payer.tenant, segment=_SEGMENT, settled=True
    )
