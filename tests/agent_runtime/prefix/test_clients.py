"""Sessions of clients that send their history again: its bytes, and when it is committed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.agent_runtime.prefix.client import Client, complete, respelling, settled, usage
from tests.agent_runtime.prefix.ledgers import Ledgers, begins_with, is_one_prefix
from tests.doubles.model_server import ModelServer
from tests.waiting import until
from turnpike.agent_runtime.prefix.clients import PATIENCE, ClientSessions
from turnpike.agent_runtime.prefix.counting import COMMITS
from turnpike.agent_runtime.prefix.elements import reply_element
from turnpike.agent_runtime.prefix.keys import Salt
from turnpike.agent_runtime.prefix.model import Miss, Reason
from turnpike.agent_runtime.prefix.store import PrefixStore
from turnpike.agent_runtime.prefix.sweeping import sweep
from turnpike.agent_runtime.settings import Settings
from turnpike.database.engine import open_engine, open_pool
from turnpike.database.migration import MigrationUrls


@asynccontextmanager
async def serving(
    pool: asyncpg.Pool, patience: timedelta = PATIENCE
) -> AsyncGenerator[ClientSessions]:
    """Serves sessions while inside, as a replica does."""
    sessions = ClientSessions(PrefixStore(pool), Salt(bytes(32)), patience=patience)
    task = asyncio.create_task(sessions.serve())
    await asyncio.sleep(0)
    try:
        yield sessions
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def pool(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Pool]:
    """Connections of the service role."""
    pool = await open_pool(urls.service, max_size=4)
    yield pool
    await pool.close()


@pytest.fixture
async def sessions(pool: asyncpg.Pool) -> AsyncGenerator[ClientSessions]:
    """A replica's sessions."""
    async with serving(pool) as served:
        yield served


@pytest.fixture
async def client(sessions: ClientSessions, provider: ModelServer, provider_url: str) -> Client:
    """A client with a conversation of its own."""
    return Client(sessions, provider_url)


def counted(outcome: str) -> float:
    return COMMITS.labels(outcome=outcome)._value.get()  # pyright: ignore[reportPrivateUsage]


async def test_row_46_a_client_that_respells_its_whole_history_keeps_its_prefix(
    client: Client, provider: ModelServer
):
    client.model = 'n=3+tool=read+calls=2+arg={"n": 1.50, "größe": "é", "z": [1, null]}'
    client.spell = respelling(7)

    misses: list[Miss | None] = []
    for number in range(7):
        misses.append((await client.ask(f"turn {number}: ü")).miss)
        for call in client.messages[-1].get("tool_calls", []):
            client.messages.append(
                {"role": "tool", "tool_call_id": call["id"], "content": f"result {number}"}
            )
        await settled(client)
        begun = await client.begin()
        misses.append(begun.miss)
        client.hear(begun, await complete(begun))
        await settled(client)

    assert [miss.reason for miss in misses if miss] == [Reason.NEW_SESSION], misses
    assert len(provider.sent) == 14
    assert is_one_prefix(provider.sent)
    prompts = list(provider.prompts)
    reusable = sum(prompt.tokens for prompt in prompts[:-1])
    assert sum(prompt.cached for prompt in prompts) / reusable >= 0.97


async def test_the_same_client_loses_its_prefix_without_a_ledger(
    client: Client, provider: ModelServer
):
    client.spell = respelling(7)

    for number in range(7):
        # Each time in another session: nothing is known of what was sent.
        client.given = str(number)
        await client.ask("x" * 400)

    assert not is_one_prefix(provider.sent)


async def test_row_45_conversations_with_the_same_opening_stay_apart(
    client: Client, ledgers: Ledgers
):
    other = replace(client, given="another", messages=[], principal=client.principal)

    first, second = await client.ask("hello"), await other.ask("hello")
    await settled(client)

    assert first.cache_key != second.cache_key
    assert len(await ledgers.sessions_of(str(client.tenant))) == 2
    again = await client.ask("and then?")
    assert (again.revision, again.miss) == (1, None)


