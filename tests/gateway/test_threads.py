"""Threads and turns: each route is one rpc, translated both ways."""

import httpx

from tests.gateway.upstream import CREATED, MEMBER_KEY, TIME, Upstream, texts
from turnpike.api.agent_runtime.v1 import thread_service_pb2 as threads


async def test_a_thread_is_made_patched_read_and_deleted(
    upstream: Upstream, client: httpx.AsyncClient
):
    thread = {"id": "t", "title": "Plans", "create_time": TIME, "update_time": TIME}
    message = {"id": "m", "role": "user", "parts": [{"text": "hi"}], "turn": "u"}
    upstream.other.answers.update(
        CreateThread=threads.CreateThreadResponse(thread=thread),
        UpdateThread=threads.UpdateThreadResponse(thread=thread),
        DeleteThread=threads.DeleteThreadResponse(),
        ListMessages=threads.ListMessagesResponse(messages=[{**message, "create_time": TIME}]),
    )

    made = await client.post("/api/v1/threads", json={"title": "Plans"})
    await client.patch("/api/v1/threads/t", json={"title": ""})
    await client.patch("/api/v1/threads/t", json={"metadata": {}})
    deleted = await client.delete("/api/v1/threads/t")
    messages = await client.get("/api/v1/threads/t/messages")

    assert made.status_code == 201
    assert made.json() == {
        "id": "t",
        "title": "Plans",
        "metadata": {},
        "temporary": False,
        "created": CREATED,
        "updated": CREATED,
    }
    _, retitled, cleared, _, _ = upstream.other.requests
    assert retitled.HasField("title") and not retitled.replace_metadata
    assert not cleared.HasField("title") and cleared.replace_metadata
    assert deleted.status_code == 204
    assert messages.json()["messages"] == [
        {
            "id": "m",
            "role": "user",
            "parts": [{"type": "text", "text": "hi"}],
            "turn": "u",
            "unfinished": False,
            "created": CREATED,
        }
    ]


async def test_only_an_admin_sees_who_runs_a_turn(upstream: Upstream, client: httpx.AsyncClient):
    body = {"agent": {"model": "gpt"}, "input": [{"type": "text", "text": "hi"}]}
    turn = (await client.post("/api/v1/threads/t/turns", json=body)).json()
    client.headers["authorization"] = f"Bearer {MEMBER_KEY}"
    mine = (await client.post("/api/v1/threads/t/turns", json=body)).json()

    assert (turn["owner"], turn["fence"]) == ("agent-runtime-1", 1)
    assert not mine.keys() & {"owner", "fence"}
    assert mine["status"] == "RUNNING" and mine["waiting_for"] is None
    assert mine["calls"] == [] and mine["approval"] is None and mine["finished"] is None
    assert upstream.runtime.starts[0].inline_agent.model == "gpt"


async def test_turns_are_listed_by_status_and_cancelled(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.runtime.script = list(texts("a"))
    body = {"agent": "helper", "input": "hi"}
    turn = (await client.post("/api/v1/threads/t/turns", json=body)).json()["id"]

    running = await client.get("/api/v1/turns?status=QUEUED,RUNNING")
    failed = await client.get("/api/v1/turns?status=FAILED&status=EXPIRED")
    of_thread = await client.get("/api/v1/threads/t/turns")
    cancelled = await client.post(f"/api/v1/turns/{turn}:cancel")
    again = await client.post(f"/api/v1/turns/{turn}:cancel", json={})
    unknown = await client.post("/api/v1/turns/nobody:cancel")

    assert [t["id"] for t in running.json()["turns"]] == [turn]
    assert failed.json() == {"turns": [], "next_page_token": ""}
    assert of_thread.status_code == 200
    assert cancelled.status_code == again.status_code == 200
    assert (unknown.status_code, unknown.json()["metadata"]["kind"]) == (404, "turn")
