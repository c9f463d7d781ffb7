"""Replicas that carry migrations on: how they come up, and how they are killed."""

import asyncio
import json
from pathlib import Path

import asyncpg
from sqlalchemy import text

from tests.conftest import Keys, Schemas
from tests.embedding.knowledge.serving import Tenant, held, killed, library, settings_for
from tests.embedding.knowledge.test_migrating import (
    NEW,
    begin,
    compared,
    first_token,
    kept,
    migration,
    over,
)
from tests.waiting import until
from turnpike.database.migration import MigrationUrls

DOCUMENTS = 6
COMPARED = 2 * DOCUMENTS
"""How many questions the two models are asked."""

_LAPSE = "UPDATE embedding.{} SET due_at = now() WHERE due_at > now()"
_HOLD = "SELECT FROM embedding.documents WHERE path = '/0.md' FOR NO KEY UPDATE"
_CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    " AND datname = current_database() AND query LIKE 'LOCK TABLE model_keys%'"
)


async def test_a_replica_comes_up_though_what_it_registers_in_is_cut(
    knowledge_urls: MigrationUrls, keys: Keys, tmp_path: Path
):
    settings = settings_for(knowledge_urls, keys, tmp_path, index_jobs=0)

    async def come_up() -> None:
        async with library(settings, keys, knowledge_urls):
            pass

    await come_up()
    async with held(knowledge_urls, "LOCK TABLE embedding.model_keys"):
        coming = asyncio.create_task(come_up())
        watching = await asyncpg.connect(knowledge_urls.migration)

        async def is_cut() -> bool:
            return bool(await watching.fetch(_CUT))

        await until(is_cut)
        await watching.close()
    await coming


async def test_a_migration_survives_sigkill_and_embeds_nothing_twice(
    schemas: Schemas, keys: Keys, tmp_path: Path
):
    urls = await schemas.apart("embedding")
    settings = settings_for(urls, keys, tmp_path, models=[first_token()])
    idle = settings.model_copy(update={"index_jobs": 0})
    async with library(idle, keys, urls) as watching:
        tenant = watching.tenant()
        await tenant.begin()
        for number in range(DOCUMENTS):
            await tenant.put(f"/{number}.md", f"The toll of bridge {number} is due at dawn.")
        await begin(tenant)
        # One of them can be shown to nobody: the process is killed before the last.
        both = json.dumps([first_token()])
        async with held(urls, _HOLD), killed(urls, keys, tmp_path, MODELS=both):
            await until(lambda: is_partly_done(tenant), 60)
        already = sum((await kept(tenant)).values())
        async with watching.superuser() as connection:
            # The claims of the dead run out now, and not in ten seconds.
            for table in ("indexings", "migrations"):
                await connection.execute(text(_LAPSE.format(table)))
    async with library(settings, keys, urls) as second:
        tenant = tenant.on(second)
        shown = await compared(tenant)
        embedded = len(tenant.embedded)
        await migration(tenant, "Activate")
        await over(tenant)

        assert (shown.done, shown.total, shown.failed) == (DOCUMENTS, DOCUMENTS, 0)
        assert embedded <= 2 * DOCUMENTS - already + COMPARED, "what was there is not made again"
        assert await kept(tenant) == {NEW: DOCUMENTS}


async def is_partly_done(tenant: Tenant) -> bool:
    return (await migration(tenant, "Get")).done > 1
