"""A tenant's text filters, set from the command line, at every door of the edge."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite
from tests.e2e.test_approvals import told
from tests.e2e.test_setup import turnpike

REASON = "say it in the form of ours"
RULES = f"""
kind: Policy
name: tenant
spec:
  text_filters:
  - {{name: word, pattern: '(?i)REFUSED-[0-9a-f]+', action: REFUSE, reason: {REASON}}}
  - {{name: code, pattern: 'masked-[0-9a-f]+', action: MASK}}
"""
PLAIN = "kind: Policy\nname: tenant\nspec: {}\n"


@pytest.fixture(scope="module")
async def filters(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Any]:
    """What `turnpike policy set` says of them; the tenant says nothing again afterwards."""
    file = tmp_path_factory.mktemp("filters") / "policy.yaml"
    file.write_text(RULES)
    (said,) = await told(suite, "policy", "set", str(file))
    yield said["text_filters"]
    file.write_text(PLAIN)
    await told(suite, "policy", "set", str(file))


def doors(agent: str, text: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Returns where people write, and what is sent there."""
    user = [{"role": "user", "content": text}]
    tool = {"name": "effects__echo", "arguments": {"deep": [text]}}
    return {
        "turn": ("/api/v1/turns:run", {"agent": agent, "input": text}),
        "call": ("/api/v1/tools/effects/echo:call", {"arguments": {"deep": [text]}}),
        "chat-agent": ("/v1/chat/completions", {"model": f"agent/{agent}", "messages": user}),
        "chat-model": ("/v1/chat/completions", {"model": agent, "messages": user}),
        "responses-agent": ("/v1/responses", {"model": f"agent/{agent}", "input": text}),
        "responses-model": ("/v1/responses", {"model": agent, "input": text}),
        "messages": ("/v1/messages", {"model": agent, "max_tokens": 9, "messages": user}),
        "mcp": (
            "/mcp",
            {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": tool},
        ),
    }


@pytest.mark.parametrize("door", sorted(doors("", "")))
async def test_what_is_written_is_refused_or_masked_at_every_door(
    edge: Edge, agent: MakeAgent, filters: Any, door: str
):
    name = await agent("n=1", tools=["effects/*"], policy={"allow": ["*/*"]})
    secret = uuid4().hex
    accepts = {"accept": "application/json, text/event-stream"}

    path, body = doors(name, f"this is refused-{secret}")[door]
    refused = await edge.http.post(path, json=body, headers=accepts)
    path, body = doors(name, f"this is masked-{secret}")[door]
    masked = await edge.http.post(path, json=body, headers=accepts)
    turns = json.dumps(await edge.call("GET", "/turns?page_size=5"))

    assert filters[0]["reason"] == REASON and len(filters) == 2
    assert refused.status_code in (400, 200 if door == "mcp" else 400), refused.text
    assert REASON in refused.text and secret not in refused.text
    assert masked.is_success and secret not in masked.text + turns, masked.text


async def test_what_is_no_filter_is_told_to_who_applies_it(suite: Suite, tmp_path: Path):
    file = tmp_path / "policy.yaml"
    file.write_text(RULES.replace("(?i)REFUSED-[0-9a-f]+", "(?=x)"))

    status, _, err = await turnpike(suite, "policy", "set", str(file))

    assert status != 0 and "text_filters[0].pattern" in err
