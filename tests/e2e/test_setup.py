"""Agents, models and connectors, over REST and from a file."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.doubles.processes import Double
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge, RefusedError
from tests.e2e.suite import TURNPIKE, Suite, environment, until_it


async def turnpike(suite: Suite, *words: str, given: str = "") -> tuple[int, str, str]:
    """Runs the command line against the suite; returns its status and what it printed."""
    process = await asyncio.create_subprocess_exec(
        str(TURNPIKE),
        *words,
        env=environment(suite.home, {}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(given.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_every_change_of_an_agent_is_a_version_that_can_be_gone_back_to(
    edge: Edge, agent: MakeAgent
):
    one, two = await agent("n=1"), await agent("n=2")
    name = f"{one}-versions"
    await edge.call("PUT", f"/agents/{name}", {"name": name, "model": one})
    await edge.call("PUT", f"/agents/{name}", {"name": name, "model": two})
    versions = (await edge.call("GET", f"/agents/{name}/versions"))["versions"]

    second = await edge.run(name)
    first_version = versions[-1]["id"]
    await edge.call("POST", f"/agents/{name}:activate", {"version": first_version})
    first = await edge.run(name)

    assert len(versions) == 2
    assert (second.answer, first.answer) == ("~0 ~1 ", "~0 ")


async def test_an_unchanged_agent_gets_no_new_version(edge: Edge, agent: MakeAgent):
    name = await agent("n=1", instructions="Be brief.")
    await edge.call(
        "PUT", f"/agents/{name}", {"name": name, "model": name, "instructions": "Be brief."}
    )

    assert len((await edge.call("GET", f"/agents/{name}/versions"))["versions"]) == 1


async def test_a_change_on_a_stale_etag_is_refused(edge: Edge, agent: MakeAgent):
    name = await agent("n=1")

    with pytest.raises(RefusedError) as refusal:
        await edge.call("PUT", f"/agents/{name}", {"name": name, "model": name}, if_match='"stale"')

    assert refusal.value.status == 412


async def test_an_agent_s_policy_comes_back_as_it_was_said(edge: Edge, agent: MakeAgent):
    rule = {"tool": "*/*", "effect": "ASK", "where": [{"path": "/sum", "minimum": 5}]}
    policy = {"mode": "DEFAULT", "allow": ["*/*"], "ask": ["*/transfer"], "rules": [rule]}

    shown = await edge.call("GET", f"/agents/{await agent('n=1', policy=policy)}")

    kept = {**policy, "deny": [], "reason": "", "rules": [{**rule, "reason": ""}]}
    assert shown["policy"] == kept


async def test_secrets_are_never_shown_again(edge: Edge, agent: MakeAgent):
    name = await agent("n=1")

    shown = await edge.call("GET", f"/models/{name}")

    assert f"key-of-{name}" not in json.dumps(shown)


def documents(name: str, model_url: str) -> list[dict[str, Any]]:
    model = {"model": "n=2", "base_url": model_url, "api_key": "env:A_SECRET"}
    return [
        {"kind": "Model", "name": name, "spec": model},
        {"kind": "Agent", "name": name, "spec": {"model": name, "instructions": "Help."}},
    ]


async def test_applying_a_file_twice_changes_nothing_the_second_time(
    suite: Suite, edge: Edge, model: Double, tmp_path: Path, tag: str
):
    file = tmp_path / "setup.yaml"
    file.write_text(yaml.safe_dump_all(documents(tag, model.url)).replace("env:A_SECRET", "x"))

    first = await turnpike(suite, "apply", "-f", str(file))
    second = await turnpike(suite, "apply", "-f", str(file))

    assert first[0] == second[0] == 0
    assert first[1].count("created") == 2
    assert second[1].count("unchanged") == 2
    assert (await edge.run(tag)).status == "COMPLETED"


async def test_a_kept_key_never_goes_elsewhere(
    suite: Suite, edge: Edge, agent: MakeAgent, model: Double, tmp_path: Path
):
    name = await agent("n=1")
    elsewhere = {"model": "n=1", "base_url": "https://elsewhere.example/v1"}
    file = tmp_path / "setup.yaml"
    file.write_text(yaml.safe_dump({"kind": "Model", "name": name, "spec": elsewhere}))

    with pytest.raises(RefusedError) as refusal:
        await edge.call("PUT", f"/models/{name}", elsewhere)
    status, out, err = await turnpike(suite, "apply", "-f", str(file))

    assert refusal.value.status == 400
    assert "api_key" in str(refusal.value.problem["errors"])
    assert status == 1
    assert "api_key" in out + err
    assert (await edge.call("GET", f"/models/{name}"))["base_url"] == model.url


async def test_a_file_with_mistakes_names_them_all_and_changes_nothing(
    suite: Suite, edge: Edge, model: Double, tmp_path: Path, tag: str
):
    wrong = documents(tag, model.url)
    wrong[0]["spec"]["color"] = "red"
    wrong[1]["spec"]["max_steps"] = "many"
    file = tmp_path / "setup.yaml"
    file.write_text(yaml.safe_dump_all(wrong))

    status, out, err = await turnpike(suite, "apply", "-f", str(file))

    assert status == 1
    assert "color" in out + err
    assert "max_steps" in out + err
    with pytest.raises(RefusedError):
        await edge.call("GET", f"/models/{tag}")


async def test_chat_streams_an_answer_and_shows_the_calls(suite: Suite, agent: MakeAgent, tag: str):
    script = f'n=3+tool=effects__transfer+arg={{"tag":"{tag}"}}'
    name = await agent(script, tools=["effects/*"])

    status, out, err = await turnpike(suite, "chat", name, "hello")

    assert status == 0
    assert "~0 ~1 ~2" in out
    assert "effects/transfer" in out + err


async def test_turns_can_be_listed_watched_and_cancelled_from_a_shell(
    suite: Suite, edge: Edge, agent: MakeAgent
):
    turn = await edge.start(await agent("n=3"))

    watched = await turnpike(suite, "turns", "watch", turn["id"])
    listed = await turnpike(suite, "turns", "list", "--json")
    cancelled = await turnpike(suite, "turns", "cancel", turn["id"])

    assert watched[0] == listed[0] == cancelled[0] == 0
    assert "~0 ~1 ~2" in watched[1]
    assert turn["id"] in listed[1]
    assert "COMPLETED" in cancelled[1]


async def test_doctor_finds_nothing_wrong_with_a_running_suite(suite: Suite):
    said = (1, "", "")

    async def all_is_well() -> bool:
        nonlocal said
        said = await turnpike(suite, "doctor")
        return said[0] == 0

    with suppress(TimeoutError):
        # It gives each process two seconds to answer.
        await until_it(all_is_well)
    assert said[0] == 0, said


async def test_embeddings_are_vectors_of_one_length(edge: Edge):
    made = await edge.call("POST", "/embeddings", {"input": ["a", "quite another text"]})

    assert [len(vector) for vector in made["embeddings"]] == [made["dimensions"]] * 2
