"""The main job: one turn, a real tool, three readers at once, and its owner killed.

A suite of its own with three owners of turns and two of every other service, all that it
knows applied from the file that it was started with.
"""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.effects_journal import Journal
from tests.doubles.processes import Double, running
from tests.e2e.edge import Edge, connected
from tests.e2e.folding import TERMINAL, Fold
from tests.e2e.mcp_servers import http, stdio_connectors
from tests.e2e.suite import Process, Suite, running_suite, until, write_config
from tests.e2e.watching import Watcher, browser, client, terminal

REPLICAS = {"agent-runtime": 3, "gateway": 2, "gatekeeper": 2, "tool-registry": 2, "embedding": 2}
# Long before anybody gives up. `tests.faults` measures how long it takes, on a machine at rest.
TAKEOVER_SECONDS = 15
END_SECONDS = 40

# The first answer stops in the middle, until it is asked for again; then it is another one.
CUT = "n=40+hang=20+once=1+vary=1"
SCRIPTS = {
    "payer": 'n=20+vary=1+tool=effects__transfer+arg={"tag":"rent","seconds":4}',
    "parrot": f'{CUT}+tool=everything__echo+arg={{"message":"a real tool"}}',
    "clock": f'{CUT}+tool=clock__get_current_time+arg={{"timezone":"Asia%2FTokyo"}}',
    "adder": 'n=150+us=20000+tool=everything__get-sum+arg={"a":19,"b":23}',
}


@dataclass
class Scene:
    """The running suite, and who asks it."""

    suite: Suite
    edge: Edge
    journal: Journal


def documents(model: Double) -> list[dict[str, Any]]:
    """Returns the documents of the models and their agents, which may use every tool."""
    specs = {name: {"model": script, "base_url": model.url} for name, script in SCRIPTS.items()}
    may = {"tools": ["*/*"], "policy": {"allow": ["*/*"]}}
    return [
        document
        for name, spec in specs.items()
        for document in (
            {"kind": "Model", "name": name, "spec": spec | {"api_key": f"key-of-{name}"}},
            {"kind": "Agent", "name": name, "spec": {"model": name, **may}},
        )
    ]


@pytest.fixture(scope="module")
async def scene(
    tmp_path_factory: pytest.TempPathFactory, model: Double, everything: str
) -> AsyncGenerator[Scene]:
    home: Path = tmp_path_factory.mktemp("main-job")
    journal = Journal(home / "journal")
    async with AsyncExitStack() as stack:
        effects = stack.enter_context(running("effects_server", "--journal", str(journal.path)))
        connectors = [http("effects", effects.url), http("everything", everything)]
        clock = stdio_connectors(journal.path)[0]
        config = write_config(home / "setup.yaml", [*connectors, clock, *documents(model)])
        suite = await stack.enter_async_context(
            running_suite(home, replicas=REPLICAS, config=config)
        )
        edge = await stack.enter_async_context(connected(suite.url, suite.key))
        yield Scene(suite, edge, journal)


@dataclass
class Watched:
    """A turn with its three readers, and the process that runs it."""

    scene: Scene
    turn: str
    owner: Process
    watchers: list[Watcher]

    @property
    def folds(self) -> list[Fold]:
        """What each reader makes of what it was given."""
        return [watcher.reading.fold for watcher in self.watchers]

    async def all_show(self, text: str) -> None:
        """Waits until each reader has been given this much of the answer."""
        await until(lambda: all(text in fold.answer for fold in self.folds), END_SECONDS)

    async def end(self) -> None:
        """Waits until each reader has been told that nothing is left, and left itself."""
        statuses = asyncio.gather(*(watcher.task for watcher in self.watchers))
        assert await asyncio.wait_for(statuses, END_SECONDS) == [0, 0, 0]


@asynccontextmanager
async def watched(scene: Scene, agent: str) -> AsyncGenerator[Watched]:
    """Starts a turn from a terminal, and has the two others watch it too."""
    suite, edge = scene.suite, scene.edge
    async with terminal(suite, agent, "go on") as shell:
        owner = suite.named((await edge.turn(shell.turn))["owner"])
        other = next(each for each in suite.of("agent-runtime") if each.name != owner.name)
        gateway = suite.of("gateway")[1].address
        async with (
            browser(gateway, edge, shell.turn) as page,
            client(other, suite.key, shell.turn) as program,
        ):
            yield Watched(scene, shell.turn, owner, [shell, page, program])


async def check(it: Watched, tool: str, expected: str) -> None:
    """Every reader saw what is stored, in order and once, and the tool's result in it."""
    edge = it.scene.edge
    turn = await edge.turn(it.turn)
    message = (await edge.messages(turn["thread"]))[-1]
    assert turn["status"] == "COMPLETED"
    assert turn["text"] == "".join(p["text"] for p in message["parts"] if p["type"] == "text")
    for watcher in it.watchers:
        fold = watcher.reading.fold
        assert watcher.reading.order_faults == []
        assert (fold.status, fold.answer) == ("COMPLETED", turn["text"])
        assert sum(event.type == TERMINAL for _, event in watcher.reading.seen) == 1
        (call,) = fold.calls
        assert call["name"] == tool
        assert expected in str(call["result"])


async def kill_owner(it: Watched) -> float:
    """Kills the process that runs a turn; returns when."""
    it.scene.suite.send(it.owner.name, signal.SIGKILL)
    return time.time()


def check_takeover(it: Watched, killed_at: float) -> None:
    """Another process went on in time, as every reader saw."""
    delays = [watcher.reading.went_on_after(killed_at) for watcher in it.watchers]
    assert all(delay is not None and delay <= TAKEOVER_SECONDS for delay in delays), delays


async def test_a_turn_whose_owner_is_killed_in_the_tool_has_one_effect(scene: Scene):
    async with watched(scene, "payer") as it:
        await until(lambda: all(fold.of("tool.started") for fold in it.folds), END_SECONDS)
        await until(lambda: scene.journal.effects("rent") == 1)
        killed_at = await kill_owner(it)
        assert not scene.journal.entries("end")
        await it.end()

    await check(it, "effects/transfer", "done rent")
    check_takeover(it, killed_at)
    assert scene.journal.effects("rent") == 1
    await scene.suite.restarted(it.owner)


@pytest.mark.parametrize(
    ("agent", "tool", "expected"),
    [
        ("parrot", "everything/echo", "a real tool"),
        ("clock", "clock/get_current_time", "Asia/Tokyo"),
    ],
)
async def test_a_turn_whose_owner_is_killed_in_the_text_is_answered_anew(
    scene: Scene, agent: str, tool: str, expected: str
):
    async with watched(scene, agent) as it:
        await it.all_show("~19 ")
        killed_at = await kill_owner(it)
        await it.end()

    await check(it, tool, expected)
    check_takeover(it, killed_at)
    assert all(len(fold.of("log.reset")) == 1 for fold in it.folds)
    assert it.folds[0].answer == "".join(f"~x{index} " for index in range(40))
    await scene.suite.restarted(it.owner)


async def test_a_browser_connects_again_by_itself_when_its_gateway_is_killed(scene: Scene):
    async with watched(scene, "adder") as it:
        await it.all_show("~9 ")
        gateway = scene.suite.of("gateway")[1]
        scene.suite.send(gateway.name, signal.SIGKILL)
        await it.end()

    await check(it, "everything/get-sum", "42")
    assert it.folds[1].of("log.reset") == []
    await scene.suite.restarted(gateway)
