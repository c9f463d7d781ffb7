"""Gatekeeper's door for whoever has texts embedded, and what they owe then."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc

from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as pb
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.database.failures import is_unavailable
from turnpike.embedding.owing import Outbox, Owed
from turnpike.embedding.settling import PATIENCE_SECONDS, SEGMENT, Settler, delay_after
from turnpike.rpc.errors import RemoteError, ServiceError, answered

logger = logging.getLogger(__name__)

METERING = tuple(
    f"turnpike.api.gatekeeper.v1.GatekeeperService/{name}"
    for name in ("Admit", "Settle", "Release")
)
"""What may be called again when it is not answered."""

_ABANDONED_SECONDS = 900.0
"""Longer than any call: what is due by then is of a replica that died."""

_PAUSES = (0.1, 0.2, 0.4, 0.8, *[2.0] * 14)
"""Between tries at what is in memory alone: half a minute."""

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

    def owed(self, *, estimated: bool) -> Owed:
        return Owed(
            call=self.call,
            tenant=UUID(self.payer.tenant),
            snapshot=self.snapshot,
            model=self.load.model,
            tokens=self.load.tokens,
            cached_tokens=self.load.cached_tokens,
            estimated=estimated or self.load.estimated,
        )


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

    Nothing is lost and nothing billed twice. Vectors that are kept are owed by the transaction
    that keeps them (`owing`). Any other call is owed, as an estimate for whoever finds it if this
    process dies, before it is answered (`metered`), if it costs anything.
    """

    def __init__(self, gatekeeper: GatekeeperServiceStub, outbox: Outbox) -> None:
        self._gatekeeper = gatekeeper
        self._outbox = outbox
        self._settler = Settler(gatekeeper, outbox)
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def metered(self, payer: Payer, load: Load) -> AsyncGenerator[Owed | None]:
        """Admits a call, and settles it if the block succeeds.

        Raises:
            NotAdmittedError: Refused, or gatekeeper does not answer.
        """
        admitted = await self._admit(payer, load)
        owing = asyncio.create_task(self._owe(admitted))  # while the block computes
        used = False
        try:
            yield None
            await asyncio.shield(owing)
            used = True
        finally:
            self._end(self._settled(admitted, owing) if used else self._void(admitted, owing))

    @asynccontextmanager
    async def owing(self, payer: Payer, load: Load) -> AsyncGenerator[Owed | None]:
        """Admits a call whose vectors are to be kept, and settles it if the block succeeds.

        The block writes what it is given in the transaction that keeps them; None: nothing.

        Raises:
            NotAdmittedError: Refused, or gatekeeper does not answer.
        """
        admitted, kept = await self._admit(payer, load), False
        try:
            yield admitted.owed(estimated=False) if admitted.snapshot else None
            kept = True
        finally:
            # If nobody knows whether it was kept, its row knows: that is settled by the sweep.
            self._end(self._settled(admitted) if kept else self._released(admitted))

    @asynccontextmanager
    async def settling(self) -> AsyncGenerator[None]:
        """Settles what anybody owes while the block runs."""
        async with self._settler.settling():
            yield

    async def close(self) -> None:
        """Waits until everything is settled, or in the outbox."""
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._outbox.close()

    async def _admit(self, payer: Payer, load: Load) -> _Admitted:
        admitted = _Admitted(payer, load)
        try:
            response = await answered(
                self._gatekeeper.Admit(_ask(admitted), timeout=PATIENCE_SECONDS)
            )
        except RemoteError as refusal:
            raise NotAdmittedError(refusal) from refusal
        admitted.snapshot = response.snapshot
        return admitted

    async def _owe(self, admitted: _Admitted) -> bool:
        """Owes a call that costs something; says whether the outbox has it."""
        load = admitted.load
        if not (admitted.snapshot and load.input_price and load.tokens > load.cached_tokens):
            return False
        return await self._put(admitted.owed(estimated=True), _ABANDONED_SECONDS)

    async def _put(self, owed: Owed, seconds: float) -> bool:
        try:
            await self._outbox.owe(owed, seconds=seconds)
        except Exception as error:
            if not is_unavailable(error):
                raise
            logger.warning("postgres is away; what call %s used is in memory alone", owed.call)
            return False
        return True

    def _end(self, ending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(ending)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _settled(self, admitted: _Admitted, owing: asyncio.Task[bool] | None = None) -> None:
        """Settles a call, or leaves that to the sweep."""
        if not admitted.snapshot:
            await self._released(admitted)
            return
        owed = admitted.owed(estimated=False)
        kept = owing is None or owing.result()
        for pause in _PAUSES:
            try:
                await self._settler.settle(owed)
            except RemoteError as error:
                # In the outbox it waits for as long as it takes.
                if owing is None or await self._put(owed, delay_after(owed, error)):
                    return
                logger.warning("call %s is not settled: %s", owed.call, error)
                await asyncio.sleep(pause)
            else:
                if kept:
                    self._outbox.forget(owed)
                return

    async def _void(self, admitted: _Admitted, owing: asyncio.Task[bool]) -> None:
        """Owes nothing for a call that was not answered."""
        try:
            if await owing:
                self._outbox.forget(admitted.owed(estimated=True))
        finally:
            await self._released(admitted)

    async def _released(self, admitted: _Admitted) -> None:
        for pause in _PAUSES:
            try:
                await answered(
                    self._gatekeeper.Release(_release(admitted), timeout=PATIENCE_SECONDS)
                )
            except RemoteError as error:
                logger.warning("call %s is not released: %s", admitted.call, error)
                await asyncio.sleep(pause)
            else:
                return


def _ask(admitted: _Admitted) -> pb.AdmitRequest:
    load, payer = admitted.load, admitted.payer
    price = pb.Prices(input=load.input_price, output=0, cached=0)
    return pb.AdmitRequest(
        turn=str(admitted.call),
        tenant=payer.tenant,
        principal=payer.principal,
        key=payer.key,
        attempt=1,
        segment=SEGMENT,
        rate_class=pb.RATE_CLASS_API,
        estimate=pb.Estimate(model=load.model, input_tokens=load.tokens - load.cached_tokens),
        prices=[pb.ModelPrice(model=load.model, prices=price)],
    )


def _release(admitted: _Admitted) -> pb.ReleaseRequest:
    return pb.ReleaseRequest(
        turn=str(admitted.call), tenant=admitted.payer.tenant, segment=SEGMENT, settled=True
    )
