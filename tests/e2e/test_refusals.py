"""Bad input: the right code, a reason, and nothing started."""

import json
from typing import Any

import pytest

from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge, RefusedError

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"/turns/{NOWHERE}", None),
        ("GET", f"/turns/{NOWHERE}/events", None),
        ("POST", f"/turns/{NOWHERE}:cancel", None),
        ("POST", f"/turns/{NOWHERE}:token", None),
        ("GET", f"/threads/{NOWHERE}", None),
        ("GET", f"/threads/{NOWHERE}/messages", None),
        ("DELETE", f"/threads/{NOWHERE}", None),
        ("POST", f"/threads/{NOWHERE}/turns", {"agent": "default", "input": "hello"}),
        ("GET", "/turns/not-an-id", None),
        ("GET", "/agents/nobody", None),
        ("GET", "/models/nothing", None),
        ("DELETE", "/connectors/nowhere", None),
        ("GET", "/no/such/route", None),
    ],
)
async def test_what_is_not_there_is_not_found(edge: Edge, method: str, path: str, body: Any):
    with pytest.raises(RefusedError) as refusal:
        await edge.call(method, path, body)

    assert (refusal.value.status, refusal.value.reason) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({"input": "hello"}, "agent", id="no agent"),
        pytest.param({"agent": "default"}, "input", id="no input"),
        pytest.param({"agent": "default", "input": ""}, "input", id="empty input"),
        pytest.param({"agent": "default", "input": 7}, "input", id="a number for text"),
        pytest.param({"agent": ["default"], "input": "x"}, "agent", id="a list for a name"),
        pytest.param({"agent": "NOT A NAME", "input": "x"}, "agent", id="no name"),
        pytest.param({"agent": "default", "input": "x", "on_busy": "queue"}, "on_busy", id="enum"),
        pytest.param({"agent": "default", "input": "x", "color": 1}, "color", id="unknown field"),
        pytest.param(
            {"agent": "default", "input": "x", "time_zone": "Mars/One"},
            "time_zone",
            id="no time zone",
        ),
        pytest.param(
            {"agent": "default", "input": "x", "metadata": {"a": 1}},
            "metadata",
            id="metadata that is no text",
        ),
        pytest.param(
            {"agent": "default", "input": [{"type": "image", "url": "x"}]},
            "input",
            id="a part that is no text",
        ),
        pytest.param(
            {"agent": {"model": "no-such-model"}, "input": "x"},
            "model",
            id="inline agent on an unknown model",
        ),
    ],
)
async def test_a_wrong_field_is_named(edge: Edge, body: dict[str, Any], field: str):
    before = (await edge.call("GET", "/turns?page_size=1"))["turns"]

    with pytest.raises(RefusedError) as refusal:
        await edge.call("POST", "/turns:run", body)

    assert (refusal.value.status, refusal.value.reason) == (400, "INVALID_ARGUMENT")
    assert any(field in error["field"] for error in refusal.value.problem["errors"])
    assert (await edge.call("GET", "/turns?page_size=1"))["turns"] == before


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"agent": "default", "input": "\\ud800"}'],
)
async def test_what_is_no_json_object_is_refused(edge: Edge, content: bytes):
    headers = {"content-type": "application/json"}

    response = await edge.http.post("/api/v1/turns:run", content=content, headers=headers)

    assert response.status_code == 400
    assert response.json()["reason"] == "INVALID_ARGUMENT"


async def test_a_body_of_another_type_is_refused(edge: Edge):
    response = await edge.http.post(
        "/api/v1/turns:run", content=b"agent=default", headers={"content-type": "text/plain"}
    )

    assert response.status_code == 415


async def test_an_oversized_body_is_refused(edge: Edge):
    content = json.dumps({"agent": "default", "input": "x" * 20_000_000}).encode()

    response = await edge.http.post(
        "/api/v1/turns:run", content=content, headers={"content-type": "application/json"}
    )

    assert response.status_code == 413


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=99999999999999999999"])
async def test_a_cursor_that_is_no_number_of_an_event_is_refused(
    edge: Edge, agent: MakeAgent, query: str
):
    turn = await edge.start(await agent("n=1"))
    await edge.read(turn["id"])

    response = await edge.http.get(f"/api/v1/turns/{turn['id']}/events?{query}")

    assert response.status_code == 400


async def test_an_unknown_agent_starts_nothing(edge: Edge):
    with pytest.raises(RefusedError) as refusal:
        await edge.call("POST", "/turns:run", {"agent": "nobody", "input": "hello"})

    assert refusal.value.status == 404


async def test_a_problem_names_the_trace(edge: Edge):
    trace = "0af7651916cd43dd8448eb211c80319c"
    with pytest.raises(RefusedError) as refusal:
        await edge.call("GET", f"/turns/{NOWHERE}", traceparent=f"00-{trace}-b7ad6b7169203331-01")

    assert refusal.value.problem["trace_id"] == trace
