"""What an admission costs: `python -m tests.bench.admission [--turns N] [--rows N]`.

One gatekeeper, as a process, with its Postgres and Redis; the client is in this one.
Everything runs on this machine, which must have nothing else to do; its load is printed.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import uvloop
from redis.asyncio import Redis

from tests.bench.bench import Figure
from tests.bench.cost import descendants, name_of, processor_seconds
from tests.channels import channel_to
from tests.conftest import SERVICES, Keys, Schemas
from tests.gatekeeper.money import Bank, spender
from tests.gatekeeper.serving import FIRST_KEY, Gatekeeper, Tenant
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import HeartbeatRequest
from turnpike.cli.stack.ports import free_ports
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.migration import MigrationUrls

CLIENTS = 32
START_SECONDS = 30
# Postgres tells of an idle connection after ten.
STATISTICS_SECONDS = 11

FILL = """
INSERT INTO ledger
SELECT $1, gen_random_uuid(), gen_random_uuid(), 1, 1, 0, 1, 'chat', $2, NULL, '', 'a-model',
  10, 0, 0, 20, 0, 30, false, false, false, 'tenant', ''
FROM generate_series(1, $3)
"""
STANDING = "SELECT * FROM read_standing($1, $2, NULL, NULL, NULL, '', 'sync', NULL, NULL, true)"

_Call = Callable[[], Awaitable[object]]


async def main() -> None:
    """Starts everything, measures, and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.admission", description=__doc__)
    parser.add_argument("--turns", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="turnpike-bench-") as home,
        LocalPostgres(Path(home) / "postgres") as postgres,
        LocalRedis(Path(home) / "redis") as redis,
    ):
        keys = Keys({name: bytes([number] * 32) for number, name in enumerate(SERVICES, 1)})
        urls = await Schemas(postgres.url).of("gatekeeper")
        superuser = await asyncpg.connect(
            postgres.url, server_settings={"search_path": "gatekeeper"}
        )
        async with running_gatekeeper(urls, redis.url, keys) as gatekeeper:
            tenant = await limited_tenant(gatekeeper, Bank(superuser))
            print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
            print(Figure("", "turnpike", "", "goal"))
            await print_latency(tenant, urls, options.turns, "")
            await print_cost(tenant, superuser, redis.url, options.turns)
            await print_throughput(tenant, options.turns)
            await superuser.execute(FILL, tenant.id, tenant.principal, options.rows)
            await superuser.execute("ANALYZE ledger")
            await print_latency(tenant, urls, options.turns, f", {options.rows:,} ledger rows")
            print(f"load after: {os.getloadavg()[0]:.1f}")
        await superuser.close()


@asynccontextmanager
async def running_gatekeeper(
    urls: MigrationUrls, redis: str, keys: Keys
) -> AsyncGenerator[Gatekeeper]:
    """Runs gatekeeper as a process while inside."""
    port, metrics_port = free_ports(2)
    environment = {
        **os.environ,
        "GATEKEEPER_DATABASE_URL": urls.service,
        "GATEKEEPER_SYSTEM_DATABASE_URL": urls.system,
        "GATEKEEPER_REDIS_URL": redis,
        "GATEKEEPER_SIGNING_KEY": keys.signing("gatekeeper"),
        "GATEKEEPER_TRUSTED_KEYS": json.dumps(keys.trusted),
        "GATEKEEPER_BOOTSTRAP_KEY": FIRST_KEY,
        "GATEKEEPER_LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "GATEKEEPER_METRICS_ADDRESS": f"127.0.0.1:{metrics_port}",
        "GATEKEEPER_LOG_LEVEL": "WARNING",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "turnpike.gatekeeper", env=environment
    )
    try:
        async with channel_to(f"127.0.0.1:{port}") as channel:
            await asyncio.wait_for(channel.channel_ready(), START_SECONDS)
            yield Gatekeeper(channel, keys)
    finally:
        process.kill()
        await process.wait()


