"""What a caller is offered: each tool that may be called, and each agent, under one name."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from turnpike.api.agent_runtime.v1.agent_pb2 import Agent
from turnpike.api.agent_runtime.v1.agent_service_pb2 import ListAgentsRequest
from turnpike.api.agent_runtime.v1.agent_service_pb2_grpc import AgentServiceStub
from turnpike.api.agent_runtime.v1.policy_service_pb2 import ExplainToolsRequest
from turnpike.api.agent_runtime.v1.policy_service_pb2_grpc import PolicyServiceStub
from turnpike.api.tool_registry.v1.connector_service_pb2 import ListToolsRequest
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceStub
from turnpike.api.tool_registry.v1.tool_pb2 import Tool
from turnpike.gateway.calls import Call

# What clients, and the providers behind them, take as a name.
_NAME = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64
# A connector that was never seen is awaited for 30 s.
_PATIENCE = timedelta(seconds=35)
_AGENT = "agent"
# In one request; its answer takes milliseconds.
_MOST_JUDGED = 5_000
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_INPUT = {
    "type": "object",
    "properties": {
        "input": {"type": "string", "minLength": 1, "description": "What the agent is told."},
        "thread": {
            "type": "string",
            "description": "The thread to go on in, as an earlier answer named it.",
        },
    },
    "required": ["input"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Something that may be called."""

    name: str
    """What clients call it."""

    definition: Mapping[str, Any]
    """As `tools/list` has it, without the name."""

    tool: str = ""
    """`connector/tool`; empty for an agent."""

    digest: str = ""
    """Of the tool's definition that was shown."""

    agent: str = ""
    """The agent's name; empty for a tool."""

    def shown(self) -> dict[str, Any]:
        """Returns it as `tools/list` has it."""
        return {"name": self.name, **self.definition}


async def offers_to(
    call: Call, connectors: ConnectorServiceStub, agents: AgentServiceStub
) -> dict[str, Offer]:
    """Returns what a caller may call, by name, in the order of names."""
    tools = await call.patient(_PATIENCE).read(connectors.ListTools, ListToolsRequest())
    known = [_of_agent(each) for each in await _agents(call, agents)]
    known += [_of_tool(each) for each in tools.tools if each.state == "OK"]
    return {offer.name: offer for offer in sorted(_apart(known), key=lambda each: each.name)}


async def denied_to(
    call: Call, policies: PolicyServiceStub, offers: Mapping[str, Offer]
) -> frozenset[str]:
    """Returns the tools among offers that policy denies a caller, however they are called."""
    tools = [offer.tool for offer in offers.values() if offer.tool]
    found: set[str] = set()
    for at in range(0, len(tools), _MOST_JUDGED):
        request = ExplainToolsRequest(tools=tools[at : at + _MOST_JUDGED])
        found.update((await call.read(policies.ExplainTools, request)).denied)
    return frozenset(found)


async def _agents(call: Call, agents: AgentServiceStub) -> list[Agent]:
    found: list[Agent] = []
    token = ""
    while True:
        page = await call.read(
            agents.ListAgents, ListAgentsRequest(page_size=500, page_token=token)
        )
        found += page.agents
        token = page.next_page_token
        if not token:
            return found


def _of_agent(agent: Agent) -> Offer:
    return Offer(
        name=_named(f"{_AGENT}/{agent.name}"),
        agent=agent.name,
        definition={
            "title": agent.name,
            "description": f"Tells the agent {agent.name} something, and returns its answer.",
            "inputSchema": _INPUT,
        },
    )


def _of_tool(tool: Tool) -> Offer:
    definition: dict[str, Any] = {
        "description": tool.description,
        "inputSchema": {"type": "object", **_object(tool.input_schema)},
    }
    said = _object(tool.annotations)
    hints = {hint: said[hint] for hint in _HINTS if isinstance(said.get(hint), bool)}
    if isinstance(title := said.get("title"), str):
        definition["title"] = title
    if hints:
        definition["annotations"] = hints
    name = tool.alias or _named(tool.name)
    return Offer(name=name, tool=tool.name, digest=tool.digest, definition=definition)


def _apart(offers: Iterable[Offer]) -> Iterable[Offer]:
    """Gives those names of their own that would have another's: both stay callable."""
    taken: set[str] = set()
    for offer in offers:
        kept = offer
        if offer.name in taken:
            kept = Offer(
                name=_marked(offer.name, offer.tool or offer.agent),
                definition=offer.definition,
                tool=offer.tool,
                digest=offer.digest,
                agent=offer.agent,
            )
        taken.add(kept.name)
        yield kept


def _named(full: str) -> str:
    """Returns `a__b` for `a/b`; one that clients would refuse is cut and marked by its digest."""
    plain = full.replace("/", "__", 1)
    name = _NAME.sub("_", plain)
    return name if name == plain and len(name) <= _LONGEST_NAME else _marked(name, full)


def _marked(name: str, full: str) -> str:
    mark = hashlib.sha256(full.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 9]}_{mark}"


def _object(document: str) -> dict[str, Any]:
    value = orjson.loads(document or "{}")
    return value if isinstance(value, dict) else {}
