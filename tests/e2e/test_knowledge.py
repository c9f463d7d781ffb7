"""Documents through the whole suite: REST, events of their indexing, the command line."""

import base64
import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from docx import Document as Docx

from tests.doubles.processes import Double
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge, RefusedError
from tests.e2e.folding import Fold
from tests.e2e.suite import Suite
from tests.e2e.test_setup import turnpike
from tests.waiting import until


def docx(heading: str, text: str) -> str:
    """Returns a Word file in base64."""
    file = io.BytesIO()
    document = Docx()
    document.add_heading(heading, level=1)
    document.add_paragraph(text)
    document.save(file)
    return base64.b64encode(file.getvalue()).decode()


async def statuses(edge: Edge, path: str) -> list[dict[str, Any]]:
    """Returns how a document's indexing went, as an event source is told."""
    async with edge.http.stream("GET", f"/api/v1{path}:status") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in response.aiter_lines()]
    return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]


async def test_a_file_goes_in_is_read_edited_and_taken_back(edge: Edge, tag: str):
    base = f"/collections/{tag}"
    await edge.call("POST", "/collections", {"name": tag, "language": "english"})
    body = {"base64": docx("The lease", "It ends in June.")}

    made = await edge.call("PUT", f"{base}/documents/a/lease.docx", body)

    assert made["document"]["path"] == "/a/lease.docx"
    assert made["change"]["folders_made"] == ["/a"]
    assert (await statuses(edge, f"{base}/documents/a/lease.docx"))[-1]["state"] == "READY"
    read = await edge.call("GET", f"{base}/documents/a/lease.docx:read")
    assert read["text"] == "# The lease\n\nIt ends in June."
    asked = {"query": "when do I have to move out", "filter": {"collections": [tag]}}
    (found,) = (await edge.call("POST", "/search", asked))["results"]
    assert (found["path"], found["text"]) == ("/a/lease.docx", read["text"])
    assert (found["revision"], found["first_line"], found["dense_rank"]) == (1, 1, 1)
    original = await edge.http.get(f"/api/v1{base}/documents/a/lease.docx:original")
    assert base64.b64encode(original.content).decode() == body["base64"]

    note = f"{base}/documents/note.md"
    await edge.call("PUT", note, {"text": "one two"}, idempotency_key="k")
    edit = {"old_text": "two", "new_text": "three", "expected_revision": 1}
    edited = await edge.call("POST", f"{note}:edit", edit)
    with pytest.raises(RefusedError) as stale:
        await edge.call("POST", f"{note}:edit", edit)
    assert (stale.value.status, stale.value.reason) == (409, "REVISION_MISMATCH")
    diff = await edge.call("GET", f"{note}:diff")
    assert "-one two" in diff["diff"]
    taken_back = await edge.call(
        "POST", "/changes:revert", {"collection": tag, "change": edited["change"]["id"]}
    )
    assert [each["outcome"] for each in taken_back["reversals"]] == ["REVERTED"]
    assert (await edge.call("GET", f"{note}:read"))["text"] == "one two"
    history = await edge.call("GET", f"{note}:revisions")
    assert [(each["number"], each["version"]) for each in history["revisions"]] == [
        (3, 1),
        (2, 2),
        (1, 1),
    ]
    again = await edge.call("PUT", note, {"text": "one two"}, idempotency_key="k")
    assert again["change"]["id"] == history["revisions"][-1]["change"]["id"]


