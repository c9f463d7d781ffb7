"""Sources through the whole suite: a real server, a set-up file, the command line, REST."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.edge import Edge, RefusedError
from tests.e2e.suite import Suite
from tests.e2e.test_setup import turnpike
from tests.waiting import until

TEMPLATE = "demo://resource/dynamic/text/7"


async def test_a_real_server_feeds_a_collection(suite: Suite, edge: Edge, tag: str, tmp_path: Path):
    async def sources(*words: str) -> list[dict[str, Any]]:
        status, out, err = await turnpike(suite, "docs", "sources", *words, "--json")
        assert status == 0, err
        return [json.loads(line) for line in out.splitlines()]

    spec = {
        "collection": tag,
        "connector": "everything",
        "include": ["demo://resource/static/document/*"],
        "uris": [TEMPLATE],
        "paused": True,
    }
    file = tmp_path / "source.yaml"
    source = {"kind": "Source", "name": tag, "spec": spec}
    collection = {"kind": "Collection", "name": tag, "spec": {"language": "english"}}
    file.write_text(yaml.safe_dump_all([source, collection]))
    for told in ("created", "unchanged"):
        status, out, err = await turnpike(suite, "apply", "-f", str(file))
        assert status == 0, err
        assert out.splitlines() == [f"Collection {tag}: {told}", f"Source {tag}: {told}"]

    (run,) = await sources("run", tag)

    assert (run["state"], run["failed"], run["skipped"]) == ("SUCCEEDED", 0, 0)
    assert run["added"] == run["listed"] > 5
    items = (await edge.call("GET", f"/sources/{tag}/items?state=OK&page_size=500"))["items"]
    assert {each["uri"] for each in items} >= {TEMPLATE}
    documents = (await edge.call("GET", f"/collections/{tag}/documents"))["documents"]
    assert {each["path"] for each in documents} == {each["path"] for each in items}
    read = await edge.call("GET", f"/collections/{tag}/documents/{items[0]['document']}:read")
    assert read["text"]
    # The template's text tells the time, to the second: it is another in the next one.
    ended = datetime.fromisoformat(run["ended"]).timestamp()
    await until(lambda: int(time.time()) > ended)
    await edge.call("POST", f"/sources/{tag}:run", {})

    async def has_run_again() -> bool:
        newest = (await edge.call("GET", f"/sources/{tag}"))["last_run"]
        return newest["id"] > run["id"] and newest["ended"] is not None

    await until(has_run_again, seconds=60, every=0.2)
    again, first = (await edge.call("GET", f"/sources/{tag}/runs"))["runs"]
    assert (again["changed"], again["unchanged"]) == (1, run["added"] - 1)
    assert first == run

    found = await edge.call("GET", f"/sources/{tag}")
    assert (found["folder"], found["next_run"]) == (f"/{tag}", None)
    with pytest.raises(RefusedError) as unknown:
        await edge.call("PUT", f"/sources/{tag}", {**spec, "interval_seconds": 1})
    assert unknown.value.problem["errors"][0]["field"] == "interval_seconds"
    await edge.call("DELETE", f"/sources/{tag}")
    with pytest.raises(RefusedError) as gone:
        await edge.call("GET", f"/sources/{tag}")
    assert gone.value.reason == "NOT_FOUND"
