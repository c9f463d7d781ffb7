"""Files in what is said to an agent: shown as they were, however often, to whoever is asked."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from tests.agent_runtime.files.keeping import PNG, TEXT, blobs_of, delete, download, upload
from tests.agent_runtime.serving import Metadata, Tenant
from tests.agent_runtime.threads import test_conversations as threads
from tests.doubles.model_server import ModelServer
from tests.waiting import refusal, until
from turnpike.agent_runtime.files.sweeping import sweep
from turnpike.agent_runtime.settings import Settings
from turnpike.api.agent_runtime.v1 import file_service_pb2
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.api.agent_runtime.v1.turn_service_pb2 import (
    ON_BUSY_ENQUEUE,
    CancelTurnRequest,
    ContentPart,
    FilePart,
    StartTurnRequest,
)
from turnpike.blobs.opening import open_store
from turnpike.database.engine import open_engine

PICTURE = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


async def agent(tenant: Tenant, url: str, **model: Any) -> None:
    await tenant.model(provider="openai", model="n=1", base_url=url, api_key="sk", **model)
    await tenant.agent()


def part(file: file_service_pb2.File | str, *, image: bool = False) -> ContentPart:
    file = file if isinstance(file, str) else file.id
    return ContentPart(file=FilePart(file=file, image=image))


async def start(
    tenant: Tenant, *parts: ContentPart, metadata: Metadata | None = None, **fields: Any
) -> Turn:
    request = StartTurnRequest(agent="agent", input=parts, **fields)
    response = await tenant.runtime.turns.StartTurn(request, metadata=metadata or tenant.admin)
    return response.turn


async def completed(tenant: Tenant, *parts: ContentPart, **fields: Any) -> Turn:
    turn = await tenant.ended((await start(tenant, *parts, **fields)).id)
    assert turn.status == 4, turn.error
    return turn


def users(provider: ModelServer) -> list[Any]:
    """Returns what the last request had the user say."""
    messages = orjson.loads(provider.sent[-1])["messages"]
    return [each["content"] for each in messages if each["role"] == "user"]


async def swept(settings: Settings) -> int:
    async with open_engine(settings.system_database_url.get_secret_value(), pool_size=1) as engine:
        return await sweep(engine, open_store(settings, "agent-runtime"))


async def test_a_model_is_shown_images_as_such_and_text_as_text(
    tenant: Tenant, provider: ModelServer, provider_url: str
):
    await agent(tenant, provider_url)
    notes, picture = await upload(tenant, TEXT), await upload(tenant, PNG, name="a.png")

    await completed(tenant, ContentPart(text="look"), part(notes), part(picture, image=True))

    assert users(provider) == [
        [
            {"type": "text", "text": f"look\n[notes.txt]\n{TEXT.decode()}"},
            {"type": "image_url", "image_url": {"url": PICTURE}},
        ]
    ]


async def test_later_turns_send_the_same_bytes_again_also_of_what_was_deleted(
    tenant: Tenant, provider: ModelServer, provider_url: str, settings: Settings
):
    await agent(tenant, provider_url)
    picture = await upload(tenant, PNG, name="a.png")
    first = await completed(tenant, ContentPart(text="look"), part(picture))
    before = provider.sent[-1]

    await delete(tenant, picture.id)
    await swept(settings)
    await completed(tenant, ContentPart(text="again"), thread=first.thread)

    assert users(provider)[0] == orjson.loads(before)["messages"][0]["content"]
    messages = before[before.index(b'"messages":[') :].partition(b"}]}]")[0]
    assert messages in provider.sent[-1]
    assert PICTURE.encode() in messages


async def test_messages_say_which_file_was_given(tenant: Tenant, provider_url: str):
    await agent(tenant, provider_url)
    picture = await upload(tenant, PNG, name="a.png")
    turn = await completed(tenant, ContentPart(text="look"), part(picture))

    said = (await threads.messages(tenant, turn.thread))[0].parts

    assert said[0].text == "look"
    assert said[1].file == FilePart(
        file=picture.id,
        image=True,
        name="a.png",
        media_type="image/png",
        size=len(PNG),
        sha256=picture.sha256,
    )


async def test_no_image_is_kept_in_the_ledger_of_prompts(
    tenant: Tenant, provider_url: str, superuser: asyncpg.Connection
):
    await agent(tenant, provider_url)
    turn = await completed(tenant, part(await upload(tenant, PNG, name="a.png")))

    rows = await superuser.fetch(
        "SELECT p::text AS text FROM prefix_elements p WHERE tenant = $1", UUID(tenant.id)
    )

    kept = "".join(row["text"] for row in rows)
    assert turn.thread
    assert rows
    assert base64.b64encode(PNG).decode() not in kept


@pytest.mark.parametrize(
    ("content", "name", "image", "message"),
    [
        (b"%PDF-1.7", "a.pdf", False, "cannot be shown"),
        (b"\0\1", "a.bin", False, "cannot be shown"),
        (TEXT, "a.txt", True, "no image"),
        (b"a" * (257 << 10), "a.txt", False, "at most"),
    ],
)
async def test_what_no_model_can_be_shown_is_refused_by_its_field(
    tenant: Tenant, content: bytes, name: str, image: bool, message: str
):
    await tenant.model()
    await tenant.agent()
    file = await upload(tenant, content, name=name)

    refused = await refusal(start(tenant, ContentPart(text="look"), part(file, image=image)))

    assert refused.fields[0][0] == "input[1].file"
    assert message in refused.fields[0][1]


async def test_a_file_that_is_not_the_callers_is_none(
    tenant: Tenant, new_tenant: Callable[[], Awaitable[Tenant]]
):
    await tenant.model()
    await tenant.agent()
    stranger = await new_tenant()
    foreign = await upload(stranger, TEXT)
    others = await upload(tenant, TEXT, metadata=tenant.somebody())
    deleted = await upload(tenant, TEXT)
    await delete(tenant, deleted.id)

    for file, by in (
        (foreign.id, tenant.admin),
        (others.id, tenant.somebody()),
        ("x", tenant.admin),
        ("../x", tenant.admin),
    ):
        refused = await refusal(start(tenant, part(file), metadata=by))
        assert refused.fields[0][0] == "input[0].file"
    assert (await refusal(start(tenant, part(deleted)))).fields[0][0] == "input"


async def test_the_same_request_is_the_same_turn_also_when_its_file_is_deleted(
    tenant: Tenant, provider_url: str
):
    await agent(tenant, provider_url)
    file = await upload(tenant, TEXT)
    turn = await completed(tenant, part(file), request_id="once")

    await delete(tenant, file.id)

    assert (await start(tenant, part(file), request_id="once")).id == turn.id


async def test_a_model_that_takes_images_no_more_is_given_none(
    tenant: Tenant, provider: ModelServer, provider_url: str
):
    await agent(tenant, provider_url)
    picture = await upload(tenant, PNG, name="a.png")
    await tenant.model(provider="openai", model="n=5+hang=3", base_url=provider_url, api_key="sk")
    first = await tenant.start()
    await until(lambda: provider.open_streams == 1)
    queued = await start(tenant, part(picture), thread=first.thread, on_busy=ON_BUSY_ENQUEUE)
    await agent(tenant, provider_url, capabilities=["tools"])
    await tenant.runtime.turns.CancelTurn(CancelTurnRequest(turn=first.id), metadata=tenant.admin)

    assert (await tenant.ended(queued.id)).error.reason == "MODEL_UNUSABLE"
    assert provider.stats["chat"] == 1


async def test_a_file_whose_bytes_were_changed_is_shown_to_nobody(
    tenant: Tenant, provider: ModelServer, provider_url: str, settings: Settings
):
    await agent(tenant, provider_url)
    file = await upload(tenant, TEXT)
    turn = await completed(tenant, part(file))
    (blob,) = await blobs_of(settings, tenant)
    await open_store(settings, "agent-runtime").delete(blob)

    later = await start(tenant, ContentPart(text="again"), thread=turn.thread)

    assert (await tenant.ended(later.id)).error.reason == "FILE_UNREADABLE"


async def test_deleting_a_thread_deletes_what_it_alone_holds(
    tenant: Tenant, provider_url: str, settings: Settings
):
    await agent(tenant, provider_url)
    alone, shared, spare = [await upload(tenant, TEXT, name=f"{i}.txt") for i in range(3)]
    one = await completed(tenant, part(alone), part(shared))
    other = await completed(tenant, part(shared))

    await threads.delete(tenant, one.thread)

    async def is_gone() -> bool:
        await swept(settings)
        return len(await blobs_of(settings, tenant)) == 2

    await until(is_gone)
    assert (await refusal(download(tenant, alone.id))).reason == "NOT_FOUND"
    for file in (shared, spare):
        assert await download(tenant, file.id) == TEXT
    await threads.delete(tenant, other.thread)

    async def is_gone_too() -> bool:
        await swept(settings)
        return len(await blobs_of(settings, tenant)) == 1

    await until(is_gone_too)
    assert await download(tenant, spare.id) == TEXT


async def test_a_sweep_takes_nothing_from_a_turn_that_is_about_to_hold_it(
    tenant: Tenant, provider_url: str, settings: Settings, superuser: asyncpg.Connection
):
    """The turn's claim holds the file's row when the sweep comes by."""
    await agent(tenant, provider_url)
    file = await upload(tenant, TEXT)
    await superuser.execute("UPDATE files SET due = now() - interval '1 h' WHERE id = $1", file.id)
    thread = await threads.create(tenant)

    async with superuser.transaction():
        await superuser.execute(
            "INSERT INTO thread_files (thread, file, tenant) VALUES ($1, $2, $3)",
            thread.id,
            file.id,
            tenant.id,
        )
        await superuser.execute("SELECT FROM files WHERE id = $1 FOR UPDATE", file.id)
        # The row is another's: this sweep leaves it to the next one.
        await swept(settings)
    await swept(settings)

    assert await download(tenant, file.id) == TEXT


async def test_of_a_turn_and_a_deletion_at_once_one_comes_first(
    tenant: Tenant, provider_url: str, settings: Settings
):
    await agent(tenant, provider_url)
    outcomes = set[bool]()
    for _ in range(6):
        file = await upload(tenant, TEXT)
        started, _ = await asyncio.gather(
            start(tenant, part(file)), delete(tenant, file.id), return_exceptions=True
        )
        await swept(settings)
        outcomes.add(isinstance(started, Turn))
        if isinstance(started, Turn):
            assert (await tenant.ended(started.id)).error.reason == ""
    assert outcomes


async def test_what_was_left_behind_by_who_died_is_swept(
    tenant: Tenant, settings: Settings, superuser: asyncpg.Connection
):
    file = await upload(tenant, TEXT)
    await superuser.execute(
        "UPDATE files SET state = 'PENDING', due = now() - interval '1 s' WHERE id = $1", file.id
    )

    async def is_gone() -> bool:
        await swept(settings)
        return not await blobs_of(settings, tenant)

    await until(is_gone)
    assert await superuser.fetchval("SELECT count(*) FROM files WHERE id = $1", file.id) == 0


async def test_an_image_that_the_agents_model_does_not_take_is_refused_at_once(
    tenant: Tenant, provider: ModelServer, provider_url: str
):
    await agent(tenant, provider_url)
    notes, picture = await upload(tenant, TEXT), await upload(tenant, PNG, name="a.png")
    begun = await completed(tenant, part(picture), request_id="before")
    await agent(tenant, provider_url, capabilities=["tools"])
    asked = provider.stats["chat"]

    error = await refusal(start(tenant, part(notes), part(picture)))

    assert (error.reason, error.fields[0]) == (
        "INVALID_ARGUMENT",
        ("input[1].file", "model 'model' takes no images"),
    )
    assert (await start(tenant, part(picture), request_id="before")).id == begun.id
    assert provider.stats["chat"] == asked
    await completed(tenant, part(notes))


async def test_the_same_bytes_uploaded_again_are_the_same_request(
    tenant: Tenant, provider_url: str
):
    await agent(tenant, provider_url)
    pictures = [await upload(tenant, PNG, name="a.png") for _ in range(2)]
    other = await upload(tenant, PNG, name="b.png")

    first, again = [await start(tenant, part(each), request_id="once") for each in pictures]

    assert again.id == first.id
    error = await refusal(start(tenant, part(other), request_id="once"))
    assert error.reason == "IDEMPOTENCY_KEY_REUSED"
