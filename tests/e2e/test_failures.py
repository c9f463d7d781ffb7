"""Providers and MCP servers that fail: the turn says so, and nothing is left running."""

from typing import Any

import httpx
import pytest

from tests.doubles.effects_journal import Journal
from tests.doubles.processes import Double, running
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite, until, until_it


def words(count: int, mark: str = "~") -> str:
    return "".join(f"{mark}{index} " for index in range(count))


@pytest.mark.parametrize("script", ["n=5+429=2+retry=1", "n=5+500=2+retry=none"])
async def test_a_refusal_before_the_first_event_is_tried_again(
    edge: Edge, agent: MakeAgent, script: str
):
    fold = await edge.run(await agent(script))

    assert (fold.status, fold.answer) == ("COMPLETED", words(5))
    assert fold.of("model.retrying")


@pytest.mark.parametrize("fault", ["die", "garbage", "529"])
async def test_a_stream_that_breaks_is_superseded_not_repeated(
    edge: Edge, agent: MakeAgent, fault: str
):
    fold = await edge.run(await agent(f"n=12+us=1000+{fault}=6+once=1+vary=1"))

    turn = await edge.turn(fold.log[0].fields["turn"])
    assert (fold.status, fold.answer) == ("COMPLETED", words(12, "~x"))
    assert turn["text"] == fold.answer
    assert fold.of("log.reset")


async def test_a_provider_that_breaks_every_stream_fails_the_turn(edge: Edge, agent: MakeAgent):
    fold = await edge.run(await agent("n=12+garbage=3"))

    assert fold.status == "FAILED"
    assert fold.log[-1].fields["error"]["reason"].startswith("PROVIDER_")


async def test_a_provider_that_hangs_can_be_cancelled(edge: Edge, agent: MakeAgent, model: Double):
    turn = await edge.start(await agent("n=12+us=1000+hang=6"))
    await edge.read(turn["id"], until=4)

    await edge.call("POST", f"/turns/{turn['id']}:cancel")

    assert (await edge.read(turn["id"])).status == "CANCELLED"
    await until_it(lambda: no_open_streams(model))


async def no_open_streams(model: Double) -> bool:
    async with httpx.AsyncClient() as client:
        stats: dict[str, Any] = (await client.get(f"{model.origin}/stats")).json()
    return stats["open_streams"] == 0


async def test_a_model_that_listens_nowhere_fails_the_turn(edge: Edge, agent: MakeAgent):
    name = await agent("n=1")
    model = {"name": name, "model": "n=1", "base_url": "http://127.0.0.1:9/v1"}
    await edge.call("PUT", f"/models/{name}", model | {"provider": "openai", "api_key": "x"})

    turn = await edge.start(name)
    await edge.call("POST", f"/turns/{turn['id']}:cancel")

    assert (await edge.read(turn["id"])).status in ("CANCELLED", "FAILED")


async def test_a_tool_s_own_error_reaches_the_model(edge: Edge, agent: MakeAgent):
    script = 'n=2+tool=effects__fail+arg={"message":"no funds"}'

    fold = await edge.run(await agent(script, tools=["effects/*"]))

    assert fold.status == "COMPLETED"
    assert fold.calls[0]["outcome"] == "ERROR"
    assert "no funds" in str(fold.calls[0]["result"])


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("n=2+tool=effects__no_such_tool", id="an unknown tool"),
        pytest.param("n=2+tool=nowhere__transfer", id="an unknown connector"),
        pytest.param("n=2+tool=effects__transfer+arg={not json", id="arguments that are no JSON"),
        pytest.param("n=2+tool=effects__transfer+arg=[1]", id="arguments that are no object"),
        pytest.param('n=2+tool=effects__transfer+arg={"tag":7}', id="arguments of a wrong type"),
    ],
)
async def test_a_call_that_cannot_be_made_is_told_to_the_model(
    edge: Edge, agent: MakeAgent, script: str
):
    fold = await edge.run(await agent(script, tools=["effects/*"]))

    assert fold.status == "COMPLETED"
    assert [call["outcome"] for call in fold.calls] == ["ERROR"]


async def test_a_denied_tool_never_runs(edge: Edge, agent: MakeAgent, journal: Journal, tag: str):
    script = f'n=2+tool=effects__transfer+arg={{"tag":"{tag}"}}'
    policy = {"deny": ["*/transfer"]}

    fold = await edge.run(await agent(script, tools=["effects/*"], policy=policy))

    assert [call["outcome"] for call in fold.calls] == ["DENIED"]
    assert journal.effects(tag) == 0


async def test_a_server_that_dies_in_a_call_leaves_a_person_to_say_what_became_of_it(
    edge: Edge, agent: MakeAgent, tmp_path: Any, tag: str
):
    with running("effects_server", "--journal", str(tmp_path / "journal")) as double:
        connector = {"name": tag, "transport": "http", "url": double.url}
        await edge.call("PUT", f"/connectors/{tag}", connector)
        turn = await edge.start(await agent(f"n=2+tool={tag}__die", tools=[f"{tag}/*"]))

        async def waits() -> bool:
            return (await edge.turn(turn["id"]))["waiting_for"] == "approval"

        await until_it(waits)

    (approval,) = (await edge.call("GET", f"/approvals?thread={turn['thread']}"))["approvals"]
    assert approval["status"] == "PENDING" and approval["may_decide"]
    assert approval["calls"][0]["allowed"] == ["verify", "done", "not_done", "run_again"]
    said = {"call_id": "call_1_0", "kind": "not_done", "text": "it died before"}
    decided = await edge.call("POST", f"/approvals/{approval['id']}:decide", {"decisions": [said]})
    fold = await edge.read(turn["id"])

    assert (decided["status"], fold.status) == ("DECIDED", "COMPLETED")
    assert fold.calls[0]["outcome"] == "ERROR"


async def test_a_server_that_hangs_in_a_call_can_be_cancelled(
    edge: Edge, agent: MakeAgent, journal: Journal
):
    turn = await edge.start(await agent("n=2+tool=effects__hang", tools=["effects/*"]))
    await until(lambda: any(e.tool == "hang" for e in journal.entries("tools/call")))

    await edge.call("POST", f"/turns/{turn['id']}:cancel")

    assert (await edge.read(turn["id"])).status == "CANCELLED"


async def test_a_tool_whose_schema_lies_is_not_shown(
    edge: Edge, agent: MakeAgent, tmp_path: Any, tag: str
):
    arguments = ("--journal", str(tmp_path / "journal"), "--lie", "schema")
    with running("effects_server", *arguments) as double:
        connector = {"name": tag, "transport": "http", "url": double.url}
        await edge.call("PUT", f"/connectors/{tag}", connector)
        shown = (await edge.call("GET", "/tools"))["tools"]

    states = {tool["name"]: tool["state"] for tool in shown if tool["name"].startswith(f"{tag}/")}
    assert states[f"{tag}/transfer"] == "OK"
    assert states.get(f"{tag}/liar") != "OK"


async def test_nothing_is_left_running(edge: Edge, suite: Suite):
    async def idle() -> bool:
        running_ones = await edge.call("GET", "/turns?status=RUNNING")
        return not running_ones["turns"]

    await until_it(idle, within=30)
