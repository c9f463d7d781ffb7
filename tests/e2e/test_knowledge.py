"""Documents through the whole suite: REST, events of their indexing, the command line."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from docx import Document as Docx

from tests.e2e.edge import Edge, RefusedError
from tests.e2e.suite import Suite
from tests.e2e.test_setup import turnpike


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
