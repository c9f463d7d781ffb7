"""What a turn asks of the effect ledger: run a call at most once, watch it, cancel it."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

import orjson

from turnpike.database.replicas import Lease
from turnpike.rpc.errors import UnavailableError
from turnpike.tool_registry import answering, metrics, results
from turnpike.tool_registry.catalogue import Catalogue
from turnpike.tool_registry.errors import (
    CallNotUnknownError,
    CallNotWaitingError,
    EffectMismatchError,
    FenceStaleError,
)
from turnpike.tool_registry.execution import Executor
from turnpike.tool_registry.ledger import Ledger, Readiness
from turnpike.tool_registry.links.pool import Links
from turnpike.tool_registry.model import Call, CallRequest, CallStatus, Reply, Resolution
from turnpike.tool_registry.preparation import NotRunnableError, Plan, Plans, Prepared
from turnpike.tool_registry.runs import Sight

SILENCE_SECONDS = 4.0
"""After how long a watcher is told again what it knows; it is promised five seconds."""

_POLL_SECONDS = 0.2


class Calls:
    """The calls of every tenant, as agent-runtime sees them."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        executor: Executor,
        plans: Plans,
        links: Links,
        lease: Lease,
        catalogue: Catalogue,
    ) -> None:
        self._catalogue = catalogue
        self._ledger = ledger
        self._executor = executor
        self._plans = plans
        self._links = links
        self._lease = lease

    async def announce(self, tenant: UUID, turn: UUID, fence: int) -> None:
        """Raises a turn's fence, or raises `FenceStaleError`."""
        accepted, known = await self._ledger.announce(tenant, turn, fence)
        _require(accepted, turn, known)

    async def run(self, request: CallRequest) -> AsyncGenerator[Sight]:
        """Runs a call, or joins it, and yields it at each change until it is over.

        The call does not end with the generator. It yields at least every five
        seconds.

        Raises:
            FenceStaleError: A newer claim of the turn is known.
            EffectMismatchError: The effect's id stands for another call.
            UnavailableError: This process must not take calls at the moment.
        """
        if request.seen_after is not None:
            connector = request.tool.partition("/")[0]
            await self._catalogue.look_again(request.tenant, connector, request.seen_after)
        call = await self._begin(request)
        while True:
            run = self._executor.run_of(call)
            watched = self._poll(call) if run is None else run.watch(at_least_every=SILENCE_SECONDS)
            async with aclosing(watched):
                async for sight in watched:
                    call = sight.call
                    yield sight
                    if call.status.is_final:
                        return
            # This process lost the call: from now on the ledger tells.
            call = await self._ledger.read(call.tenant, call.effect) or call

    async def cancel(
        self, tenant: UUID, turn: UUID, fence: int, *, step: int, ordinal: int
    ) -> Call | None:
        """Cancels a call that is not over; returns it as it then stands.

        Raises:
            FenceStaleError: A newer claim of the turn is known.
        """
        effect = f"{turn}:{step}:{ordinal}"
        accepted, known, call = await self._ledger.cancel(tenant, turn, fence, effect)
        _require(accepted, turn, known)
        run = None if call is None else self._executor.run_of(call)
        if run is not None:
            # A run on another replica is stopped by that replica's upkeep.
            run.cancel()
        return call

    async def get(self, tenant: UUID, effect: str) -> Call | None:
        """Returns a call as it stands; None when it was never written."""
        return await self._ledger.read(tenant, effect)

    async def resolve(self, resolution: Resolution) -> Call:
        """Settles a call of unknown outcome, or has it run again, and returns it.

        Run again, it has the same idempotency key; the first request may still land.

        Raises:
            FenceStaleError: A newer claim of the turn is known.
            CallNotUnknownError: Its outcome is known, or another said something else.
            UnavailableError: This process must not take calls at the moment.
        """
        await self._require_room()
        accepted, known, resolved, call = await self._ledger.resolve(
            resolution, result=results.said(resolution.text), executor=self._lease.id
        )
        _require(accepted, resolution.turn, known)
        if call is None or not resolved:
            status = "" if call is None else call.status.value
            generation = 0 if call is None else call.generation
            raise CallNotUnknownError(resolution.effect, status, generation)
        if call.status is CallStatus.PENDING and call.executor == self._lease.id:
            self._executor.start(call)
        return call

    async def answer(self, reply: Reply) -> Call:
        """Has a call go on that waits for a person, with what that person gave.

        Raises:
            InvalidArgumentError: The answers are not those that it waits for.
            FenceStaleError: A newer claim of the turn is known.
            CallNotWaitingError: It waits for nothing, or another has answered.
            UnavailableError: This process must not take calls at the moment.
        """
        await self._require_room()
        call = await self._ledger.read(reply.tenant, reply.effect)
        if call is not None and answering.is_answered(call, reply):
            return call
        if call is None or not answering.is_waiting(call, reply):
            raise _not_waiting(reply, call)
        accepted, known, answered, call = await self._ledger.answer(
            reply, answers=answering.carried(call, reply), executor=self._lease.id
        )
        _require(accepted, reply.turn, known)
        if call is None or not answered:
            raise _not_waiting(reply, call)
        self._executor.start(call)
        return call

    async def _require_room(self) -> None:
        # What this process wrote without it would be settled as a dead one's. One that
        # was stopped and goes on renews it in a moment.
        if self._executor.has_room and not await self._lease.freshened():
            raise UnavailableError("this replica has lost its lease; try again")
        if not self._executor.has_room:
            raise UnavailableError("this replica takes no more calls; try again")

    async def _begin(self, request: CallRequest) -> Call:
        await self._require_room()
        prepared = self._prepared(request)
        begun = await self._ledger.begin(
            request,
            digest=_digest(request),
            executor=self._lease.id,
            ready=Readiness() if prepared is None else _readiness(prepared.plan),
        )
        _require(begun.outcome != "STALE", request.turn, begun.known)
        if begun.call is None or begun.outcome == "MISMATCH":
            metrics.MISMATCHES.inc()
            raise EffectMismatchError(request.effect)
        if begun.outcome == "JOINED":
            metrics.JOINS.inc()
        else:
            # `OWN` too: the reply to an earlier attempt may have been lost.
            is_cleared = begun.outcome == "CREATED" and begun.call.status is CallStatus.DISPATCHED
            self._executor.start(begun.call, cleared=prepared if is_cleared else None)
        return begun.call

    def _prepared(self, request: CallRequest) -> Prepared | None:
        plan = self._plans.remembered(request)
        conversation = request.conversation or str(request.turn)
        if plan is None or plan.is_filled or not self._links.is_warm(plan.link, conversation):
            return None
        try:
            return Prepared(plan, plan.check(request.arguments))
        except NotRunnableError:
            return None

    async def _poll(self, call: Call) -> AsyncGenerator[Sight]:
        """Yields a call that another process runs, as the ledger tells."""
        loop = asyncio.get_running_loop()
        yield Sight(call)
        told, told_at = call, loop.time()
        while not told.status.is_final:
            await asyncio.sleep(_POLL_SECONDS)
            call = await self._ledger.read(call.tenant, call.effect) or call
            if call.status is not told.status or loop.time() - told_at > SILENCE_SECONDS:
                yield Sight(call)
                told, told_at = call, loop.time()
            if self._executor.run_of(call) is not None:
                return


def _readiness(plan: Plan) -> Readiness:
    return Readiness(etag=plan.etag, repeatable=plan.is_repeatable, credential=plan.credential)


def _digest(request: CallRequest) -> str:
    parts = [request.tool, request.definition_digest, request.arguments]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


def _not_waiting(reply: Reply, call: Call | None) -> CallNotWaitingError:
    status = "" if call is None else call.status.value
    return CallNotWaitingError(reply.effect, status, 0 if call is None else call.generation)


def _require(accepted: bool, turn: UUID, known: int) -> None:
    if not accepted:
        metrics.FENCE_REFUSALS.inc()
        raise FenceStaleError(turn, known)
