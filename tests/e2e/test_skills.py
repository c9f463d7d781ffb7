"""Skills from a file, over REST and the command line: an agent's model is told of them."""

from pathlib import Path

import yaml

from tests.doubles.processes import Double
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite
from tests.e2e.test_setup import turnpike


async def test_an_agent_and_its_skills_come_from_one_file(
    suite: Suite, edge: Edge, model: Double, tmp_path: Path, tag: str
):
    rule = {"tool": "effects/*", "effect": "DENY", "where": [], "reason": "careful"}
    told = {"description": "For care.", "instructions": "# Care\n\nTake it.", "rules": [rule]}
    documents = [
        # Whatever their order: what an agent names comes before it.
        {"kind": "Agent", "name": tag, "spec": {"model": tag, "skills": [tag]}},
        {"kind": "Skill", "name": tag, "spec": told},
        {"kind": "Model", "name": tag, "spec": {"model": "n=2", "base_url": model.url}},
    ]
    file, wrong = tmp_path / "setup.yaml", tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    spec = {"model": tag, "skills": [tag, f"no-{tag}"]}
    wrong.write_text(yaml.safe_dump({"kind": "Agent", "name": f"x-{tag}", "spec": spec}))

    first = await turnpike(suite, "apply", "-f", str(file))
    refused = await turnpike(suite, "apply", "-f", str(wrong))
    explained = await turnpike(suite, "policy", "explain", tag, "effects/peek", "--skill", tag)
    without = await edge.call("POST", "/policies:explain", {"agent": tag, "tool": "effects/peek"})
    ended = await edge.run(tag)
    in_use = await edge.http.delete(f"/api/v1/skills/{tag}")
    read = await edge.call("GET", f"/skills/{tag}")
    await edge.call("PUT", f"/agents/{tag}", {"model": tag})
    deleted = await edge.http.delete(f"/api/v1/skills/{tag}")

    assert first[0] == 0, first[2]
    assert f"Skill {tag}: created" in first[1]
    assert refused[0] != 0
    assert "spec.skills[1]" in refused[2] and "there is no skill" in refused[2]
    assert (without["verdict"], without["skill"]) == ("ASK", "")
    assert explained[1].startswith(f"DENY  by skill {tag} effects/*: the skill {tag!r} denies")
    assert ended.status == "COMPLETED"
    assert {name: read[name] for name in told} == told
    assert (in_use.status_code, in_use.json()["reason"]) == (409, "IN_USE")
    assert deleted.status_code == 204
