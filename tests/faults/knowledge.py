"""Documents under fire: `python -m tests.faults.knowledge [--sequences N] [--kills N]`.

Random sequences of changes are taken back in reverse: tree and vectors must be what they were,
to the last byte, and nothing may be embedded. And a process that indexes a file is killed in
each of its phases: whoever goes on must come to the same vectors, and embed nothing twice.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop
from sqlalchemy import text

from tests.conftest import FLEETING, SERVICES, Keys, Schemas
from tests.embedding.knowledge.sequences import taken_back
from tests.embedding.knowledge.serving import Library, Tenant, library, settings_for
from tests.embedding.knowledge.test_indexing import pdf
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.database.migration import MigrationUrls

ACTIONS = 6
AT_ONCE = 4
PHASES = ("QUEUED", "EXTRACTING", "CHUNKING", "EMBEDDING", "KEEPING", "READY")
PATH, CHUNK_TOKENS, LINES = "/a.pdf", 32, 150
_POLL_SECONDS = 0.002
_SECONDS = 120

_STATE = text(
    "SELECT CASE WHEN state = 'EMBEDDING' AND done > 0 THEN 'KEEPING' ELSE state END"
    " FROM indexings WHERE tenant = :tenant"
)
_CHUNKS = text("SELECT count(*) FROM chunks WHERE tenant = :tenant")
# The claim of the dead runs out now, and not in ten seconds.
_LAPSE = text("UPDATE indexings SET due_at = now() WHERE tenant = :tenant AND due_at > now()")


@dataclass(frozen=True)
class Stage:
    """A database, and who may do what in it."""

    urls: MigrationUrls
    keys: Keys
    blobs: Path

    @asynccontextmanager
    async def replica(self, **settings: Any) -> AsyncGenerator[Library]:
        """Serves documents while the block runs."""
        chosen = settings_for(self.urls, self.keys, self.blobs, **settings)
        async with library(chosen, self.keys, self.urls) as opened:
            yield opened

    def environment(self) -> dict[str, str]:
        """Returns what a process of the service is started with."""
        values = {
            "DATABASE_URL": self.urls.service,
            "SYSTEM_DATABASE_URL": self.urls.system,
            "BLOBS_URL": f"file://{self.blobs}",
            "GATEKEEPER_TARGET": "ipv4:127.0.0.1:1",
            "SIGNING_KEY": self.keys.signing("embedding"),
            "TRUSTED_KEYS": json.dumps(self.keys.trusted),
            "LISTEN_ADDRESS": "127.0.0.1:0",
            "METRICS_ADDRESS": "127.0.0.1:0",
        }
        named = {f"EMBEDDING_{name}": value for name, value in values.items()}
        return {"PATH": os.environ["PATH"], **named}


async def main() -> int:
    """Does both, and says what was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.knowledge", description=__doc__)
    parser.add_argument("--sequences", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=50, help="in each phase")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="turnpike-faults-") as home,
        LocalPostgres(Path(home) / "postgres", settings=FLEETING) as postgres,
    ):
        urls = await Schemas(postgres.url).of("embedding")
        stage = Stage(urls, Keys({name: os.urandom(32) for name in SERVICES}), Path(home))
        print(f"seed {options.seed}, load {os.getloadavg()[0]:.1f}", flush=True)
        faults = await revert_all(stage, options.sequences, options.seed)
        print(
            f"{options.sequences} sequences of {ACTIONS} changes taken back: {len(faults)} faults"
        )
        chance = random.Random(options.seed)
        for phase in PHASES if options.kills else ():
            found = [await kill(stage, phase, chance) for _ in range(options.kills)]
            faults += [fault for each in found for fault in each]
            print(f"{options.kills} kills from {phase} on: {sum(map(len, found))} faults")
            sys.stdout.flush()
    print("\n".join(faults))
    return int(bool(faults))


async def revert_all(stage: Stage, sequences: int, seed: int) -> list[str]:
    """Takes sequences back, each of a tenant of its own; returns what was not as before."""
    numbers, faults = iter(range(sequences)), list[str]()
    async with stage.replica() as opened:

        async def take_back() -> None:
            for number in numbers:
                tenant = opened.tenant()
                await tenant.begin(language="english")
                found = await taken_back(tenant, random.Random(seed + number), actions=ACTIONS)
                faults.extend(f"sequence {seed + number}: {fault}" for fault in found)

        await asyncio.gather(*(take_back() for _ in range(AT_ONCE)))
    return faults


async def kill(stage: Stage, phase: str, chance: random.Random) -> list[str]:
    """Kills a process soon after a phase began; returns what whoever went on did wrong."""
    original = file(chance)
    async with stage.replica(index_jobs=0) as idle:
        tenant = idle.tenant()
        await tenant.begin(max_tokens=CHUNK_TOKENS)
        await tenant.put(PATH, original)
        await killed(stage, tenant, phase, chance)
        kept = await _scalar(tenant, _CHUNKS)
        async with idle.stores.system.begin() as connection:
            await connection.execute(_LAPSE, {"tenant": UUID(tenant.id)})
    async with stage.replica() as opened:
        mine, other = tenant.on(opened), opened.tenant()
        indexing = await mine.indexed(PATH)
        embedded = len(mine.embedded)
        await other.begin(max_tokens=CHUNK_TOKENS)
        await other.put(PATH, original)
        await other.indexed(PATH)
        faults = list[str]()
        if await mine.vectors() != await other.vectors():
            faults.append(f"{phase}: the vectors are others: {indexing}")
        if embedded > indexing.total - kept:
            faults.append(f"{phase}: {embedded} of {indexing.total} embedded, {kept} were there")
    return faults


async def killed(stage: Stage, tenant: Tenant, phase: str, chance: random.Random) -> None:
    """Runs a process until a document's indexing has come to a phase, and a little on."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "turnpike.embedding",
        env=stage.environment(),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            while PHASES.index(await _scalar(tenant, _STATE)) < PHASES.index(phase):
                await asyncio.sleep(_POLL_SECONDS)
        await asyncio.sleep(chance.uniform(0, 0.3))
    finally:
        process.kill()
        await process.wait()


async def _scalar(tenant: Tenant, statement: Any) -> Any:
    async with tenant.library.stores.system.connect() as connection:
        return await connection.scalar(statement, {"tenant": UUID(tenant.id)})


def file(chance: random.Random) -> bytes:
    """Returns a PDF that nobody has seen."""
    lines = (
        f"Part {chance.random()} of the rules says what {number} is." for number in range(LINES)
    )
    return pdf(") Tj T* (".join(lines))


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
