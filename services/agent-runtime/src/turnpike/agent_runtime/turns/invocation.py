"""A turn that is one call of a tool, and asks no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from turnpike.agent_runtime.agents.model import AgentSpec
from turnpike.agent_runtime.policy.model import Policy
from turnpike.agent_runtime.tools.toolset import Toolset
from turnpike.agent_runtime.turns.model import Call, Reply, Spend, Step, TurnFailedError, Usage

NO_VERSION = UUID(int=0)
"""What such a turn has for its agent's version."""

_TYPE = "call"
_STEP = 1
ASKED_FOR = Policy(allow=("*/*",))
"""What its agent would say: who asks for this very call need not be asked for it, unless the
tenant's policy says else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One call, as its caller asked for it."""

    tool: str
    """`connector/tool`."""

    arguments: str
    """A JSON object, verbatim."""

    digest: str
    """Of the definition that the caller has seen; empty for whichever there is."""

    @property
    def input(self) -> list[dict[str, Any]]:
        """What is stored as the turn's input."""
        part = {"tool": self.tool, "arguments": self.arguments, "digest": self.digest}
        return [{"type": _TYPE, **part}]

    @property
    def spec(self) -> AgentSpec:
        """What stands for the agent that there is none of."""
        return AgentSpec(
            model="", instructions="", tools=(self.tool,), max_steps=_STEP, policy=ASKED_FOR
        )

    @property
    def reply(self) -> Reply:
        """What no model said, for nothing."""
        spend = Spend(step=_STEP, attempt=1, model="", usage=Usage())
        return Reply(step=_STEP, text="", reasoning="", spend=spend)

    def step(self, turn: UUID, toolset: Toolset) -> Step:
        """Returns the turn's only step, with the call to be made.

        Raises:
            TurnFailedError: There is no such tool.
        """
        tool = toolset.named(self.tool)
        if tool is None:
            raise TurnFailedError("TOOL_NOT_FOUND", f"there is no tool {self.tool!r}")
        call = Call(
            ordinal=0,
            call_id=f"call_{_STEP}_0",
            provider_id=f"call_{_STEP}_0",
            name=tool.name,
            arguments=self.arguments,
            definition_digest=self.digest or tool.digest,
        )
        return Step(turn=turn, number=_STEP, text="", reasoning="", done=False, calls=[call])


def invocation_of(said: Sequence[Mapping[str, Any]]) -> Invocation | None:
    """Returns the call that a turn with this input is; None for one that a model answers."""
    part = said[0] if said else {}
    if part.get("type") != _TYPE:
        return None
    return Invocation(tool=part["tool"], arguments=part["arguments"], digest=part["digest"])
