"""Keys of one's own over REST, from a file and from the command line."""

import json
from pathlib import Path

import yaml

from tests.doubles.processes import Double
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite
from tests.e2e.test_setup import turnpike


async def test_a_model_is_asked_by_a_key_from_a_file(
    suite: Suite, edge: Edge, model: Double, tmp_path: Path, tag: str
):
    # By another name than the rest of the suite's models: nobody else's are meant.
    url = model.url.replace("127.0.0.1", "localhost")
    documents = [
        {"kind": "OwnKeys", "name": "tenant", "spec": {"mode": "PREFERRED"}},
        {
            "kind": "ProviderKey",
            "name": tag,
            "spec": {"provider": "openai", "base_url": url, "api_key": "file:key"},
        },
        {"kind": "Model", "name": tag, "spec": {"model": "n=2", "base_url": url}},
        {"kind": "Agent", "name": tag, "spec": {"model": tag}},
    ]
    (tmp_path / "key").write_text("sk-of-our-own\n")
    file = tmp_path / "setup.yaml"
    file.write_text(yaml.safe_dump_all(documents))

    first = await turnpike(suite, "apply", "-f", str(file))
    second = await turnpike(suite, "apply", "-f", str(file))
    listed = await turnpike(suite, "byok", "list", "--json")
    tested = await turnpike(suite, "models", "test", tag, "--json")
    ended = await edge.run(tag)
    rotated = await turnpike(
        suite,
        *("byok", "set", tag, "--provider", "openai", "--base-url", url),
        given="sk-another\n",
    )
    deleted = await turnpike(suite, "byok", "delete", tag)

    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert second[1].count("unchanged") == 4
    entries = [json.loads(line) for line in listed[1].splitlines()]
    assert [entry["mode"] for entry in entries[:2]] == ["PREFERRED", "PREFERRED"]
    assert tag in [entry.get("name") for entry in entries]
    assert json.loads(tested[1].splitlines()[0])["own_key"]
    assert ended.status == "COMPLETED"
    assert (rotated[0], deleted[0]) == (0, 0), rotated[2] + deleted[2]
    for _, out, err in (first, second, listed, tested, rotated, deleted):
        assert "sk-" not in out + err
