"""Connectors and their tools, from the command line and from files."""

import json
from pathlib import Path
from typing import Any

import yaml

from tests.doubles.processes import Double
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite
from tests.e2e.test_setup import turnpike


async def test_a_connector_is_made_changed_and_switched_on_the_command_line(
    suite: Suite, edge: Edge, effects: Double, tag: str
):
    header = "x-one=kept-value"

    made = await turnpike(
        suite, "connectors", "create", tag, "--address", effects.url, "--header", header
    )
    off = await turnpike(suite, "connectors", "disable", tag)
    after_off = await edge.call("GET", f"/connectors/{tag}")
    on = await turnpike(suite, "connectors", "enable", tag, "--json")
    moved = await turnpike(
        suite, "connectors", "update", tag, "--address", f"{effects.url}?moved=1"
    )
    after = await edge.call("GET", f"/connectors/{tag}")
    both = await turnpike(suite, "connectors", "create", "x", "--address", "u", "--command", "c")
    deleted = await turnpike(suite, "connectors", "delete", tag)

    assert [each[0] for each in (made, off, on, moved, both, deleted)] == [0, 0, 0, 0, 1, 0], (
        made[2] + off[2] + on[2] + moved[2]
    )
    assert (after_off["state"], after_off["header_names"]) == ("DISABLED", ["x-one"])
    assert json.loads(on[1])["enabled"]
    # A secret of the old server is not sent to another one.
    assert (after["url"], after["header_names"]) == (f"{effects.url}?moved=1", [])
    assert "kept-value" not in made[1] + on[1] + str(after)


async def test_a_file_says_which_tools_are_on_and_what_they_are_called(
    suite: Suite, edge: Edge, effects: Double, tmp_path: Path, tag: str
):
    keys = (await edge.call("GET", "/keys?page_size=500"))["keys"]
    (me,) = [each["principal"]["id"] for each in keys if suite.key.startswith(each["prefix"])]
    alias = tag.replace("-", "_")
    documents: list[dict[str, Any]] = [
        {
            "kind": "Connector",
            "name": tag,
            "spec": {"transport": "http", "url": effects.url, "owner": me},
        },
        {"kind": "Tool", "name": f"{tag}/transfer", "spec": {"enabled": False}},
        {"kind": "Tool", "name": f"{tag}/peek", "spec": {"alias": alias}},
    ]
    file = tmp_path / "setup.yaml"
    file.write_text(yaml.safe_dump_all(documents))

    first = await turnpike(suite, "apply", "-f", str(file))
    second = await turnpike(suite, "apply", "-f", str(file))
    connector = await edge.call("GET", f"/connectors/{tag}")
    listed = await turnpike(suite, "tools", "list", f"{tag}/*")
    documents[2]["name"] = f"{tag}/gone"
    file.write_text(yaml.safe_dump_all(documents[1:]))
    wrong = await turnpike(suite, "apply", "-f", str(file))

    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert second[1].count("unchanged") == 3
    assert connector["owner"] == me
    assert f"{tag}/peek as {alias} " in listed[1]
    assert wrong[0] == 1
    assert f"{tag}/gone" in wrong[2]
