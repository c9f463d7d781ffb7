"""What whoever collects the services' logs may rely on."""

import json

from tests.e2e.edge import Edge
from tests.e2e.suite import Suite


async def test_a_service_writes_nothing_but_json(suite: Suite, edge: Edge):
    # Starts every connector over stdio, if none was yet: gRPC comments on forks.
    await edge.call("GET", "/tools")

    written = [
        (process.name, line)
        for process in suite.processes
        for line in (suite.home / "logs" / f"{process.name}.log").read_text().splitlines()
    ]

    assert {name for name, _ in written} == {process.name for process in suite.processes}
    for name, line in written:
        assert json.loads(line)["replica"] == name