async def limited_tenant(gatekeeper: Gatekeeper, bank: Bank) -> Tenant:
    """Returns a tenant that every gate has to weigh."""
    tenant = await gatekeeper.create_tenant(slots=100_000)
    await bank.limit(tenant, sync_per_minute=10**8, tokens_per_minute=10**9)
    await bank.budget(tenant, 10**14)
    await bank.budget(tenant, 10**14, "principal", tenant.principal)
    return tenant


async def timed(call: _Call, times: int) -> list[float]:
    """Returns how long each of so many calls took, in milliseconds, sorted."""
    taken: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


async def print_latency(tenant: Tenant, urls: MigrationUrls, turns: int, note: str) -> None:
    """Prints what one client waits for, beside a call that does nothing and the SQL alone."""
    gatekeeper = tenant.gatekeeper
    idle = HeartbeatRequest(replica=str(uuid4()))
    connection = await asyncpg.connect(urls.service)

    async def nothing() -> None:
        await gatekeeper.stub.Heartbeat(idle, metadata=gatekeeper.as_runtime)

    async def statement() -> None:
        await connection.fetchrow(STANDING, tenant.id, tenant.principal)

    async def admit() -> None:
        await spender(tenant).admit()

    calls: tuple[_Call, ...] = (nothing, statement, admit)
    for call in calls:
        await timed(call, 100)
    empty, sql, admitted = [await timed(call, turns) for call in calls]
    await connection.close()
    half, most = turns // 2, turns * 99 // 100
    print(Figure(f"Admit, one client, p50{note}", f"{admitted[half]:.2f} ms", "", "≤ 2 ms"))
    print(Figure(f"Admit, one client, p99{note}", f"{admitted[most]:.2f} ms", "", "≤ 10 ms"))
    print(Figure("a call that does nothing, p50", f"{empty[half]:.2f} ms"))
    print(Figure("the statement alone, p50", f"{sql[half]:.2f} ms"))
    beyond = admitted[half] - empty[half] - sql[half]
    print(Figure("beyond both", f"{beyond:.2f} ms", "", "≤ 0.3 ms"), flush=True)


async def print_cost(tenant: Tenant, superuser: asyncpg.Connection, redis: str, turns: int) -> None:
    """Prints what an admission asks of the servers, as they count, and what it costs in each."""
    async with Redis.from_url(redis) as client:
        counts, before = await counted(superuser, client), computed()
        for _ in range(turns):
            await spender(tenant).admit()
        trips = [
            now - then for now, then in zip(await counted(superuser, client), counts, strict=True)
        ]
        spent = {name: seconds - before.get(name, 0) for name, seconds in computed().items()}
    for name, trip in zip(("Postgres transactions", "Redis scripts"), trips, strict=True):
        print(Figure(f"{name} an admission", f"{trip / turns:.2f}", "", "1"))
    for name, seconds in sorted(spent.items()):
        print(Figure(f"processor time an admission, {name}", f"{seconds * 1000 / turns:.2f} ms"))


async def counted(superuser: asyncpg.Connection, redis: Redis) -> tuple[int, int]:
    """Returns the servers' own counts: of statements committed, and of scripts run."""
    await asyncio.sleep(STATISTICS_SECONDS)
    await superuser.execute("SELECT pg_stat_clear_snapshot()")
    commits = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    commands = await redis.info("commandstats")
    scripts = (commands[name]["calls"] for name in commands if name.startswith("cmdstat_eval"))
    return await superuser.fetchval(commits), sum(scripts)


def computed() -> dict[str, float]:
    """Returns how long each server has computed, and this client."""
    seconds: dict[str, float] = {}
    for pid in descendants([os.getpid()]):
        name = "client" if pid == os.getpid() else name_of(pid)
        name = "gatekeeper" if name.startswith("python") else name
        seconds[name] = seconds.get(name, 0) + processor_seconds([pid])
    return seconds


async def print_throughput(tenant: Tenant, turns: int) -> None:
    """Prints how many admissions a second many clients get."""
    numbers = iter(range(turns * 2))

    async def client() -> None:
        for _ in numbers:
            await spender(tenant).admit()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    rate = turns * 2 / (time.perf_counter() - began)
    print(Figure(f"admissions a second, {CLIENTS} clients", f"{rate:,.0f}", "", "≥ 1,200"))


if __name__ == "__main__":
    uvloop.run(main())
