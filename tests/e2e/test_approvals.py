"""Deciding by the command line: what is asked, approved for good, taken back and recorded."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

from tests.doubles.effects_journal import Journal
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.suite import TURNPIKE, Suite, environment, until_it
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


async def test_who_watches_sees_what_waits_and_then_what_comes(
    suite: Suite, edge: Edge, agent: MakeAgent, tag: str
):
    script = f'n=2+tool=effects__transfer+arg={{"tag":"{tag}"}}'
    name = await agent(script, tools=["effects/*"], policy={"ask": ["effects/transfer"]})
    before = await edge.start(name)

    async def waits() -> bool:
        return (await edge.turn(before["id"]))["waiting_for"] == "approval"

    await until_it(waits)
    watching = await asyncio.create_subprocess_exec(
        *(str(TURNPIKE), "approve", "watch", "--agent", name, "--json"),
        env=environment(suite.home, {}),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert watching.stdout is not None
        async with asyncio.timeout(60):
            first = json.loads(await watching.stdout.readline())
            later = await edge.start(name)
            second = json.loads(await watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            rest, status = await watching.stdout.read(), await watching.wait()
    finally:
        if watching.returncode is None:
            watching.kill()
            await watching.wait()
    for turn in (before, later):
        await edge.call("POST", f"/turns/{turn['id']}:cancel")

    assert [first["turn"], second["turn"]] == [before["id"], later["id"]]
    assert (first["status"], first["calls"][0]["name"]) == ("PENDING", "effects/transfer")
    assert (rest, status) == (b"", 130)


async def test_an_export_is_verified_and_a_line_less_is_found_out(
    suite: Suite, edge: Edge, tmp_path: Path, tag: str
):
    call = await edge.call("POST", "/tools/effects/transfer:call", {"arguments": {"tag": tag}})

    async def is_sealed() -> bool:
        (entry,) = (await edge.call("GET", f"/audit?turn={call['id']}"))["entries"]
        return entry["position"] > 1

    await until_it(is_sealed)
    status, out, err = await turnpike(suite, "audit", "export")
    assert status == 0, err
    lines = out.splitlines(keepends=True)
    sealed = [each for each in map(json.loads, lines) if each["position"]]
    whole, cut = tmp_path / "whole.ndjson", tmp_path / "cut.ndjson"
    whole.write_text(out)
    gone = len(sealed) - 2
    cut.write_text("".join(lines[:gone] + lines[gone + 1 :]))

    (verified,) = await told(suite, "audit", "verify", str(whole))
    found = await turnpike(
        suite, "audit", "verify", str(cut), "--head", f"{len(sealed)}:{sealed[-1]['hash']}"
    )

    assert tag in out
    assert verified["head"] == f"{len(sealed)}:{sealed[-1]['hash']}" and verified["begins"] == ""
    assert found[0] != 0 and "something is missing" in found[2]
