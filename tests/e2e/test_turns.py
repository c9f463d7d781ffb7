"""What a caller of the edge may rely on about turns."""

import asyncio
from typing import Any

import pytest

from tests.doubles.effects_journal import Journal
from tests.doubles.processes import Double
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge, RefusedError
from tests.e2e.folding import Event, Fold
from tests.e2e.suite import until, until_it


def words(count: int) -> str:
    return "".join(f"~{index} " for index in range(count))


async def stored_answer(edge: Edge, thread: str) -> str:
    answer = (await edge.messages(thread))[-1]
    assert answer["role"] == "assistant"
    return "".join(part.get("text", "") for part in answer["parts"] if part["type"] == "text")


async def test_a_turn_streams_its_answer_and_stores_it(edge: Edge, agent: MakeAgent):
    fold = await edge.run(await agent("n=30+think=3"), "hello")

    started = fold.log[0].fields
    turn = await edge.turn(started["turn"])
    assert started["type"] == "turn.started"
    assert (fold.status, fold.answer) == ("COMPLETED", words(30))
    assert turn["text"] == fold.answer
    assert turn["seq"] == fold.last
    assert await stored_answer(edge, started["thread"]) == fold.answer
    assert turn["usage"]["output_tokens"] == 30


async def test_the_default_agent_says_that_it_is_scripted(edge: Edge):
    fold = await edge.run("default", "hello")

    assert fold.status == "COMPLETED"
    assert "script" in fold.answer.lower()


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("everything__echo", '{"message":"a real tool"}', "a real tool"),
        ("everything-stdio__echo", '{"message":"a real tool"}', "a real tool"),
        ("clock__get_current_time", '{"timezone":"UTC"}', "UTC"),
        ("effects-stdio__peek", '{"tag":"none"}', "0"),
    ],
)
async def test_a_real_tool_runs_and_its_result_reaches_the_model(
    edge: Edge, agent: MakeAgent, tool: str, arguments: str, expected: str
):
    pattern = tool.replace("__", "/")
    name = await agent(f"n=3+tool={tool}+arg={arguments}".replace("/", "%2F"), tools=[pattern])

    fold = await edge.run(name)

    assert fold.status == "COMPLETED"
    (call,) = fold.calls
    assert (call["name"], call["outcome"]) == (pattern, "OK")
    assert expected in str(call["result"])
    assert fold.answer == words(3)


async def test_parallel_calls_run_once_each_with_the_arguments_verbatim(
    edge: Edge, agent: MakeAgent, journal: Journal, tag: str
):
    script = f'n=2+tool=effects__transfer+calls=3+arg={{"tag": "{tag}",  "seconds": 0.1}}'

    fold = await edge.run(await agent(script, tools=["effects/*"]))

    assert [call["outcome"] for call in fold.calls] == ["OK"] * 3
    assert journal.effects(tag) == 3


async def test_the_same_request_starts_one_turn(edge: Edge, agent: MakeAgent, tag: str):
    name = await agent("n=20+us=2000")
    thread = (await edge.call("POST", "/threads", {}))["id"]

    turns = await asyncio.gather(*(edge.start_in(thread, name, "pay", key=tag) for _ in range(20)))

    assert len({turn["id"] for turn in turns}) == 1


async def test_a_request_key_may_not_be_used_for_another_payload(
    edge: Edge, agent: MakeAgent, tag: str
):
    name = await agent("n=2")
    thread = (await edge.call("POST", "/threads", {}))["id"]
    first = await edge.start_in(thread, name, "pay", key=tag)

    with pytest.raises(RefusedError) as refusal:
        await edge.start_in(thread, name, "pay more", key=tag)

    assert (refusal.value.status, refusal.value.reason) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert refusal.value.problem["metadata"]["turn"] == first["id"]


