"""A short form of `make faults`: one trial of what matters most."""

from collections.abc import AsyncGenerator

import pytest

from tests.faults.approvals import PROGRAMS
from tests.faults.mutation import ROOT, without_fences
from tests.faults.scenarios import Scenario, scenarios
from tests.faults.stage import Stage, staged

SHORT = (
    "kill owner: text",
    "kill owner: tool",
    "stop owner: text",
    "kill registry: transfer",
    "kill agent-runtime: approved",
    "kill tool-registry: approved",
    "kill gateway",
    "flush Redis",
    "restart Postgres",
)


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A suite for these tests alone, since they kill its processes."""
    replicas = {"agent-runtime": 2, "gateway": 2, "tool-registry": 2}
    async with staged(tmp_path_factory.mktemp("faults"), replicas) as running:
        yield running


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(it, id=it.name) for it in scenarios() if it.name in SHORT],
)
async def test_nothing_is_lost_repeated_or_doubled(stage: Stage, scenario: Scenario):
    result = await scenario.run(stage, f"short-{next(stage.numbers)}")

    assert result.faults == []


@pytest.mark.parametrize(
    ("program", "size"), [("at once", 20), ("fuzzed", 120), ("cycles", 15), ("fifty", 1)]
)
async def test_what_runs_is_what_was_decided(stage: Stage, program: str, size: int):
    run, _ = PROGRAMS[program]

    outcome = await run(stage, size)

    assert outcome.faults == [], outcome.line()


def test_every_fence_can_be_taken_out():
    """The mutation finds the fences: in the hot statements, and in the log's script."""
    runtime = ROOT / "services/agent-runtime/src/turnpike/agent_runtime"
    sources = [*runtime.rglob("*.sql"), *runtime.rglob("*.lua")]
    texts = {path.name: path.read_text() for path in sources}

    changed = [n for n, text in texts.items() if without_fences(text, n[-4:]) != text]

    assert "append.lua" in changed
    assert any(name.endswith(".sql") for name in changed)