async def test_a_file_larger_than_any_message_goes_in_and_comes_back(
    edge: Edge, suite: Suite, tag: str, tmp_path: Path
):
    await edge.call("POST", "/collections", {"name": tag})
    content = bytes(range(256)) * (20 << 10)
    (tmp_path / "a b.bin").write_bytes(content)
    where = f"/api/v1/collections/{tag}/documents/a%20b.bin:original"

    status, _, err = await turnpike(suite, "docs", "put", tag, str(tmp_path), "--no-wait")
    assert status == 0, err
    assert (await edge.http.get(where)).content == content
    (tmp_path / "a.md").write_bytes(b"\xff")
    (tmp_path / "b.md").write_bytes(b"sound")
    status, out, err = await turnpike(suite, "docs", "put", tag, str(tmp_path), "--no-wait")
    assert (status, "/b.md" in out) == (1, True), "the others are none the worse for one"
    assert f"'{tmp_path}/a.md': body: is no UTF-8" in err
    assert "1 of 3 were not written" in err

    said = {"title": "Bytes", "metadata": '{"of": "mine"}', "expected_revision": "1"}
    made = await edge.http.put(where, params=said, content=content[:-1])
    assert made.status_code == 200, made.text
    assert made.json()["document"]["title"] == "Bytes"
    assert made.json()["document"]["metadata"] == {"of": "mine"}
    stale = await edge.http.put(where, params=said, content=content)
    assert (stale.status_code, stale.json()["reason"]) == (409, "REVISION_MISMATCH")
    for params, field in (({"sha256": "0" * 64}, "sha256"), ({"metadata": "[]"}, "metadata")):
        wrong = await edge.http.put(where, params=params, content=content)
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, field)
    text = where.replace("bin", "md")
    large = await edge.http.put(text, content=b"x" * ((10 << 20) + 1))
    assert (large.status_code, large.json()["reason"]) == (413, "DOCUMENT_TOO_LARGE")


async def test_the_command_line_puts_lists_moves_removes_and_reverts(
    suite: Suite, tag: str, tmp_path: Path
):
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    (tmp_path / "notes" / "one.md").write_text("# One\n\nThe first.\n")
    (tmp_path / "notes" / "deep" / "two.py").write_text("def two():\n    return 2\n")

    async def docs(*words: str) -> list[dict[str, Any]]:
        status, out, err = await turnpike(suite, "docs", *words, "--json")
        assert status == 0, err
        return [json.loads(line) for line in out.splitlines()]

    await docs("create", tag, "--language", "english")
    put = await docs("put", tag, str(tmp_path / "notes"), "--to", "/n")
    assert [each["document"]["path"] for each in put] == ["/n/deep/two.py", "/n/one.md"]
    assert {each["document"]["indexing"]["state"] for each in put} == {"READY"}
    best, *_ = await docs("search", "the first one", "--collection", tag)
    assert (best["path"], best["first_line"]) == ("/n/one.md", 1)
    assert await docs("search", "one", "--collection", tag, "--until", "2020-01-01") == []
    await docs("mv", tag, "/n/deep", "/m")
    (removed,) = await docs("rm", tag, "/n/one.md")
    assert [each["path"] for each in await docs("list", tag)] == ["/m/two.py"]
    (reversal,) = await docs("revert", tag, "--change", str(removed["id"]))
    assert reversal["outcome"] == "REVERTED"
    (text,) = await docs("get", tag, "/n/one.md")
    assert text["text"] == "# One\n\nThe first.\n"
    kinds = [each["kind"] for each in await docs("history", tag)]
    assert kinds == ["revert", "delete", "move", "put", "put"]
    status, _, err = await turnpike(suite, "docs", "migrate", "start", tag, "default")
    assert (status != 0, "is the collection's already" in err) == (True, True), err
    status, _, err = await turnpike(suite, "docs", "migrate", "status", tag)
    assert (status != 0, "there is no migration" in err) == (True, True), err