async def test_a_busy_thread_rejects_or_enqueues_as_told(edge: Edge, agent: MakeAgent):
    slow, quick = await agent("n=2000+us=20000"), await agent("n=20")
    first = await edge.start(slow)

    with pytest.raises(RefusedError) as refusal:
        await edge.start_in(first["thread"], quick)
    queued = await edge.start_in(first["thread"], quick, on_busy="enqueue")
    await edge.call("POST", f"/turns/{first['id']}:cancel")

    assert (refusal.value.status, refusal.value.reason) == (409, "THREAD_BUSY")
    assert queued["status"] == "QUEUED"
    assert (await edge.read(queued["id"])).status == "COMPLETED"
    assert (await edge.turn(first["id"]))["status"] == "CANCELLED"


async def test_a_turn_that_is_cancelled_in_the_queue_leaves_its_thread_to_the_others(
    edge: Edge, agent: MakeAgent
):
    slow = await agent("n=2000+us=20000")
    first = await edge.start(slow)
    thread = first["thread"]
    second, third = [await edge.start_in(thread, slow, on_busy="enqueue") for _ in range(2)]

    async with asyncio.timeout(15):
        cancelled = await edge.call("POST", f"/turns/{third['id']}:cancel")

    assert cancelled["status"] == "CANCELLED"
    assert [(await edge.turn(turn["id"]))["status"] for turn in (first, second)] == [
        "RUNNING",
        "QUEUED",
    ]
    await edge.call("POST", f"/turns/{first['id']}:cancel")
    assert (await edge.read(second["id"], until=3)).answer.startswith("~0")
    await edge.call("POST", f"/turns/{second['id']}:cancel")


async def test_a_reader_goes_on_from_every_cut_point(edge: Edge, agent: MakeAgent, tag: str):
    script = f'n=12+us=1000+tool=effects__peek+arg={{"tag":"{tag}"}}'
    turn = await edge.start(await agent(script, tools=["effects/*"]))
    whole = await edge.read(turn["id"])

    for cut in range(whole.last):
        rest = await edge.read(turn["id"], after=cut)
        assert [event.seq for event in rest.log] == list(range(cut + 1, whole.last + 1))
        assert [event.fields for event in rest.log] == [event.fields for event in whole.log[cut:]]


async def test_a_reader_who_reconnects_all_the_time_misses_nothing(edge: Edge, agent: MakeAgent):
    turn = await edge.start(await agent("n=200+us=3000"))
    fold = Fold()

    while not fold.finished:
        headers = {"last_event_id": str(fold.last)}
        async with edge.stream("GET", f"/turns/{turn['id']}/events", **headers) as stream:
            taken = 0
            async for event in stream.events():
                fold.take(event)
                taken += 1
                if taken == 7:
                    break

    assert fold.answer == words(200)
    assert (await edge.turn(turn["id"]))["text"] == fold.answer


async def test_nothing_left_is_204_and_beyond_the_end_is_out_of_range(edge: Edge, agent: MakeAgent):
    turn = await edge.start(await agent("n=2"))
    last = (await edge.read(turn["id"])).last

    done = await edge.http.get(f"/api/v1/turns/{turn['id']}/events?after={last}")
    with pytest.raises(RefusedError) as refusal:
        await edge.read(turn["id"], after=last + 1)

    assert done.status_code == 204
    assert (refusal.value.status, refusal.value.reason) == (400, "OUT_OF_RANGE")
    assert refusal.value.problem["metadata"]["last"] == str(last)


async def test_a_turn_is_folded_while_it_runs_and_can_be_followed_from_there(
    edge: Edge, agent: MakeAgent
):
    turn = await edge.start(await agent("n=2000+us=20000"))
    await edge.read(turn["id"], until=10)

    now = await edge.turn(turn["id"])
    cancelled = await edge.call("POST", f"/turns/{turn['id']}:cancel")
    rest = await edge.read(turn["id"], after=now["seq"])

    assert now["status"] == "RUNNING"
    # The step began before `seq`, so its events are only text here.
    tail = "".join(event.fields["text"] for event in rest.log if event.type == "text.delta")
    assert now["text"] + tail == cancelled["text"] != ""


