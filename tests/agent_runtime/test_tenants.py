"""Whatever is called with another tenant's ids, nothing of theirs is found or changed."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from grpc import StatusCode

from tests.agent_runtime.requests import METHODS, NAMES, Texts, call
from tests.agent_runtime.serving import Runtime, Tenant
from tests.agent_runtime.skills.keeping import put_skill, skill
from tests.waiting import refusal
from turnpike.rpc.errors import from_rpc_error

TABLES = (
    *("agents", "agent_versions", "models", "skills", "skill_versions", "threads", "turns"),
    *("turn_skills", "steps", "calls", "batches"),
)

NewTenant = Callable[[], Awaitable[Tenant]]


async def theirs(tenant: Tenant) -> Texts:
    """Gives a tenant one of everything, and returns the ids."""
    await tenant.model("shared")
    await put_skill(tenant, skill("shared"))
    agent = await tenant.agent("shared", model="shared", skills=["shared"])
    turn = await tenant.ended((await tenant.start(agent="shared")).id)
    names = dict.fromkeys(("name", "agent", "model", "inline_agent"), "shared")
    return Texts(
        {
            **names,
            "id": turn.thread,
            "thread": turn.thread,
            "turn": turn.id,
            "version": agent.version,
            "provider": "scripted",
            "text": "hello",
            "skills": "shared",
            "description": "hello",
            "instructions": "hello",
            "key": "region",
        }
    )


async def rows(superuser: asyncpg.Connection, tenant: Tenant) -> dict[str, Any]:
    """Returns everything that the database has of a tenant."""
    return {
        table: await superuser.fetch(
            f"SELECT t::text FROM {table} t WHERE tenant = $1 ORDER BY 1", UUID(tenant.id)
        )
        for table in TABLES
    }


def items(response: Message) -> list[Any]:
    """Returns what a list has."""
    return [item for field, value in response.ListFields() if field.is_repeated for item in value]


async def outcome(
    runtime: Runtime, method: MethodDescriptor, request: Message, by: Tenant
) -> Message | StatusCode:
    try:
        return await call(runtime, method, request, by.admin)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).code


@pytest.mark.parametrize("last_choice", [False, True], ids=["first", "last"])
@pytest.mark.parametrize("method", METHODS, ids=NAMES)
async def test_another_tenant_s_does_not_exist(
    runtime: Runtime,
    new_tenant: NewTenant,
    superuser: asyncpg.Connection,
    method: MethodDescriptor,
    last_choice: bool,
):
    owner, stranger = await new_tenant(), await new_tenant()
    request = (await theirs(owner)).request(method, last_choice=last_choice)
    before = await rows(superuser, owner)

    came = await outcome(runtime, method, request, stranger)

    assert await rows(superuser, owner) == before
    if method.name.startswith("Create"):
        # A name or an id that is theirs alone says nothing of others'.
        return
    assert not any((await rows(superuser, stranger)).values())
    if isinstance(came, Message):
        assert method.name.startswith("List") or method.name == "WatchInbox"
        assert not items(came)
    elif method.name in ("StartTurn", "RunTurn") and last_choice:
        # An inline agent names a model, which a stranger has not.
        assert came in (StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND)
    else:
        assert came is StatusCode.NOT_FOUND


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
async def test_nothing_is_answered_without_a_tenant(
    runtime: Runtime, tenant: Tenant, method: MethodDescriptor
):
    request = Texts({}).request(method)
    service = tenant.made.gatekeeper.as_service("gateway")

    assert (await refusal(call(runtime, method, request, service))).code is (
        StatusCode.PERMISSION_DENIED
    )
    assert (await refusal(call(runtime, method, request, ()))).code is StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
async def test_a_viewer_reads_and_no_more(
    runtime: Runtime, tenant: Tenant, superuser: asyncpg.Connection, method: MethodDescriptor
):
    request = (await theirs(tenant)).request(method)
    before = await rows(superuser, tenant)
    viewer = tenant.somebody("viewer", tenant.made.principal)

    try:
        await call(runtime, method, request, viewer)
        reason = ""
    except grpc.aio.AioRpcError as error:
        reason = from_rpc_error(error).reason

    reads = method.name.startswith(("Get", "List", "Watch"))
    if method.name == "GetApproval":
        # Nothing waits for anybody.
        assert reason == "NOT_FOUND"
        return
    assert reason == ("" if reads else "FORBIDDEN")
    assert await rows(superuser, tenant) == before
