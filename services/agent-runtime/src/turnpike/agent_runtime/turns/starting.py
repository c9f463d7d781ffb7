"""Starting turns: the claim first, then admission, then the run."""

import hashlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.errors import (
    IdempotencyKeyReusedError,
    NotFoundError,
    TextRefusedError,
    ThreadBusyError,
)
from turnpike.agent_runtime.events.writer import RESERVE
from turnpike.agent_runtime.filters.reading import Screens
from turnpike.agent_runtime.filters.screens import Screen
from turnpike.agent_runtime.refusing import NotAdmittedError
from turnpike.agent_runtime.turns import queries
from turnpike.agent_runtime.turns.invocation import NO_VERSION
from turnpike.agent_runtime.turns.model import NO_USAGE, StartRequest, Turn
from turnpike.agent_runtime.turns.ownership import Owner
from turnpike.agent_runtime.turns.requests import Claimed, TurnRequests
from turnpike.agent_runtime.turns.screening import screened
from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import InvalidArgumentError, RemoteError, UnavailableError

_CHANGES = 5
"""How many changes of a tenant's policy a claim outlives."""

InlineVersion = Callable[[UUID, UUID, Mapping[str, Any]], Coroutine[None, None, UUID]]
"""Returns the version that an inline spec of a tenant's principal stands for."""

EnsureDefault = Callable[[UUID, UUID, str], Coroutine[None, None, bool]]
"""Makes the agent that every tenant has, if that is the one asked for; says whether it did."""


PinFiles = Callable[[StartRequest], Coroutine[None, None, StartRequest]]
"""Returns a request whose files say what they are; raises InvalidArgumentError for one that is
none, or that no model can be shown."""

Blind = Callable[[StartRequest], Coroutine[None, None, str]]
"""Returns the model of the agent's that takes no images; empty when all do, or none is known."""