async def test_cancelling_closes_the_provider_s_call_and_keeps_the_partial_answer(
    edge: Edge, agent: MakeAgent
):
    turn = await edge.start(await agent("n=4000+us=10000"))
    await edge.read(turn["id"], until=10)

    cancelled = await edge.call("POST", f"/turns/{turn['id']}:cancel")
    again = await edge.call("POST", f"/turns/{turn['id']}:cancel")

    fold = await edge.read(turn["id"])
    answer = (await edge.messages(turn["thread"]))[-1]
    assert cancelled["status"] == again["status"] == fold.status == "CANCELLED"
    assert answer["unfinished"] is True
    assert await stored_answer(edge, turn["thread"]) == fold.answer == cancelled["text"]
    assert words(4000).startswith(fold.answer)


async def test_the_provider_s_call_is_closed_while_it_speaks(
    edge: Edge, agent: MakeAgent, model: Double
):
    script = "n=3000+us=10000"
    name = await agent(script)
    for number in range(1, 6):
        turn = await edge.start(name)
        await edge.read(turn["id"], until=4)
        await edge.call("POST", f"/turns/{turn['id']}:cancel")

        async def is_closed(number: int = number) -> bool:
            return len(await closes(edge, model, script)) == number

        await until_it(is_closed, within=15)


async def closes(edge: Edge, model: Double, script: str) -> list[dict[str, Any]]:
    stats = (await edge.http.get(f"{model.origin}/stats")).json()
    return [close for close in stats["closed_early"] if close["model"] == script]


async def test_a_cancelled_tool_call_is_closed_and_the_thread_goes_on(
    edge: Edge, agent: MakeAgent, journal: Journal, tag: str
):
    script = f'tool=effects__transfer+arg={{"tag":"{tag}","seconds":30}}'
    turn = await edge.start(await agent(script, tools=["effects/*"]))
    await until(lambda: journal.effects(tag) == 1)

    await edge.call("POST", f"/turns/{turn['id']}:cancel")
    fold = await edge.read(turn["id"])
    after = await edge.start_in(turn["thread"], await agent("n=4"))

    assert [call["outcome"] for call in fold.calls] == ["CANCELLED"]
    assert (await edge.read(after["id"])).status == "COMPLETED"
    assert journal.effects(tag) == 1


async def test_an_inline_agent_becomes_an_immutable_version(
    edge: Edge, agent: MakeAgent, models_log: Any
):
    model_name = await agent("n=3")
    spec = {"model": model_name, "instructions": "Be brief. {{time_zone}}"}

    first = await edge.start(spec, time_zone="Europe/Berlin")
    second = await edge.start(spec)

    await edge.read(first["id"])
    assert first["agent_version"] == second["agent_version"]
    assert (await edge.read(second["id"])).answer == words(3)


async def test_turns_can_be_found_again_without_their_ids(edge: Edge, agent: MakeAgent):
    name = await agent("n=2")
    turn = await edge.start(name, metadata={"ticket": "7"})
    await edge.read(turn["id"])

    listed = await edge.call("GET", f"/turns?agent={name}&status=COMPLETED")

    assert [(found["id"], found["status"]) for found in listed["turns"]] == [
        (turn["id"], "COMPLETED")
    ]


async def test_deleting_a_thread_leaves_the_others_whole(edge: Edge, agent: MakeAgent):
    name = await agent("n=2")
    doomed, kept = await edge.start(name), await edge.start(name)
    await edge.read(doomed["id"])
    await edge.read(kept["id"])

    await edge.call("DELETE", f"/threads/{doomed['thread']}")

    with pytest.raises(RefusedError) as refusal:
        await edge.turn(doomed["id"])
    assert refusal.value.status == 404
    assert len(await edge.messages(kept["thread"])) == 2


async def test_the_first_frames_say_how_to_reconnect(edge: Edge, agent: MakeAgent):
    seen: list[Event] = []
    body = {"agent": await agent("n=1"), "input": "hello"}
    async with edge.stream("POST", "/turns:run", body) as stream:
        kind = stream.response.headers["content-type"]
        async for event in stream.events():
            seen.append(event)

    assert kind.startswith("text/event-stream")
    assert [event.type for event in seen] == [event.fields["type"] for event in seen]
    assert seen[0].type == "turn.started"
    assert seen[-1].type == "turn.finished"
