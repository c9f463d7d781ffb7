"""What the prefix ledger costs: `python -m tests.bench.prefix [--commits N] [--calls N]`.

First what one commit adds to a step's transaction: hashing, and the SQL function. Then how
long answers take that clients get through `/v1`, with a session and without one. Everything
runs on this machine, which must have nothing else to do; its load is printed.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import asyncpg
import orjson
import uvloop

from tests.bench.__main__ import Figure
from tests.conftest import Schemas
from tests.doubles.processes import running
from tests.e2e.edge import Edge, connected
from tests.e2e.suite import running_suite
from turnpike.agent_runtime.prefix.history import History
from turnpike.agent_runtime.prefix.model import EMPTY, Reported
from turnpike.agent_runtime.prefix.predicting import Rules
from turnpike.agent_runtime.prefix.reconciling import reconcile
from turnpike.cli.stack.postgres import LocalPostgres

COMMITS_A_SESSION = 40
ELEMENT = 3_000
"""Bytes of a message: forty of them and their answers are a long conversation."""

WORDS = 50
WRITE = "SELECT write_prefix($1, NULL, '', $2, $3)"


async def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.prefix", description=__doc__)
    parser.add_argument("--commits", type=int, default=2_000)
    parser.add_argument("--calls", type=int, default=500)
    options = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(Figure("", "turnpike", "without", "goal"))
    with tempfile.TemporaryDirectory(prefix="turnpike-bench-") as home:
        await print_commits(Path(home), options.commits)
        await print_calls(Path(home), options.calls)
    print(f"load after: {os.getloadavg()[0]:.1f}")


async def print_commits(home: Path, commits: int) -> None:
    """Prints what a commit takes, beside a statement that does nothing."""
    with LocalPostgres(home / "postgres") as postgres:
        urls = await Schemas(postgres.url).of("agent_runtime")
        connection = await asyncpg.connect(
            urls.service, server_settings={"search_path": "agent_runtime"}
        )
        await time_commits(connection, COMMITS_A_SESSION * 5)
        took, nothing = await time_commits(connection, commits)
        await connection.close()
    for share, goal in ((0.5, ""), (0.99, "≤ 5 ms")):
        name = f"the ledger in a step's transaction, p{share * 100:.0f}"
        with_it, without = (f"{quantile(each, share):.2f} ms" for each in (took, nothing))
        print(Figure(name, with_it, without, goal), flush=True)


async def time_commits(
    connection: asyncpg.Connection, commits: int
) -> tuple[list[float], list[float]]:
    """Returns what ledgers add to transactions, and what a statement that does nothing adds."""
    took, nothing = list[float](), list[float]()
    while len(took) < commits:
        tenant = uuid4()
        history = History(str(uuid4()), reconcile(EMPTY, [b"[]", message(0)]))
        reported = Reported(prompt_tokens=9, cached_tokens=0)
        for number in range(COMMITS_A_SESSION):
            history.send([message(number)], model="m", route="r", rules=Rules())
            async with connection.transaction():
                began = time.perf_counter()
                await connection.fetchval("SELECT 1")
                between = time.perf_counter()
                entry = history.entry([message(number)], reported, label="bench")
                added = [tenant, entry.as_json(), list(entry.elements)]
                assert await connection.fetchval(WRITE, *added) == "OK"
                took.append((time.perf_counter() - between) * 1000)
                nothing.append((between - began) * 1000)
            history.commit(entry)
    return took, nothing


def message(number: int) -> bytes:
    """Returns a message of the usual size."""
    return orjson.dumps({"role": "user", "content": f"{number}" + "x" * ELEMENT})


async def print_calls(home: Path, calls: int) -> None:
    """Prints when proxied answers end, and how long after their last delta."""
    with running("model_server") as model:
        async with (
            running_suite(home / "suite") as suite,
            connected(suite.url, suite.key) as edge,
        ):
            await edge.agent("words", f"n={WORDS}", model.url)
            await time_calls(edge, 20)
            ledgered, plain = await time_calls(edge, calls)
    for place, name in enumerate(("until the end", "from the last delta to the end")):
        for share in (0.5, 0.99):
            with_it, without = (
                f"{quantile([each[place] for each in every], share):.2f} ms"
                for every in (ledgered, plain)
            )
            label = f"/v1, {name}, p{share * 100:.0f}"
            print(Figure(label, with_it, without, "no more" if place else ""), flush=True)


Times = tuple[float, float]
"""From the request to the end, and from the last delta to the end, in milliseconds."""


async def time_calls(edge: Edge, calls: int) -> tuple[list[Times], list[Times]]:
    """Returns what calls with a session took, and, in turn with them, calls without one."""
    ledgered, plain = list[Times](), list[Times]()
    for number in range(calls):
        ledgered.append(await time_call(edge, {"x-session-id": f"{number}"}))
        plain.append(await time_call(edge, {}))
    return ledgered, plain


async def time_call(edge: Edge, headers: dict[str, str]) -> Times:
    """Returns what one call took."""
    hello = {"role": "user", "content": "x" * ELEMENT}
    body = {"model": "words", "stream": True, "messages": [hello]}
    began = last = time.perf_counter()
    async with edge.http.stream(
        "POST", "/v1/chat/completions", json=body, headers=headers
    ) as response:
        assert response.status_code == 200
        async for chunk in response.aiter_raw():
            if b"~" in chunk:
                last = time.perf_counter()
    end = time.perf_counter()
    return (end - began) * 1000, (end - last) * 1000


def quantile(times: Sequence[float], share: float) -> float:
    """Returns a quantile."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


if __name__ == "__main__":
    uvloop.run(main())