async def test_row_52_two_tenants_with_the_same_opening_share_nothing(
    client: Client, provider: ModelServer, ledgers: Ledgers
):
    other = replace(client, tenant=uuid4(), messages=[])
    client.messages.append({"role": "system", "content": "canary-of-the-first"})

    first = await client.ask("hello")
    second = await other.ask("hello")
    await settled(client)

    assert first.cache_key != second.cache_key
    assert provider.prompts[1].cached == 0
    assert b"canary-of-the-first" in provider.sent[0]
    assert b"canary-of-the-first" not in provider.sent[1]
    ours = await ledgers.sessions_of(str(client.tenant))
    assert not set(ours) & set(await ledgers.sessions_of(str(other.tenant)))


async def test_row_53_each_tenant_keeps_its_newest_up_to_its_bound(
    client: Client, ledgers: Ledgers, settings: Settings
):
    async def spoken(tenant: UUID, given: str) -> str:
        before = set(await ledgers.sessions_of(str(tenant)))
        await replace(client, tenant=tenant, given=given, messages=[]).ask("x" * 50_000)
        await settled(client)
        (session,) = set(await ledgers.sessions_of(str(tenant))) - before
        return session

    large, small = uuid4(), uuid4()
    oldest, older, newest = [await spoken(large, f"{number}") for number in range(3)]
    only = await spoken(small, "0")
    for hours, session in enumerate((newest, older, oldest, only), start=1):
        await ledgers.age(session, hours)

    async with open_engine(settings.system_database_url.get_secret_value()) as engine:
        await sweep(engine, 120_000)

    sessions = (oldest, older, newest, only)
    evicted = [(await ledgers.row(session))["evicted"] for session in sessions]
    assert evicted == [True, False, False, False]
    assert [bool(await ledgers.elements(session)) for session in sessions] == [
        not each for each in evicted
    ]


async def test_row_48_of_two_writers_one_is_told_that_it_is_stale(client: Client, ledgers: Ledgers):
    await client.ask("one")
    await settled(client)
    left, right = (replace(client, messages=list(client.messages)) for _ in range(2))
    for each, text in ((left, "left"), (right, "right")):
        each.messages.append({"role": "user", "content": text})
    begun = [await left.begin(), await right.begin()]
    assert begun[0].revision == begun[1].revision == 1
    committed, stale = counted("COMMITTED"), counted("STALE")

    for each, one in zip((left, right), begun, strict=True):
        each.hear(one, await complete(one))
        await settled(each)

    assert (counted("COMMITTED") - committed, counted("STALE") - stale) == (1, 1)
    (session,) = await ledgers.sessions_of(str(client.tenant))
    held = b"".join(await ledgers.elements(session))
    assert b"left" in held and b"right" not in held
    # Who was told so loses nothing: the whole of its history is sent, and then committed.
    begun_again = await right.ask("and?")
    await settled(right)
    assert begun_again.miss is not None and begun_again.miss.reason is Reason.DIVERGENCE
    assert b"right" in b"".join(await ledgers.elements(session))


async def test_the_next_request_waits_for_a_commit_under_way_on_another_replica(
    client: Client, pool: asyncpg.Pool, superuser: asyncpg.Connection, ledgers: Ledgers
):
    await client.ask("one")
    await settled(client)
    (session,) = await ledgers.sessions_of(str(client.tenant))
    client.messages.append({"role": "user", "content": "two"})
    begun = await client.begin()
    completion = await complete(begun)
    async with serving(pool, timedelta(seconds=15)) as elsewhere:
        # The commit cannot go on until this transaction is over; the client asks meanwhile.
        async with superuser.transaction():
            await superuser.execute(
                "SELECT FROM prefix_sessions WHERE session = $1 FOR UPDATE", session
            )
            client.hear(begun, completion)
            reader = PrefixStore(pool)
            looked = await reader.read(client.tenant, session)
            assert looked.head.pending == 3
            client.sessions, here = elsewhere, client.sessions
            client.messages.append({"role": "user", "content": "three"})
            waiting = asyncio.create_task(client.begin())
            await until(lambda: bool(here.under_way))
        following = await asyncio.wait_for(waiting, 15)
        await settled(replace(client, sessions=here))

    assert (following.miss, following.revision) == (None, begun.revision + 1)
    assert begins_with(
        b'{"messages":[' + b",".join(following.messages) + b"]}",
        b'{"messages":[' + b",".join(begun.messages) + b"]}",
    )