async def test_the_planner_model_summarizes_and_plans_and_is_billed_to_who_asks(
    stranger: Edge,
    model: Double,
    tag: str,
    models_log: Callable[[str], Awaitable[list[dict[str, Any]]]],
):
    note = f"/collections/{tag}/documents/a.md"
    await stranger.call("POST", "/collections", {"name": tag})
    await stranger.call("PUT", note, {"text": "The toll is due."})
    await statuses(stranger, note)
    with pytest.raises(RefusedError) as nobody:
        await stranger.call("POST", f"{note}:summarize", {})
    assert nobody.value.reason == "NO_PLANNER"
    planner = {"provider": "openai", "model": "n=3", "base_url": model.url, "role": "planner"}
    await stranger.call("PUT", "/models/planner", {**planner, "api_key": tag})

    made = await stranger.call("POST", f"{note}:summarize", {"words": 50})

    assert (len(made["summary"].split()), made["calls"]) == (3, 1)
    assert (await stranger.call("POST", f"{note}:summarize", {"words": 50}))["calls"] == 0
    # What this planner says is no plan.
    found = await stranger.call("POST", "/search", {"query": "toll", "plan": True})
    assert ([each["path"] for each in found["results"]], found["planned"]) == (["/a.md"], "")
    tool = await called(stranger, "search_knowledge", query="agent's toll", plan=True)
    assert [each["path"] for each in told(tool)["passages"]] == ["/a.md"]
    assert "planned" not in told(tool)

    async def is_asked() -> bool:
        # On a busy machine the planner may be late, and is not waited for.
        await called(stranger, "search_knowledge", query="agent's toll", plan=True)
        return any("agent's toll" in json.dumps(each["body"]) for each in await models_log("n=3"))

    await until(is_asked, 60, every=0.2)

    async def is_billed() -> bool:
        rows = (await stranger.call("GET", "/usage?by=model"))["rows"]
        return "planner" in json.dumps(rows)

    await until(is_billed, 60)


async def test_an_agent_that_has_its_search_planned_sees_what_was_searched(
    stranger: Edge, model: Double, tag: str
):
    note = f"/collections/{tag}/documents/a.md"
    await stranger.call("POST", "/collections", {"name": tag})
    await stranger.call("PUT", note, {"text": "The toll is due."})
    await statuses(stranger, note)
    plan = {"query": "what is owed for the bridge", "when": "since 2020-01-01", "recent": False}
    script = f"say={json.dumps(plan)}"
    planner = {"provider": "openai", "model": script, "base_url": model.url, "role": "planner"}
    await stranger.call("PUT", "/models/planner", {**planner, "api_key": tag})
    seen = dict[str, Any]()

    async def is_planned() -> bool:
        # On a busy machine the planner may be late, and is not waited for.
        seen.update(told(await called(stranger, "search_knowledge", query="toll", plan=True)))
        return "planned" in seen

    await until(is_planned, 60, every=0.2)
    assert [each["path"] for each in seen.pop("passages")] == ["/a.md"]
    assert seen == {"planned": plan["query"], "since": "2020-01-01", "until": ""}


async def called(edge: Edge, tool: str, **arguments: Any) -> dict[str, Any]:
    """Calls a tool of the built-in connector in a turn of its own; returns the turn."""
    path = f"/tools/knowledge/{tool}:call"
    return await edge.call("POST", path, {"arguments": arguments})


def told(turn: dict[str, Any]) -> dict[str, Any]:
    """Returns what the model would be told of the turn's one call."""
    (call,) = turn["calls"]
    return json.loads(call["result"][0]["text"])


@pytest.fixture
async def knowledge(edge: Edge, tag: str) -> str:
    """A collection; the connector to it comes by itself, once its tools are named."""
    await edge.call("POST", "/collections", {"name": tag, "language": "english"})
    return tag


async def test_agents_write_read_search_and_are_taken_back_by_their_turn(
    edge: Edge, knowledge: str
):
    tools = await edge.call("GET", "/tools?pattern=knowledge/*")
    assert {each["name"].partition("/")[2] for each in tools["tools"]} == {
        "search_knowledge",
        "list_documents",
        "read_document",
        "write_document",
        "edit_document",
        "move_document",
        "delete_document",
    }

    place = {"collection": knowledge, "path": "/a.md"}
    written = await called(edge, "write_document", **place, text="The kiln fires at noon.\n")

    receipt = told(written)
    assert receipt["committed"]
    assert receipt["documents"] == [{"path": "/a.md", "old_path": "", "revision": 1}]
    (change,) = (await edge.call("GET", f"/changes?turn={written['id']}"))["changes"]
    assert (change["id"], change["turn"]) == (receipt["change"], written["id"])

    await statuses(edge, f"/collections/{knowledge}/documents/a.md")
    found = told(await called(edge, "search_knowledge", query="kiln", collections=[knowledge]))
    assert [each["path"] for each in found["passages"]] == ["/a.md"]
    await called(edge, "edit_document", **place, old_text="noon", new_text="dusk")
    moved = await called(edge, "move_document", **place, new_path="/b/a.md")
    read = told(await called(edge, "read_document", collection=knowledge, path="/b/a.md"))
    assert (read["text"], read["revision"]) == ("The kiln fires at dusk.\n", 3)
    listed = told(await called(edge, "list_documents", collection=knowledge))
    assert [each["path"] for each in listed["documents"]] == ["/b/a.md"]

    reverted = await edge.call("POST", "/changes:revert", {"turn": moved["id"]})
    assert [each["outcome"] for each in reverted["reversals"]] == ["REVERTED"]
    assert (await edge.call("GET", f"/collections/{knowledge}/documents/a.md"))["path"] == "/a.md"


