"""Having a turn's segment admitted, the first time or after an owner who had it."""

from turnpike.agent_runtime.turns.admission import ASYNC, Admission, RateClass
from turnpike.agent_runtime.turns.choosing import Chosen
from turnpike.agent_runtime.turns.failures import caught
from turnpike.agent_runtime.turns.running import Running


async def admit(
    admission: Admission, running: Running, chosen: Chosen | Exception, rate_class: RateClass
) -> Exception | None:
    """Has the turn's segment admitted; returns why it is not.

    Also what cannot be run is: who may not enter hears of that first.
    """
    turn = running.turn
    if isinstance(chosen, Exception):
        asking = admission.admit(turn, rate_class=rate_class)
    else:
        running.allowance.belongs_to(chosen.agent_owner)
        asking = admission.admit(
            turn,
            agent_owner=str(chosen.agent_owner),
            estimate=chosen.estimate(turn),
            prices=chosen.prices,
            rate_class=rate_class,
        )
    admitted = await caught(asking)
    if isinstance(admitted, Exception):
        return admitted
    running.admitted = True
    running.allowance.admit(admitted)
    return None


async def admit_again(
    admission: Admission, running: Running, chosen: Chosen | Exception
) -> Exception | None:
    """Goes on with the segment that an owner before this one was admitted with.

    Its next model call asks for more, and whether anybody was banned meanwhile;
    the heartbeat renews its slot.
    """
    if not running.turn.standing.is_admitted:
        # Nobody waits for a turn that was queued.
        return await admit(admission, running, chosen, ASYNC)
    if not isinstance(chosen, Exception):
        running.allowance.belongs_to(chosen.agent_owner)
    running.admitted = True
    return None
