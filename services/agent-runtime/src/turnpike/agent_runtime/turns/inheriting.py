"""What an owner before this one left behind, as far as the log tells."""

from dataclasses import dataclass

from redis.exceptions import RedisError

from turnpike.agent_runtime.events.log import TurnLog
from turnpike.agent_runtime.turns.estimating import BYTES_PER_TOKEN
from turnpike.agent_runtime.turns.model import FREE, Rate, Spend, Turn, Usage
from turnpike.api.agent_runtime.v1.event_pb2 import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A model call that was under way when its owner died."""

    step: int
    attempt: int
    model: str
    prompt_tokens: int
    said: int
    """How long what it said is, in characters."""

    own_key: bool = False
    """Whether a key of one's own pays for it."""

    def spend(self, rate: Rate) -> Spend:
        """Returns what it used, reckoned: whoever was told what it used is dead."""
        usage = Usage(
            input_tokens=self.prompt_tokens, output_tokens=-(-self.said // BYTES_PER_TOKEN)
        )
        return Spend(
            step=self.step,
            attempt=self.attempt,
            model=self.model,
            usage=(FREE if self.own_key else rate).priced(usage),
            estimated=True,
            default_prices=rate.default and not self.own_key,
            own_key=self.own_key,
        )


async def left_behind(log: TurnLog, turn: Turn, last_seq: int) -> Left | None:
    """Returns the model call that nobody committed, of which the log tells.

    Where Redis has lost the log nothing is told: nobody was shown anything of it,
    and nobody is billed for it.
    """
    if last_seq <= turn.committed_seq:
        return None
    events: list[Event] = []
    try:
        while page := await log.after(turn.id, events[-1].seq if events else turn.committed_seq):
            events += page
    except (RedisError, OSError):
        return None
    return _left(events)


def _left(events: list[Event]) -> Left | None:
    started, said = None, 0
    for event in events:
        match event.WhichOneof("body"):
            case "step_started":
                started, said = event.step_started, 0
            case "model_retrying":
                # It was refused, and is not paid for.
                started = None
            case "text_delta":
                said += len(event.text_delta.text)
            case "reasoning_delta":
                said += len(event.reasoning_delta.text)
            case _:
                continue
    if started is None:
        return None
    return Left(
        step=started.step,
        attempt=started.attempt,
        model=started.model,
        prompt_tokens=started.prompt_tokens,
        said=said,
        own_key=started.own_key,
    )