async def test_e12_what_cannot_be_committed_is_a_failed_call_and_nothing_is_claimed(
    edge: Edge, knowledge: str
):
    place = {"collection": knowledge, "path": "/a.md"}
    await called(edge, "write_document", **place, text="the agent's")
    await edge.call("PUT", f"/collections/{knowledge}/documents/a.md", {"text": "the person's"})

    stale = await called(
        edge, "write_document", **place, text="the agent's again", expected_revision=1
    )

    (call,) = stale["calls"]
    assert call["outcome"] == "ERROR"
    assert told(stale)["error"] == "REVISION_MISMATCH"
    assert told(stale)["revision"] == "2"
    assert (await edge.call("GET", f"/changes?turn={stale['id']}"))["changes"] == []
    read = await edge.call("GET", f"/collections/{knowledge}/documents/a.md:read")
    assert read["text"] == "the person's"


async def approved(edge: Edge, agent: MakeAgent, asks: str) -> Fold:
    """Runs a turn whose one call pauses for a person, approves that, and reads it to its end."""
    # The default policy: nobody allowed anything.
    turn = await edge.start(await agent(asks, tools=["knowledge/*"], policy={}))

    async def waits() -> bool:
        return (await edge.turn(turn["id"]))["waiting_for"] == "approval"

    await until(waits, seconds=60, every=0.1)
    (approval,) = (await edge.call("GET", f"/approvals?thread={turn['thread']}"))["approvals"]
    assert (await edge.call("GET", f"/changes?turn={turn['id']}"))["changes"] == []
    said = {"call_id": approval["calls"][0]["call_id"], "kind": "approve"}
    await edge.call("POST", f"/approvals/{approval['id']}:decide", {"decisions": [said]})
    return await edge.read(turn["id"])


async def test_a_write_waits_for_a_person_and_the_model_sees_the_receipt(
    edge: Edge, agent: MakeAgent, knowledge: str
):
    arguments = {"collection": knowledge, "path": "/a.md", "text": "The kiln fires at noon."}
    encoded = json.dumps(arguments).replace("+", "%2B").replace("/", "%2F")
    script = f"n=2+tool=knowledge__write_document+arg={encoded}"

    fold = await approved(edge, agent, script)

    assert fold.status == "COMPLETED"
    (call,) = fold.calls
    assert call["outcome"] == "OK"
    receipt = json.loads(call["result"][0]["text"])
    assert (receipt["committed"], receipt["documents"][0]["path"]) == (True, "/a.md")
    text = await edge.call("GET", f"/collections/{knowledge}/documents/a.md:read")
    assert text["text"] == "The kiln fires at noon."

    # Approved or not, what is not committed is an error that the model sees.
    arguments |= {"text": "An older reading.", "expected_revision": 7}
    encoded = json.dumps(arguments).replace("+", "%2B").replace("/", "%2F")
    stale = await approved(edge, agent, f"n=2+tool=knowledge__write_document+arg={encoded}")
    assert (stale.status, [each["outcome"] for each in stale.calls]) == ("COMPLETED", ["ERROR"])
    assert json.loads(stale.calls[0]["result"][0]["text"])["error"] == "REVISION_MISMATCH"
    text = await edge.call("GET", f"/collections/{knowledge}/documents/a.md:read")
    assert text["text"] == "The kiln fires at noon."
