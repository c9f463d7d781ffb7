"""Migrations under fire: `python -m tests.faults.migrations [--kills N] [--seed S]`.

A process that moves a collection to another model is killed at some moment of it: while it asks
for jobs, embeds, compares, or drops the old vectors. Nothing helps its claims to an end: whoever
comes after must come to the new vectors, with none failed and none of the old ones left, in the
time that claims take to run out.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop
from sqlalchemy import text

from tests.conftest import FLEETING, SERVICES, Keys, Schemas
from tests.embedding.knowledge.serving import Tenant, killed
from tests.embedding.knowledge.test_migrating import (
    NEW,
    OLD,
    begin,
    compared,
    first_token,
    kept,
    migration,
    over,
)
from tests.faults.knowledge import Stage
from tests.waiting import until
from turnpike.cli.stack.postgres import LocalPostgres

DOCUMENTS = 40
PHASES = ("asking", "embedding", "comparing", "dropping")
_CLAIMS = text("SELECT fence FROM migrations WHERE tenant = :tenant")
_SECONDS = 120
_MOST_LATER = 0.5
"""Seconds after a phase's beginning."""


async def main() -> int:
    """Kills, and says what was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.migrations", description=__doc__)
    parser.add_argument("--kills", type=int, default=10, help="in each phase")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    faults = list[str]()
    with (
        tempfile.TemporaryDirectory(prefix="turnpike-faults-") as home,
        LocalPostgres(Path(home) / "postgres", settings=FLEETING) as postgres,
    ):
        urls = await Schemas(postgres.url).of("embedding")
        stage = Stage(urls, Keys({name: os.urandom(32) for name in SERVICES}), Path(home))
        print(f"seed {options.seed}, load {os.getloadavg()[0]:.1f}", flush=True)
        chance = random.Random(options.seed)
        for phase in PHASES:
            found = [await kill(stage, phase, chance) for _ in range(options.kills)]
            faults += [fault for each in found for fault in each]
            print(f"{options.kills} kills from {phase} on: {sum(map(len, found))} faults")
            sys.stdout.flush()
    print("\n".join(faults))
    return int(bool(faults))


async def kill(stage: Stage, phase: str, chance: random.Random) -> list[str]:
    """Kills a process soon after a phase began; returns what whoever went on did wrong."""
    models = [first_token()]
    async with stage.replica(models=models) as opened:
        tenant = opened.tenant()
        await tenant.begin()
        for number in range(DOCUMENTS):
            await tenant.put(f"/{number}.md", f"The toll of bridge {number} is due at dawn.")
        for number in range(DOCUMENTS):
            await tenant.indexed(f"/{number}.md")
    async with stage.replica(models=models, index_jobs=0) as idle:
        tenant = tenant.on(idle)
        await begin(tenant)
        async with killed(stage.urls, stage.keys, stage.blobs, MODELS=json.dumps(models)):
            await come_to(tenant, phase)
            await asyncio.sleep(chance.uniform(0, _MOST_LATER))
    async with stage.replica(models=models) as opened:
        return await gone_on_with(tenant.on(opened), phase)


async def come_to(tenant: Tenant, phase: str) -> None:
    """Waits until a migration has come to a phase."""
    if phase == "dropping":
        await compared(tenant)
        await migration(tenant, "Activate")
        return

    async def is_there() -> bool:
        shown = await migration(tenant, "Get")
        async with tenant.library.stores.system.connect() as connection:
            claims = await connection.scalar(_CLAIMS, {"tenant": UUID(tenant.id)})
        has: dict[str, Any] = {
            "asking": claims > 0,
            "embedding": shown.done > 0,
            "comparing": shown.done == shown.total,
        }
        return has[phase]

    await until(is_there, _SECONDS)


async def gone_on_with(tenant: Tenant, phase: str) -> list[str]:
    """Brings a migration to its end; returns what is not as it should be."""
    try:
        shown = await compared(tenant)
        if phase != "dropping":
            await migration(tenant, "Activate")
        await over(tenant)
    except TimeoutError:
        return [f"{phase}: it stands still: {await migration(tenant, 'Get')}"]
    vectors, faults = await kept(tenant), list[str]()
    if shown.failed or shown.done != shown.total:
        faults.append(f"{phase}: {shown.done} of {shown.total} done, {shown.failed} failed")
    if vectors != {NEW: DOCUMENTS}:
        faults.append(f"{phase}: {vectors.get(OLD, 0)} old vectors are left: {vectors}")
    return faults


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