async def test_who_waits_in_vain_goes_on_after_a_moment(client: Client):
    client.messages.append({"role": "user", "content": "one"})
    begun = await client.begin()
    client.messages.append({"role": "assistant", "content": "whatever"})
    client.messages.append({"role": "user", "content": "two"})

    # Nobody ever commits the first one.
    following = await asyncio.wait_for(client.begin(), 15)

    assert begun.revision == following.revision == 0


async def test_a_second_request_beside_the_first_does_not_wait_and_says_so(client: Client):
    await client.ask("one")
    await settled(client)
    client.messages.append({"role": "user", "content": "two"})
    await client.begin()
    client.messages[-1] = {"role": "user", "content": "something else"}
    client.messages[0] = {"role": "user", "content": "another beginning"}

    beside = await client.begin()

    assert beside.miss is not None and beside.miss.reason is Reason.BUSY_FORK


async def test_an_interrupted_reply_starts_an_epoch(client: Client, ledgers: Ledgers):
    first = await client.ask("one")
    await settled(client)
    client.messages.append({"role": "user", "content": "two"})
    begun = await client.begin()
    client.sessions.commit(begun, reply=reply_element("half an "), reported=None, interrupted=True)
    await settled(client)

    client.messages.append({"role": "assistant", "content": "half an ans"})
    following = await client.ask("go on")
    await settled(client)

    assert following.epoch == first.epoch + 1
    assert following.miss is not None and following.miss.reason is Reason.INTERRUPTED
    # What was sent before is sent in its bytes all the same.
    assert list(following.messages[:3]) == list(begun.messages)
    (session,) = await ledgers.sessions_of(str(client.tenant))
    assert not any(b'half an "' in each for each in await ledgers.elements(session))


async def test_reasoning_that_a_client_sends_again_is_sent_on(client: Client):
    await client.ask("one")
    await settled(client)
    client.messages[-1] = {**client.messages[-1], "reasoning_content": "hmm"}

    following = await client.ask("two")

    assert following.miss is None
    assert b"hmm" in following.messages[1]


async def test_a_commit_that_postgres_refuses_is_named_and_counted(client: Client):
    client.messages.append({"role": "user", "content": "one"})
    begun = await client.begin()
    completion = await complete(begun)
    refused = counted("CharacterNotInRepertoireError")

    # Postgres stores no NUL: trying again would not help.
    client.sessions.commit(
        replace(begun, asking=replace(begun.asking, request="\0")),
        reply=reply_element("x"),
        reported=usage(completion),
    )
    await settled(client)

    assert counted("CharacterNotInRepertoireError") - refused == 1


async def test_a_commit_is_tried_again_until_postgres_is_back(
    client: Client, superuser: asyncpg.Connection, ledgers: Ledgers
):
    client.messages.append({"role": "user", "content": "one"})
    begun = await client.begin()
    completion = await complete(begun)
    (session,) = await ledgers.sessions_of(str(client.tenant))
    waiting = (
        "SELECT pid FROM pg_locks"
        " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)) LIMIT 1"
    )
    async with superuser.transaction():
        await superuser.execute(
            "SELECT FROM prefix_sessions WHERE session = $1 FOR UPDATE", session
        )
        client.hear(begun, completion)

        async def cut() -> bool:
            pid = await superuser.fetchval(waiting)
            return pid is not None and await superuser.fetchval(
                "SELECT pg_terminate_backend($1)", pid
            )

        # Its connection dies under it.
        await until(cut)
    await settled(client)

    assert (await ledgers.row(session))["revision"] == 1


async def test_a_request_goes_out_as_it_came_when_the_ledger_is_away(
    client: Client, pool: asyncpg.Pool
):
    client.spell = respelling(3)
    client.messages.append({"role": "user", "content": "one"})
    asking = client.asking()
    await pool.close()

    begun = await client.sessions.begin(asking)

    assert begun.miss is not None and begun.miss.reason is Reason.BYPASS
    assert (begun.tools, list(begun.messages)) == (asking.tools, list(asking.messages))
