"""Images and files that other vendors' clients tell agents."""

import base64
import hashlib
import json
from typing import Any

import pytest

from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
DATA = base64.b64encode(PNG).decode()
URL = f"data:image/png;base64,{DATA}"
TEXT = base64.b64encode(b"It is raining.").decode()
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"


def body(path: str, agent: str, content: list[Any]) -> dict[str, Any]:
    """Returns a request that says something to an agent, in a vendor's form."""
    said = [{"role": "user", "content": content}]
    if path == RESPONSES:
        return {"model": f"agent/{agent}", "input": said}
    more = {"max_tokens": 99} if path == MESSAGES else {}
    return {"model": f"agent/{agent}", "messages": said, **more}


@pytest.mark.parametrize(
    ("path", "part"),
    [
        (CHAT, {"type": "image_url", "image_url": {"url": URL}}),
        (CHAT, {"type": "file", "file": {"file_id": "FILE"}}),
        (RESPONSES, {"type": "input_image", "image_url": URL}),
        (RESPONSES, {"type": "input_image", "file_id": "FILE"}),
        (
            MESSAGES,
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": DATA},
            },
        ),
        (MESSAGES, {"type": "image", "source": {"type": "file", "file_id": "FILE"}}),
    ],
    ids=["chat", "chat-file", "responses", "responses-file", "messages", "messages-file"],
)
async def test_an_agent_is_told_an_image_and_keeps_to_it(
    edge: Edge, agent: MakeAgent, path: str, part: dict[str, Any]
):
    name = await agent("n=1")
    file = (await edge.http.post("/api/v1/files", params={"name": "a.png"}, content=PNG)).json()
    given = json.loads(json.dumps(part).replace("FILE", file["id"]))
    said = body(path, name, [{"type": "text", "text": "look"}, given])

    first = await edge.http.post(path, json=said, headers={"idempotency-key": file["id"]})
    again = await edge.http.post(path, json=said, headers={"idempotency-key": file["id"]})

    assert (first.status_code, again.status_code) == (200, 200), first.text + again.text
    turn = first.headers["x-turnpike-turn"]
    assert again.headers["x-turnpike-turn"] == turn
    thread = first.headers["x-turnpike-thread"]
    asked = (await edge.call("GET", f"/threads/{thread}/messages"))["messages"][0]
    text, image = asked["parts"]
    assert text["text"] == "look"
    assert (image["type"], image["sha256"]) == ("image", hashlib.sha256(PNG).hexdigest())


async def test_an_agent_is_told_a_text_file(edge: Edge, agent: MakeAgent):
    name = await agent("n=1")
    file = {"filename": "C:\\notes.txt", "file_data": f"data:text/plain;base64,{TEXT}"}
    said = body(RESPONSES, name, [{"type": "input_file", **file}])

    answer = await edge.http.post(RESPONSES, json=said)

    assert answer.status_code == 200, answer.text
    thread = answer.headers["x-turnpike-thread"]
    (asked, _) = (await edge.call("GET", f"/threads/{thread}/messages"))["messages"]
    (part,) = asked["parts"]
    assert (part["type"], part["name"], part["media_type"]) == ("file", "notes.txt", "text/plain")


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}, "data:"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,abc"}}, "base64"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,??"}}, "base64"),
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{TEXT}"}}, "not image"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}, "at least one"),
        ({"type": "image_url", "image_url": {"url": f"data:text/plain;base64,{TEXT}"}}, "no image"),
        ({"type": "file", "file": {"file_id": "none"}}, "there is no file"),
        ({"type": "input_audio", "input_audio": {"data": DATA}}, "is told text"),
        ({"type": "image_url", "image_url": [1]}, ""),
    ],
    ids=["remote", "plain", "broken", "text", "empty", "no-image", "nobody's", "audio", "list"],
)
async def test_what_no_agent_is_told_is_refused_by_its_place(
    edge: Edge, agent: MakeAgent, part: dict[str, Any], told: str
):
    name = await agent("n=1")

    said = body(CHAT, name, [{"type": "text", "text": "look"}, part])
    answer = await edge.http.post(CHAT, json=said)

    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["param"].startswith("messages[0].content[1]"), error
    assert told in error["message"]
