"""Every bound of every field at the edge: `python -m tests.faults.fuzzing [--examples N]`.

What the document allows and what it forbids, operation by operation, in a tenant of its own.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.doubles.processes import running
from tests.e2e.edge import connected
from tests.e2e.fuzzing import PHASES, fuzz
from tests.e2e.suite import running_suite


async def main() -> int:
    """Fuzzes, and prints what schemathesis says."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzzing", description=__doc__)
    parser.add_argument("--examples", type=int, default=50)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="turnpike-faults-") as home,
        running("model_server") as model,
    ):
        async with (
            running_suite(Path(home)) as suite,
            connected(suite.url, suite.key) as edge,
        ):
            made = await edge.call("POST", "/tenants", {"name": "strangers"})
            async with connected(suite.url, made["key"]) as stranger:
                folder = Path(home) / "fuzzing"
                folder.mkdir()
                well, printed = await fuzz(
                    suite, stranger, model, folder, phases=PHASES, examples=options.examples
                )
    print(printed)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
