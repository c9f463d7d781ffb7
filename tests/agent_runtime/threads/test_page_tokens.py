"""Page tokens of turns and messages: they say nothing, and are their tenant's alone."""

from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable

import asyncpg
from grpc import StatusCode

from tests.agent_runtime.serving import Tenant
from tests.waiting import refusal
from turnpike.api.agent_runtime.v1 import thread_service_pb2 as pb
from turnpike.api.agent_runtime.v1.turn_service_pb2 import ListTurnsRequest
from turnpike.rpc.paging import page_token


async def turns_page(tenant: Tenant, token: str = "") -> tuple[list[str], str]:
    request = ListTurnsRequest(page_size=1, page_token=token)
    page = await tenant.runtime.turns.ListTurns(request, metadata=tenant.admin)
    return [turn.id for turn in page.turns], page.next_page_token


async def messages_page(tenant: Tenant, thread: str, token: str = "") -> tuple[list[str], str]:
    request = pb.ListMessagesRequest(thread=thread, page_size=1, page_token=token)
    page = await tenant.runtime.threads.ListMessages(request, metadata=tenant.admin)
    return [message.id for message in page.messages], page.next_page_token


async def two_turns(tenant: Tenant) -> list[str]:
    """Two turns, newest first; the second one in the thread of the first."""
    await tenant.model()
    await tenant.agent()
    first = await tenant.ended((await tenant.start("one")).id)
    second = await tenant.ended((await tenant.start("two", thread=first.thread)).id)
    return [second.id, first.id]


async def test_they_lead_on_and_do_not_tell_a_row_s_number(
    tenant: Tenant, superuser: asyncpg.Connection
):
    newest, oldest = await two_turns(tenant)
    thread = (await tenant.turn(newest)).thread
    numbers = await superuser.fetch(
        "SELECT position FROM turns WHERE id = $1 OR id = $2", newest, oldest
    )

    first, token = await turns_page(tenant)
    second, end = await turns_page(tenant, token)
    _, of_messages = await messages_page(tenant, thread)

    assert (first, second, end) == ([newest], [oldest], "")
    for each in (token, of_messages):
        plain = each.encode() + urlsafe_b64decode(each.rpartition(".")[2])
        assert not any(b'"%d"' % row["position"] in plain for row in numbers)
    assert (await turns_page(tenant))[1] != token


async def test_another_tenant_s_are_none_nor_is_what_somebody_made_up(
    tenant: Tenant, new_tenant: Callable[[], Awaitable[Tenant]]
):
    newest, _ = await two_turns(tenant)
    _, token = await turns_page(tenant)
    other = await new_tenant()

    for who, forged in (
        (other, token),
        (tenant, page_token(2**40)),
        (tenant, token[:-2]),
        (tenant, "v1.unknown.AAAA"),
        (tenant, "v1..ä"),
    ):
        refused = await refusal(turns_page(who, forged))
        assert (refused.code, refused.fields[0][0]) == (StatusCode.INVALID_ARGUMENT, "page_token")
    thread = (await tenant.turn(newest)).thread
    assert (await refusal(messages_page(tenant, thread, token))).code is StatusCode.INVALID_ARGUMENT
