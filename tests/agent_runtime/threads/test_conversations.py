"""What is kept of a conversation, and who may see it."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest
from grpc import StatusCode

from tests.agent_runtime.serving import Metadata, Tenant
from tests.doubles.model_server import ModelServer
from tests.waiting import refusal, until
from turnpike.api.agent_runtime.v1 import thread_service_pb2 as pb
from turnpike.api.agent_runtime.v1.turn_pb2 import TurnStatus
from turnpike.api.agent_runtime.v1.turn_service_pb2 import (
    ON_BUSY_ENQUEUE,
    CancelTurnRequest,
    ListTurnsRequest,
)


async def create(tenant: Tenant, by: Metadata | None = None, **fields: Any) -> pb.Thread:
    request = pb.CreateThreadRequest(thread=pb.Thread(**fields))
    response = await tenant.runtime.threads.CreateThread(request, metadata=by or tenant.admin)
    return response.thread


async def get(tenant: Tenant, thread: str, by: Metadata | None = None) -> pb.Thread:
    request = pb.GetThreadRequest(id=thread)
    response = await tenant.runtime.threads.GetThread(request, metadata=by or tenant.admin)
    return response.thread


async def update(
    tenant: Tenant, thread: str, by: Metadata | None = None, **fields: Any
) -> pb.Thread:
    request = pb.UpdateThreadRequest(id=thread, **fields)
    response = await tenant.runtime.threads.UpdateThread(request, metadata=by or tenant.admin)
    return response.thread


async def delete(tenant: Tenant, thread: str, by: Metadata | None = None) -> None:
    request = pb.DeleteThreadRequest(id=thread)
    await tenant.runtime.threads.DeleteThread(request, metadata=by or tenant.admin, timeout=30)


async def listed(tenant: Tenant, by: Metadata | None = None, size: int = 0) -> list[str]:
    found, token = list[str](), ""
    while True:
        request = pb.ListThreadsRequest(page_size=size, page_token=token)
        page = await tenant.runtime.threads.ListThreads(request, metadata=by or tenant.admin)
        found += [thread.id for thread in page.threads]
        token = page.next_page_token
        if not token:
            return found


async def messages(tenant: Tenant, thread: str, size: int = 0) -> list[pb.Message]:
    found, token = list[pb.Message](), ""
    while True:
        request = pb.ListMessagesRequest(thread=thread, page_size=size, page_token=token)
        page = await tenant.runtime.threads.ListMessages(request, metadata=tenant.admin)
        found += page.messages
        token = page.next_page_token
        if not token:
            return found


def said(message: pb.Message) -> tuple[str, str]:
    return message.role, "".join(part.text for part in message.parts)


async def streaming(tenant: Tenant, url: str, model: str) -> None:
    """Gives the tenant an agent on a scripted provider."""
    await tenant.model(provider="openai", base_url=url, model=model, api_key="k")
    await tenant.agent()


async def until_open(provider: ModelServer) -> None:
    await until(lambda: bool(provider.open_streams))


async def test_a_thread_is_what_was_asked_for(tenant: Tenant):
    made = await create(tenant, title="A trip", metadata={"a": "b"})

    assert (made.title, dict(made.metadata), made.temporary) == ("A trip", {"a": "b"}, False)
    assert made == await get(tenant, made.id)
    assert made.create_time == made.update_time


async def test_what_is_not_named_is_kept(tenant: Tenant):
    made = await create(tenant, title="A trip", metadata={"a": "b"})

    renamed = await update(tenant, made.id, title="Rome", metadata={"c": "d"})
    noted = await update(tenant, made.id, metadata={"c": "d"}, replace_metadata=True)
    emptied = await update(tenant, made.id, title="", replace_metadata=True)

    assert (renamed.title, dict(renamed.metadata)) == ("Rome", {"a": "b"})
    assert (noted.title, dict(noted.metadata)) == ("Rome", {"c": "d"})
    assert (emptied.title, dict(emptied.metadata)) == ("", {})
    assert renamed.update_time.ToNanoseconds() > made.update_time.ToNanoseconds()


async def test_threads_are_listed_newest_first_page_by_page(tenant: Tenant):
    made = [(await create(tenant)).id for _ in range(5)]

    assert await listed(tenant, size=2) == list(reversed(made))
    assert await listed(tenant) == list(reversed(made))


async def test_a_temporary_thread_is_not_listed(tenant: Tenant):
    kept = await create(tenant)
    temporary = await create(tenant, temporary=True)

    assert await listed(tenant) == [kept.id]
    assert (await get(tenant, temporary.id)).temporary


async def test_what_was_said_is_listed_in_order_page_by_page(tenant: Tenant):
    await tenant.model()
    await tenant.agent()
    first = await tenant.start("one")
    await tenant.ended(first.id)
    for text in ("two", "three"):
        await tenant.ended((await tenant.start(text, thread=first.thread)).id)

    whole = await messages(tenant, first.thread)

    assert [message.role for message in whole] == ["user", "assistant"] * 3
    assert [said(message)[1] for message in whole[::2]] == ["one", "two", "three"]
    assert all("You said" in said(message)[1] for message in whole[1::2])
    assert len({message.id for message in whole}) == 6
    assert whole[0].turn == whole[1].turn == first.id
    assert not any(message.unfinished for message in whole)
    for size in (1, 2, 3, 4, 5, 6):
        assert await messages(tenant, first.thread, size) == whole


async def test_an_answer_appears_when_the_turn_has_ended(
    tenant: Tenant, provider: ModelServer, provider_url: str
):
    await streaming(tenant, provider_url, "n=5+hang=3")
    turn = await tenant.start("hello")
    await until_open(provider)

    while_it_runs = await messages(tenant, turn.thread)
    cancel = CancelTurnRequest(turn=turn.id)
    cancelled = (await tenant.runtime.turns.CancelTurn(cancel, metadata=tenant.admin)).turn
    question, answer = await messages(tenant, turn.thread)

    assert [said(message) for message in while_it_runs] == [("user", "hello")]
    assert said(question) == ("user", "hello")
    assert said(answer) == ("assistant", cancelled.text)
    assert answer.unfinished


async def test_deleting_a_thread_deletes_all_that_is_in_it_and_nothing_else(
    tenant: Tenant, superuser: asyncpg.Connection
):
    await tenant.model()
    await tenant.agent()
    gone, kept = [await tenant.ended((await tenant.start()).id) for _ in range(2)]

    await delete(tenant, gone.thread)

    assert await listed(tenant) == [kept.thread]
    assert len(await messages(tenant, kept.thread)) == 2
    for call in (get(tenant, gone.thread), messages(tenant, gone.thread), tenant.turn(gone.id)):
        assert (await refusal(call)).code is StatusCode.NOT_FOUND
    for table in ("turns", "steps", "batches"):
        column = "id" if table == "turns" else "turn"
        count = f"SELECT count(*) FROM {table} WHERE {column} = $1"
        assert await superuser.fetchval(count, UUID(gone.id)) == 0
        assert await superuser.fetchval(count, UUID(kept.id)) > 0
    assert (await refusal(delete(tenant, gone.thread))).code is StatusCode.NOT_FOUND


async def test_deleting_a_thread_stops_what_runs_and_what_waits_in_it(
    tenant: Tenant, provider: ModelServer, provider_url: str
):
    await streaming(tenant, provider_url, "n=5+hang=3")
    running = await tenant.start()
    queued = [await tenant.start(thread=running.thread, on_busy=ON_BUSY_ENQUEUE) for _ in range(3)]
    await until_open(provider)

    await delete(tenant, running.thread)

    assert {turn.status for turn in queued} == {TurnStatus.TURN_STATUS_QUEUED}
    await until(lambda: provider.open_streams == 0)
    assert provider.stats["chat"] == 1
    request = ListTurnsRequest()
    turns = await tenant.runtime.turns.ListTurns(request, metadata=tenant.admin)
    assert not turns.turns


async def test_nothing_starts_in_a_thread_that_is_being_deleted(
    tenant: Tenant, superuser: asyncpg.Connection
):
    await tenant.model()
    await tenant.agent()
    thread = await create(tenant)
    await superuser.execute("UPDATE threads SET deleting = true WHERE id = $1", UUID(thread.id))

    refused = await refusal(tenant.start(thread=thread.id))

    assert refused.code is StatusCode.NOT_FOUND
    assert await listed(tenant) == []


async def test_a_thread_whose_deletion_was_broken_off_can_be_deleted(
    tenant: Tenant, superuser: asyncpg.Connection
):
    thread = await create(tenant)
    await superuser.execute("UPDATE threads SET deleting = true WHERE id = $1", UUID(thread.id))

    await delete(tenant, thread.id)

    count = "SELECT count(*) FROM threads WHERE id = $1"
    assert await superuser.fetchval(count, UUID(thread.id)) == 0


async def test_a_thread_is_its_maker_s_and_the_admins_alone(tenant: Tenant):
    mine, theirs = tenant.somebody(), tenant.somebody()
    thread = await create(tenant, mine, title="mine")

    refused = [
        await refusal(get(tenant, thread.id, theirs)),
        await refusal(update(tenant, thread.id, theirs, title="theirs")),
        await refusal(delete(tenant, thread.id, theirs)),
        await refusal(
            tenant.runtime.threads.ListMessages(
                pb.ListMessagesRequest(thread=thread.id), metadata=theirs
            )
        ),
    ]

    assert {each.code for each in refused} == {StatusCode.NOT_FOUND}
    assert await listed(tenant, theirs) == []
    assert await listed(tenant, mine) == await listed(tenant) == [thread.id]
    assert (await update(tenant, thread.id, title="the admin's")).title == "the admin's"


async def test_a_viewer_changes_nothing(tenant: Tenant):
    thread = await create(tenant)
    viewer = tenant.somebody("viewer")

    refused = [
        await refusal(create(tenant, viewer)),
        await refusal(update(tenant, thread.id, viewer, title="x")),
        await refusal(delete(tenant, thread.id, viewer)),
    ]

    assert {each.reason for each in refused} == {"FORBIDDEN"}


@pytest.mark.parametrize("name", ["x", "", "\0", "00000000-0000-0000-0000-00000000000g"])
async def test_what_is_no_id_names_nothing(tenant: Tenant, name: str):
    for call in (get(tenant, name), update(tenant, name), delete(tenant, name)):
        assert (await refusal(call)).code is StatusCode.NOT_FOUND
