"""Variables from a file, from the command line and over REST, in connectors and in prompts."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.doubles.processes import Double
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge, RefusedError
from tests.e2e.suite import Suite
from tests.e2e.test_setup import turnpike


async def test_an_agents_prompt_has_its_requesters_values(
    suite: Suite, edge: Edge, model: Double, tmp_path: Path, tag: str
):
    name = f"REGION_{tag.replace('-', '_')}"
    documents: list[dict[str, Any]] = [
        {"kind": "Variable", "name": name, "spec": {"value": "file:where"}},
        {"kind": "Model", "name": tag, "spec": {"model": "n=1", "base_url": model.url}},
        {
            "kind": "Agent",
            "name": tag,
            "spec": {"model": tag, "instructions": f"Stay in ${{var.{name}}}. Not $HOME. ({tag})"},
        },
    ]
    (tmp_path / "where").write_text("the-north\n")
    file = tmp_path / "setup.yaml"
    file.write_text(yaml.safe_dump_all(documents))

    first = await turnpike(suite, "apply", "-f", str(file))
    second = await turnpike(suite, "apply", "-f", str(file))
    thread = (await edge.call("POST", "/threads", {}))["id"]
    await _ended(edge, await edge.start_in(thread, tag))
    mine = await turnpike(suite, "variables", "set", name, "my-own", "--mine")
    await _ended(edge, await edge.start_in(thread, tag))
    listed = await turnpike(suite, "variables", "list", "--json")
    removed = [
        await turnpike(suite, "variables", "rm", name, *words) for words in ((), ("--mine",))
    ]
    failed = await edge.turn((await _ended(edge, await edge.start_in(thread, tag)))["id"])

    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert second[1].count("unchanged") == 3
    assert mine[0] == 0, mine[2]
    said = str(await sent(model))
    assert f"Stay in the-north. Not $HOME. ({tag})" in said
    assert f"Stay in my-own. Not $HOME. ({tag})" in said
    shown = [json.loads(line) for line in listed[1].splitlines()]
    assert [each["value"] for each in shown if each["name"] == name] == ["the-north", "my-own"]
    assert [each[0] for each in removed] == [0, 0]
    assert failed["status"] == "FAILED"
    assert failed["error"]["reason"] == "VARIABLE_UNUSABLE"
    assert name in failed["error"]["message"]


async def test_no_secret_is_in_a_prompt(suite: Suite, edge: Edge, model: Double, tag: str):
    name = f"TOKEN_{tag.replace('-', '_')}"
    kept = await turnpike(suite, "variables", "set", name, "--secret", given="a-s3cret\n")
    typed = await turnpike(suite, "variables", "set", name, "a-s3cret", "--secret")

    with pytest.raises(RefusedError) as refused:
        await edge.agent(tag, "n=1", model.url, instructions=f"Use ${{var.{name}}}.")

    assert (kept[0], typed[0]) == (0, 1), kept[2]
    assert refused.value.status == 400
    (error,) = refused.value.problem["errors"]
    assert error["field"] == "instructions"
    assert name in error["message"]
    assert "s3cret" not in kept[1] + kept[2] + str(refused.value.problem)


async def test_a_secret_reaches_a_child_and_nothing_else(edge: Edge, agent: MakeAgent, tag: str):
    """The protocol's own test server prints its environment: the value is not kept of it."""
    name = f"TOKEN_{tag.replace('-', '_')}"
    await edge.call("PUT", f"/variables/{name}", {"value": "a-s3cret-of-ours", "secret": True})
    connectors = (await edge.call("GET", "/connectors"))["connectors"]
    (command,) = [each["command"] for each in connectors if each["name"] == "everything-stdio"]
    await edge.call(
        "PUT",
        f"/connectors/{tag}",
        {"transport": "stdio", "command": command, "env": {"GIVEN": f"${{var.{name}}}!"}},
    )

    await edge.call("GET", f"/tools?pattern={tag}/*")

    fold = await edge.run(await agent(f"n=1+tool={tag}__get-env", tools=[f"{tag}/get-env"]))

    (call,) = fold.calls
    assert call["outcome"] == "OK"
    assert f"[secret {name}]!" in str(call["result"])
    assert "a-s3cret-of-ours" not in str(fold)


async def sent(model: Double) -> list[Any]:
    """Returns what the model server was asked last."""
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{model.origin}/sent")).json()["sent"]


async def _ended(edge: Edge, turn: dict[str, Any]) -> dict[str, Any]:
    await edge.read(turn["id"])
    return turn
