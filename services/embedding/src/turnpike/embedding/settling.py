"""Settling what calls used: from the outbox into gatekeeper's ledger, until it is there."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc

from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as pb
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.database.sweeping import sweep_every
from turnpike.embedding.owing import Outbox, Owed
from turnpike.rpc.errors import RemoteError, answered

logger = logging.getLogger(__name__)

SEGMENT = 1
PATIENCE_SECONDS = 5.0

_LOOK_SECONDS = 1.0
_HOLD = timedelta(seconds=15)
_MOST_AT_ONCE = 100
_SIDE_BY_SIDE = 16
_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 30.0
# What gatekeeper refuses it refuses the next time too, until somebody mends it.
_REFUSED_DELAY_SECONDS = 300.0
_AWAY = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
    }
)


class Settler:
    """Drains the outbox. Every replica has one; a row is drained by one at a time.

    Nothing is billed twice, whoever dies where: the ledger knows an entry by its call. Nothing
    is lost: a row is deleted when the ledger has it.
    """

    def __init__(self, gatekeeper: GatekeeperServiceStub, outbox: Outbox) -> None:
        self._gatekeeper = gatekeeper
        self._outbox = outbox
        self._room = asyncio.Semaphore(_SIDE_BY_SIDE)

    @asynccontextmanager
    async def settling(self) -> AsyncGenerator[None]:
        """Settles what is due while the block runs."""
        async with asyncio.TaskGroup() as tasks:
            sweeps = sweep_every(_LOOK_SECONDS, self.sweep, later="what was used is settled later")
            running = tasks.create_task(sweeps, name="settle usage")
            try:
                yield
            finally:
                running.cancel()

    async def sweep(self) -> int:
        """Settles all that is due; returns how much it was."""
        seen = 0
        while rows := await self._outbox.claim(_MOST_AT_ONCE, hold=_HOLD):
            async with asyncio.TaskGroup() as tasks:
                for owed in rows:
                    tasks.create_task(self._settle(owed))
            seen += len(rows)
        return seen

    async def settle(self, owed: Owed) -> None:
        """Has the ledger have what one call used; raises `RemoteError`."""
        await answered(self._gatekeeper.Settle(_bill(owed), timeout=PATIENCE_SECONDS))

    async def _settle(self, owed: Owed) -> None:
        async with self._room:
            try:
                await self.settle(owed)
            except RemoteError as error:
                delay = delay_after(owed, error)
            else:
                self._outbox.forget(owed)
                return
        await self._outbox.later([owed.call], seconds=delay)


def delay_after(owed: Owed, error: RemoteError) -> float:
    """Returns how many seconds to wait when a call could not be settled."""
    if error.code not in _AWAY:
        logger.error("gatekeeper refused what call %s used: %s", owed.call, error)
        return _REFUSED_DELAY_SECONDS
    return min(_FIRST_DELAY_SECONDS * 2 ** min(owed.tries, 10), _LONGEST_DELAY_SECONDS)


def _bill(owed: Owed) -> pb.SettleRequest:
    usage = pb.SettleRequest.Usage(
        step=1,
        attempt=1,
        kind=pb.USAGE_KIND_EMBEDDING,
        model=owed.model,
        input_tokens=owed.tokens,
        cached_tokens=owed.cached_tokens,
        estimated=owed.estimated,
    )
    return pb.SettleRequest(
        turn=str(owed.call),
        tenant=str(owed.tenant),
        segment=SEGMENT,
        snapshot=owed.snapshot,
        usage=[usage],
        ends=True,
    )
