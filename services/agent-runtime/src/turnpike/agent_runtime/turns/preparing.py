"""Gathering what a turn needs before it can be driven."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.agents.model import AgentSpec
from turnpike.agent_runtime.events.log import TurnLog
from turnpike.agent_runtime.events.model import Claim
from turnpike.agent_runtime.models.prompt import Model
from turnpike.agent_runtime.prefix.keys import Salt
from turnpike.agent_runtime.prefix.model import EMPTY, Ledger
from turnpike.agent_runtime.prefix.store import PrefixStore
from turnpike.agent_runtime.tools.registry import Registry
from turnpike.agent_runtime.tools.toolset import Tool, Toolset
from turnpike.agent_runtime.turns import queries
from turnpike.agent_runtime.turns.failures import first_of
from turnpike.agent_runtime.turns.ledgering import Said
from turnpike.agent_runtime.turns.model import PastTurn, Step, Turn
from turnpike.agent_runtime.turns.prompting import messages
from turnpike.database.tenancy import tenant_transaction

_NO_MODEL = Model(
    tenant=UUID(int=0), name="", provider="", model="", base_url="", api_key="", prices=None
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a driver starts from."""

    last_seq: int
    """The last number that may have been shown."""

    model: Model = _NO_MODEL
    toolset: Toolset = field(default_factory=lambda: Toolset([], deny=[]))
    max_steps: int = 0
    said: Said | None = None
    """None when the turn is not to be run."""

    steps: Sequence[Step] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where it all comes from."""

    engine: AsyncEngine
    log: TurnLog
    registry: Registry
    version: Callable[[UUID, UUID], Coroutine[None, None, AgentSpec]]
    """Returns a tenant's agent version by its id."""

    model: Callable[[Turn, str], Coroutine[None, None, Model]]
    """Returns a turn's model by what its agent names; raises TurnFailedError when there is none."""

    ledger: PrefixStore
    salt: Salt


async def prepare(sources: Sources, claim: Claim, turn: Turn, *, new_thread: bool) -> Prepared:
    """Returns everything that driving the turn takes.

    Args:
        sources: Where it comes from.
        claim: The claim to drive it for; opens the log.
        turn: The turn.
        new_thread: Nothing was said in its thread before.

    Raises:
        FenceLostError: Another claim owns the turn.
        TurnFailedError: It cannot be driven, now or later.
        RemoteError: The registry does not answer.
    """
    spec = await sources.version(turn.tenant, turn.agent_version)
    fresh = new_thread and turn.fence == 1
    try:
        async with asyncio.TaskGroup() as group:
            opening = group.create_task(open_log(sources.log, claim, turn))
            model = group.create_task(sources.model(turn, spec.model))
            tools = group.create_task(_tools(sources.registry, turn, spec))
            said = None if fresh else group.create_task(_said(sources.engine, turn))
            ledger = None if fresh else group.create_task(_ledger(sources, turn))
    except ExceptionGroup as failures:
        raise first_of(failures) from failures
    past, steps = said.result() if said else ([], [])
    toolset = Toolset(tools.result(), deny=spec.deny)
    return Prepared(
        last_seq=opening.result(),
        model=model.result(),
        toolset=toolset,
        max_steps=spec.max_steps,
        said=Said(
            ledger.result() if ledger else EMPTY,
            messages(spec.instructions, past, turn, steps),
            toolset,
            template=hashlib.sha256(spec.instructions.encode()).hexdigest(),
            salt=sources.salt,
            tenant=turn.tenant,
            thread=turn.thread,
            resumed=bool(steps),
        ),
        steps=steps,
    )


async def prepare_end(sources: Sources, claim: Claim, turn: Turn) -> Prepared:
    """Returns what ending the turn takes, without running it.

    Raises:
        FenceLostError: Another claim owns the turn.
    """
    last_seq = await open_log(sources.log, claim, turn)
    steps: Sequence[Step] = ()
    if turn.step:
        async with tenant_transaction(sources.engine, turn.tenant) as connection:
            steps = (await queries.steps_of(connection, [turn.id])).get(turn.id, [])
    return Prepared(last_seq=last_seq, steps=steps)


async def open_log(log: TurnLog, claim: Claim, turn: Turn) -> int:
    """Opens the log for a claim, and returns the last number that may have been shown.

    Raises:
        FenceLostError: Another claim owns the turn.
    """
    if_lost = 0 if turn.fence == 1 else turn.reserved_seq
    try:
        _, last = await log.open(claim, committed=turn.committed_seq, if_lost=if_lost)
    except (RedisError, OSError):
        # Redis is away; nobody knows what it showed.
        return if_lost
    return last


async def _tools(registry: Registry, turn: Turn, spec: AgentSpec) -> list[Tool]:
    if not spec.tools:
        return []
    return await registry.tools(turn.tenant, turn.principal, spec.tools)


async def _ledger(sources: Sources, turn: Turn) -> Ledger:
    return await sources.ledger.read(turn.tenant, str(turn.thread))


async def _said(engine: AsyncEngine, turn: Turn) -> tuple[list[PastTurn], list[Step]]:
    async with tenant_transaction(engine, turn.tenant) as connection:
        past = await queries.past_turns(connection, turn)
        steps = (await queries.steps_of(connection, [turn.id])).get(turn.id, [])
    return past, steps
