"""Every process restarted in turn while turns run: none may fail."""

import asyncio
import os
import signal
from collections import Counter

from tests.faults.invariants import broken_by, unsettled
from tests.faults.phases import Subject, transfer
from tests.faults.reading import Reading, follow, insist
from tests.faults.stage import Stage
from tests.faults.trials import Result

CLIENTS = 4
SERVICES = ("agent-runtime", "tool-registry", "gatekeeper", "embedding", "gateway")


async def rolling_restart(stage: Stage, tag: str) -> Result:
    """SIGTERMs each process and waits for it to be back, under a steady load."""
    script = f"n=60+us=8000+{transfer(tag, 0.1)}"
    agent = await stage.edges[0].agent(tag, script, stage.model.url, tools=["effects/*"])
    over = asyncio.Event()
    clients = [
        asyncio.create_task(keep_asking(stage, agent, f"{tag}-{client}", over))
        for client in range(CLIENTS)
    ]
    for service in SERVICES:
        for process in stage.suite.of(service):
            os.kill(process.pid, signal.SIGTERM)
            await stage.suite.restarted(process)
    over.set()
    subjects = [subject for client in await asyncio.gather(*clients) for subject in client]
    return Result(
        [
            *[fault for subject in subjects for fault in await faults_of(stage, subject)],
            *faults_of_all(stage, tag, subjects),
            *await unsettled(stage),
        ],
        None,
        [subject.reading.fold.status for subject in subjects],
    )


async def keep_asking(stage: Stage, agent: str, client: str, over: asyncio.Event) -> list[Subject]:
    """Runs one turn after another until the restarts are over."""
    subjects: list[Subject] = []
    while not over.is_set():
        key = f"{client}-{len(subjects)}"
        thread = await insist(stage.edges, "POST", "/threads", {}, key)
        body = {"agent": agent, "input": "hello"}
        turn = await insist(stage.edges, "POST", f"/threads/{thread['id']}/turns", body, key)
        # Effects are counted for all turns together: they share their arguments.
        subjects.append(Subject(turn["id"], thread["id"], "", f"no tag of {key}", Reading()))
        await follow(stage.edges, turn["id"], subjects[-1].reading)
    return subjects


async def faults_of(stage: Stage, subject: Subject) -> list[str]:
    """Returns what does not hold of one turn."""
    found = await broken_by(stage, subject, [subject.reading])
    return [fault for fault in found if "is said to have happened" not in fault]


def faults_of_all(stage: Stage, tag: str, subjects: list[Subject]) -> list[str]:
    """Every turn completed, and had its one effect."""
    statuses = Counter(subject.reading.fold.status for subject in subjects)
    calls = stage.journal.effects(tag) + stage.journal.effects(f"{tag}-again")
    if calls == len(subjects) == statuses["COMPLETED"]:
        return []
    ends = [
        f"{subject.turn}: {subject.reading.fold.log[-1].fields}"
        for subject in subjects
        if subject.reading.fold.status != "COMPLETED"
    ]
    return [f"{calls} effects of {len(subjects)} turns, which ended {dict(statuses)}", *ends]
