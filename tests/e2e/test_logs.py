"""What whoever collects the services' logs may rely on."""

import json
from pathlib import Path

from tests.e2e.edge import Edge
from tests.e2e.suite import Suite


def lines(log: Path) -> list[str]:
    """Returns what is written in full: the last line may be under way."""
    return log.read_text().rpartition("\n")[0].splitlines()


async def test_a_service_writes_nothing_but_json(suite: Suite, edge: Edge):
    # Starts every connector over stdio, if none was yet: gRPC comments on forks.
    await edge.call("GET", "/tools")

    written = [
        (process.name, line)
        for process in suite.processes
        for line in lines(suite.home / "logs" / f"{process.name}.log")
    ]

    assert {name for name, _ in written} == {process.name for process in suite.processes}
    for name, line in written:
        assert json.loads(line)["replica"] == name
