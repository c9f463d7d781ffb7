"""Agents on the wire."""

from turnpike.agent_runtime.agents.model import (
    DEFAULT_MAX_STEPS,
    NO_TOOL_SEARCH,
    VARIABLES,
    AgentSpec,
    ToolSearch,
    unknown_variable,
)
from turnpike.agent_runtime.approvals.rules import rules_from_proto, rules_to_proto
from turnpike.agent_runtime.policy.conversion import policy_from_proto, policy_to_proto
from turnpike.api.agent_runtime.v1 import agent_pb2
from turnpike.rpc.errors import InvalidArgumentError


def spec_from_proto(spec: agent_pb2.AgentSpec, path: str) -> AgentSpec:
    """Returns the spec in a request; `path` is where the request has it.

    Raises:
        InvalidArgumentError: Its instructions name a variable that there is not.
    """
    instructions = spec.instructions.replace("\0", "")
    if unknown := unknown_variable(instructions):
        raise InvalidArgumentError(
            f"{path}.instructions",
            f"{unknown} is no variable: there are {', '.join(VARIABLES)}, without spaces",
        )
    return AgentSpec(
        model=spec.model,
        instructions=instructions,
        tools=tuple(spec.tools),
        max_steps=spec.max_steps or DEFAULT_MAX_STEPS,
        policy=policy_from_proto(spec.policy, f"{path}.policy"),
        approvals=rules_from_proto(spec.approvals),
        tool_search=ToolSearch(
            percent=spec.tool_search.percent, pinned=tuple(spec.tool_search.pinned)
        ),
        skills=tuple(spec.skills),
    )


def spec_to_proto(spec: AgentSpec) -> agent_pb2.AgentSpec:
    """Returns a spec for a response."""
    asked = spec.tool_search
    searching = agent_pb2.ToolSearch(percent=asked.percent, pinned=asked.pinned)
    return agent_pb2.AgentSpec(
        model=spec.model,
        instructions=spec.instructions,
        tools=spec.tools,
        max_steps=spec.max_steps,
        policy=policy_to_proto(spec.policy),
        approvals=rules_to_proto(spec.approvals),
        tool_search=searching if asked != NO_TOOL_SEARCH else None,
        skills=spec.skills,
    )
