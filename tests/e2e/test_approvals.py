"""Deciding by the command line: what is asked, approved for good, taken back and recorded."""

import json
from typing import Any

from tests.doubles.effects_journal import Journal
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite, until_it
from tests.e2e.test_setup import turnpike


async def told(suite: Suite, *words: str) -> list[Any]:
    """Returns what a command that goes well prints, line by line."""
    status, out, err = await turnpike(suite, *words, "--json")
    assert status == 0, err
    return [json.loads(line) for line in out.splitlines()]


async def test_a_person_decides_takes_it_back_and_finds_it_in_the_audit(
    suite: Suite, edge: Edge, agent: MakeAgent, journal: Journal, tag: str
):
    script = f'n=2+tool=effects__transfer+arg={{"tag":"{tag}"}}'
    name = await agent(script, tools=["effects/*"], policy={"ask": ["effects/transfer"]})
    turn = await edge.start(name)

    async def waits() -> bool:
        return (await edge.turn(turn["id"]))["waiting_for"] == "approval"

    await until_it(waits)
    (explained,) = await told(suite, "policy", "explain", name, "effects/transfer")
    (asked,) = await told(suite, "approve", "list", "--thread", turn["thread"])
    (decided,) = await told(suite, "approve", "decide", asked["id"], "approve_always")
    late = await turnpike(suite, "approve", "decide", asked["id"], "reject")
    fold = await edge.read(turn["id"])
    again = await edge.run(name)
    (grant,) = [
        each for each in await told(suite, "grants", "list") if each["approval"] == asked["id"]
    ]
    await told(suite, "grants", "revoke", grant["id"])
    third = await edge.start(name)
    entries = await told(suite, "audit", "list", "--turn", turn["id"])
    (verified,) = await told(suite, "audit", "verify")
    over_rest = await edge.call("GET", f"/audit?turn={turn['id']}")

    assert (explained["verdict"], asked["calls"][0]["name"]) == ("ASK", "effects/transfer")
    assert (decided["status"], fold.status, again.status) == ("DECIDED", "COMPLETED", "COMPLETED")
    assert late[0] != 0 and "decided" in late[2]
    assert journal.effects(tag) == 2

    async def is_asked_again() -> bool:
        return (await edge.turn(third["id"]))["waiting_for"] == "approval"

    await until_it(is_asked_again)
    await edge.call("POST", f"/turns/{third['id']}:cancel")
    kinds = [each["entry"]["kind"] for each in entries]
    assert [kind for kind in kinds if kind != "GRANTED"] == ["DECIDED", "CALL"]
    assert [each["entry"]["kind"] for each in over_rest["entries"]] == kinds
    assert verified["sealed"] + verified["unsealed"] >= len(entries)