class Starter:
    """Starts turns on this replica."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        requests: TurnRequests,
        screens: Screens,
        owner: Owner,
        inline_version: InlineVersion,
        default_agent: EnsureDefault,
        pin_files: PinFiles,
        blind: Blind,
    ) -> None:
        self._engine = engine
        self._requests = requests
        self._screens = screens
        self._owner = owner
        self._inline_version = inline_version
        self._default_agent = default_agent
        self._pin_files = pin_files
        self._blind = blind

    async def start(self, request: StartRequest) -> tuple[Turn, bool]:
        """Starts a turn, or finds the one that the same request started before.

        The claim comes before any limit, so that a hundred identical requests
        make one turn, whichever limits they would meet.

        Returns:
            The turn, and whether this request started it.

        Raises:
            NotFoundError: There is no such agent or thread.
            ThreadBusyError: The thread runs a turn, and queueing was not asked for.
            IdempotencyKeyReusedError: The request id stands for another payload.
            TextRefusedError: A filter of the tenant's refuses what is said.
            InvalidArgumentError: A file is none, or the agent's model can not be shown it.
            UnavailableError: This replica takes no turns now.
            ServiceError: Gatekeeper refused the turn; it has ended as REFUSED.
        """
        if not await self._owner.may_start():
            raise UnavailableError("this replica takes no more turns; try again")
        request = await self._pin_files(request)
        await self._check_sight(request)
        request, claimed = await self._claim_screened(request)
        if claimed.outcome == "CREATED":
            turn = self._new_turn(request, claimed)
            try:
                await self._owner.start(turn, new_thread=request.thread is None)
            except RemoteError as error:
                raise NotAdmittedError(error, turn.id) from error
            return turn, True
        _raise_unless_known(request, claimed)
        return await self._known(request, claimed), claimed.outcome == "QUEUED"

    async def _check_sight(self, request: StartRequest) -> None:
        images = (i for i, part in enumerate(request.input) if part.get("type") == "image")
        if (place := next(images, None)) is None or not (blind := await self._blind(request)):
            return
        # What was begun when the model took them is told of as ever.
        async with tenant_transaction(self._engine, request.tenant) as connection:
            known = await queries.is_known(connection, request.principal, request.request_id)
        if not known:
            raise InvalidArgumentError(f"input[{place}].file", f"model {blind!r} takes no images")

    async def _claim_screened(self, request: StartRequest) -> tuple[StartRequest, Claimed]:
        """Claims what the tenant's filters leave of a request.

        The claim says if a later policy counts than the one that was read last, so that
        it need not be read before each.
        """
        screen = self._screens.known(request.tenant)
        for _ in range(_CHANGES):
            try:
                passed = await screen.passed(screened, request)
                claimed = await self._claim(passed, screen)
            except TextRefusedError:
                if (current := await self._screens.current(request.tenant)) is screen:
                    raise
                screen = current
                continue
            if claimed.outcome != "POLICY":
                return passed, claimed
            screen = await self._screens.current(request.tenant)
        raise UnavailableError("the tenant's policy is being changed; try again")

    async def _claim(self, request: StartRequest, screen: Screen) -> Claimed:
        version = None if request.asks_model else NO_VERSION
        if request.inline_agent is not None:
            version = await self._inline_version(
                request.tenant, request.principal, request.inline_agent
            )
        turn, thread = uuid4(), uuid4()
        lease = self._owner.lease

        async def claim() -> Claimed:
            return await self._requests.claim(
                request,
                turn=turn,
                new_thread=thread,
                version=version,
                digest=_digest(request),
                policy=screen.version,
                owner=lease.id,
                owner_name=lease.name,
                reserve=RESERVE,
            )

        claimed = await claim()
        if claimed.outcome == "NO_AGENT" and await self._default_agent(
            request.tenant, request.principal, request.agent
        ):
            claimed = await claim()
        return claimed

    def _new_turn(self, request: StartRequest, claimed: Claimed) -> Turn:
        lease = self._owner.lease
        return Turn(
            id=claimed.turn,
            position=claimed.position,
            tenant=request.tenant,
            thread=claimed.thread,
            principal=request.principal,
            api_key=request.api_key,
            attempt=claimed.attempt,
            status="RUNNING",
            waiting_for="",
            agent=request.agent,
            agent_version=claimed.version,
            input=request.input,
            time_zone=request.time_zone,
            metadata=request.metadata,
            traceparent=request.traceparent,
            owner=lease.id,
            owner_name=lease.name,
            fence=1,
            desired="",
            fruitless=1,
            committed_seq=0,
            reserved_seq=RESERVE,
            step=0,
            answer="",
            usage=NO_USAGE,
            error_reason="",
            error_message="",
            created=claimed.created,
            finished=None,
        )

    async def _known(self, request: StartRequest, claimed: Claimed) -> Turn:
        async with tenant_transaction(self._engine, request.tenant) as connection:
            turn = await queries.get_turn(connection, claimed.turn, principal=None)
        if turn is None:
            # Its thread was deleted between the two statements.
            raise NotFoundError("turn", str(claimed.turn))
        return turn


def _raise_unless_known(request: StartRequest, claimed: Claimed) -> None:
    match claimed.outcome:
        case "REUSED":
            raise IdempotencyKeyReusedError(str(claimed.turn))
        case "BUSY":
            raise ThreadBusyError(str(request.thread), str(claimed.turn))
        case "NO_THREAD":
            raise NotFoundError("thread", str(request.thread))
        case "NO_AGENT":
            raise NotFoundError("agent", request.agent)
        case _:
            return


def _digest(request: StartRequest) -> bytes:
    # The same bytes under the same name are the same, however often they were uploaded.
    said = [
        {name: value for name, value in part.items() if name != "file" or "sha256" not in part}
        for part in request.input
    ]
    payload = {
        "thread": str(request.thread) if request.thread else None,
        "agent": request.agent,
        "inline_agent": request.inline_agent,
        "input": said,
        "enqueue": request.enqueue,
        "time_zone": request.time_zone,
        "metadata": dict(request.metadata),
    }
    return hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).digest()
