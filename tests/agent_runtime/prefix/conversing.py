"""A conversation whose next turn is sent the moment that the last one ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.agent_runtime.serving import Tenant
from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.event_pb2 import Event


@dataclass(frozen=True)
class Spoken:
    """One turn that has ended."""

    turn: str
    thread: str
    events: list[Event]


async def say(tenant: Tenant, text: str, thread: str = "") -> Spoken:
    """Sends a turn, and returns in the moment in which its end is seen."""
    turn = await tenant.start(text, thread=thread)
    events: list[Event] = []
    stream = tenant.runtime.turns.WatchTurn(
        pb.WatchTurnRequest(turn=turn.id), metadata=tenant.admin, timeout=30
    )
    async for response in stream:
        events.extend(response.events)
        if events and events[-1].HasField("turn_finished"):
            break
    return Spoken(turn.id, turn.thread, events)


async def converse(
    tenant: Tenant,
    turns: int,
    text_of: Callable[[int], str],
    check: Callable[[Spoken], Awaitable[None]] | None = None,
) -> str:
    """Sends so many turns, each 0 ms after the last one's end; returns their thread."""
    thread = ""
    for number in range(turns):
        spoken = await say(tenant, text_of(number), thread)
        thread = spoken.thread
        if check is not None:
            await check(spoken)
    return thread
