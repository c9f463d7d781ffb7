"""Saying what would become of a call, without making it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from turnpike.agent_runtime.policy.judgement import Kind, ToolCall, Verdict
from turnpike.agent_runtime.policy.judging import Judges, Subject
from turnpike.agent_runtime.policy.model import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose call it would be, and of what."""

    tenant: UUID
    principal: UUID
    agent: str
    tool: str
    arguments: str
    skills: Sequence[str] = ()
    """Those of the agent's skills that count as loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an agent says, and how it has a tool."""

    agent_version: UUID
    policy: Policy
    digest: str = ""
    """Of the tool's definition; empty when the agent does not have it."""

    read_only: bool = False
    connector: str = ""
    """Which connector's tool it is, whatever that is called."""

    skills: Sequence[UUID] = ()
    """The versions that skills have which count as loaded."""


Find = Callable[[Asked], Awaitable[Found]]
"""Returns what there is.

Raises NotFoundError when there is no such agent, and InvalidArgumentError when it has no
such skill.
"""


# No condition on arguments holds of it.
_WHATEVER = "null"


class Explainer:
    """Judges calls that nobody makes."""

    def __init__(self, judges: Judges, find: Find, *, without: Found) -> None:
        """Takes who judges, who finds an agent's say, and what is said where there is no agent."""
        self._judges = judges
        self._find = find
        self._without = without

    async def explain(self, asked: Asked) -> tuple[Verdict, Found]:
        """Returns what would become of a call at this moment, and by what.

        Raises:
            NotFoundError: There is no such agent.
            InvalidArgumentError: It has no such skill.
            RemoteError: The registry does not answer.
        """
        found = await self._find(asked)
        subject = Subject(
            tenant=asked.tenant,
            principal=asked.principal,
            agent_version=found.agent_version,
            policy=found.policy,
        )
        call = ToolCall(
            tool=asked.tool,
            arguments=asked.arguments or "{}",
            digest=found.digest,
            read_only=found.read_only,
            connector=found.connector,
            grantable=bool(found.connector),
        )
        [verdict] = await self._judges.judge(subject, [call], found.skills)
        return verdict, found

    async def denied(self, tenant: UUID, principal: UUID, tools: Sequence[str]) -> list[str]:
        """Returns the tools that a person is denied without an agent, whatever the arguments."""
        subject = Subject(
            tenant=tenant,
            principal=principal,
            agent_version=self._without.agent_version,
            policy=self._without.policy,
        )
        calls = [
            ToolCall(tool=tool, arguments=_WHATEVER, digest="", read_only=False) for tool in tools
        ]
        verdicts = await self._judges.judge(subject, calls)
        return [
            tool for tool, verdict in zip(tools, verdicts, strict=True) if verdict.kind is Kind.DENY
        ]
