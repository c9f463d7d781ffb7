"""Budgets under fire, in full: `python -m tests.faults.admission [--seeds N] [--turns N]`.

For each seed so many turns spend one budget at once, with random prices, repeats, and a
third of the holders killed. In the middle gatekeeper, which is two processes, loses one of
them. Nothing may be spent beyond the budget, and at most a twentieth may be left of it.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import uvloop

from tests.channels import channel_to
from tests.conftest import FLEETING, SERVICES, Keys, Schemas
from tests.gatekeeper.money import Bank
from tests.gatekeeper.serving import FIRST_KEY, Gatekeeper
from tests.gatekeeper.spending import spend_all
from turnpike.cli.stack.ports import free_ports
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.cli.stack.redis import LocalRedis

TURN = 400
START_SECONDS = 60
RETRYING = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{"service": "turnpike.api.gatekeeper.v1.GatekeeperService"}],
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
)


async def main() -> int:
    """Runs every seed; returns how many went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.admission", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--turns", type=int, default=1_000)
    options = parser.parse_args()
    wrong = 0
    with (
        tempfile.TemporaryDirectory(prefix="turnpike-faults-") as home,
        LocalPostgres(Path(home) / "postgres", settings=FLEETING) as postgres,
        LocalRedis(Path(home) / "redis") as redis,
    ):
        keys = Keys({name: bytes([number] * 32) for number, name in enumerate(SERVICES, 1)})
        environment = await environment_of(postgres, redis, keys)
        superuser = await asyncpg.connect(
            postgres.url, server_settings={"search_path": "gatekeeper"}
        )
        for seed in range(options.seeds):
            async with replicas(environment, keys) as (gatekeeper, processes):
                fault = await trial(gatekeeper, processes, Bank(superuser), seed, options.turns)
            wrong += bool(fault)
            print(f"seed {seed}: {fault or 'ok'}", flush=True)
        await superuser.close()
    return wrong


async def trial(
    gatekeeper: Gatekeeper, processes: list[Process], bank: Bank, seed: int, turns: int
) -> str:
    """Spends a budget for a quarter of the turns; returns what went wrong."""
    tenant = await gatekeeper.create_tenant(slots=100_000)
    limit = turns * TURN // 4
    await bank.budget(tenant, limit)
    async with asyncio.TaskGroup() as group:
        spending = group.create_task(spend_all(tenant, seed, turns, at_once=turns))
        while not spending.done() and await bank.spent(tenant) < limit * seed % 100 // 100:
            await asyncio.sleep(0.01)
        random.Random(seed).choice(processes).send_signal(signal.SIGKILL)
    spent = await bank.spent(tenant)
    written = sum(row["cost_micro_usd"] for row in await bank.billed(tenant))
    if spent > limit:
        return f"{spent} of {limit} spent"
    if spent < limit * 0.95:
        return f"only {spent} of {limit} spent"
    return "" if spent == written else f"{spent} counted, {written} written"


async def environment_of(postgres: LocalPostgres, redis: LocalRedis, keys: Keys) -> dict[str, str]:
    """Returns what every gatekeeper is started with."""
    urls = await Schemas(postgres.url).of("gatekeeper")
    return {
        **os.environ,
        "GATEKEEPER_DATABASE_URL": urls.service,
        "GATEKEEPER_SYSTEM_DATABASE_URL": urls.system,
        "GATEKEEPER_REDIS_URL": redis.url,
        "GATEKEEPER_SIGNING_KEY": keys.signing("gatekeeper"),
        "GATEKEEPER_TRUSTED_KEYS": json.dumps(keys.trusted),
        "GATEKEEPER_BOOTSTRAP_KEY": FIRST_KEY,
        "GATEKEEPER_LOG_LEVEL": "ERROR",
    }


@asynccontextmanager
async def replicas(
    environment: dict[str, str], keys: Keys
) -> AsyncGenerator[tuple[Gatekeeper, list[Process]]]:
    """Runs two gatekeepers while inside."""
    ports = free_ports(4)
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "turnpike.gatekeeper",
            env={
                **environment,
                "GATEKEEPER_LISTEN_ADDRESS": f"127.0.0.1:{port}",
                "GATEKEEPER_METRICS_ADDRESS": f"127.0.0.1:{metrics_port}",
            },
        )
        for port, metrics_port in (ports[:2], ports[2:])
    ]
    addresses = ",".join(f"127.0.0.1:{port}" for port in (ports[0], ports[2]))
    options = [("grpc.service_config", RETRYING)]
    try:
        async with channel_to(f"ipv4:{addresses}", *options) as channel:
            await asyncio.wait_for(channel.channel_ready(), START_SECONDS)
            yield Gatekeeper(channel, keys), processes
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


if __name__ == "__main__":
    sys.exit(uvloop.run(main()) > 0)
