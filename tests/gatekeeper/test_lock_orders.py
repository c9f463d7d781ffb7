"""What administrators do at once waits for one another, and never in a ring."""

from collections.abc import Awaitable
from uuid import UUID, uuid4

import asyncpg
import grpc

from tests.gatekeeper.serving import Tenant
from tests.locks import Queue, queue
from turnpike.api.gatekeeper.v1 import identity_service_pb2 as pb
from turnpike.api.gatekeeper.v1 import tenancy_service_pb2 as tenancy_pb
from turnpike.api.gatekeeper.v1.identity_service_pb2_grpc import IdentityServiceStub
from turnpike.api.gatekeeper.v1.principal_pb2 import Role
from turnpike.rpc.errors import from_rpc_error

NUMBERS = "SELECT pg_advisory_xact_lock(7420, 1)"
PERSON = "SELECT FROM principals WHERE id = $1 FOR NO KEY UPDATE"
ADD = (
    "INSERT INTO principals (id, tenant, name, role, kind, email)"
    " VALUES ($1, $2, 'somebody', $3, 'person', $4)"
)


async def reasons(calls: Queue) -> list[str]:
    """Returns why each call failed; nothing where it did not."""
    return [
        from_rpc_error(each).reason if isinstance(each, grpc.aio.AioRpcError) else ""
        for each in await calls.outcomes()
    ]


async def add_two(tenant: Tenant, superuser: asyncpg.Connection, *roles: str) -> tuple[UUID, UUID]:
    """Adds two people of one domain, the first before everybody else and the second behind."""
    lowest, highest = UUID(int=uuid4().int >> 64), UUID(int=uuid4().int | (1 << 128) - (1 << 64))
    for id, role in zip((lowest, highest), roles, strict=True):
        await superuser.execute(ADD, id, UUID(tenant.id), role, f"{id}@example.com")
    return lowest, highest


def ban_their_domain(tenant: Tenant) -> Awaitable[object]:
    request = tenancy_pb.CreateBanRequest(domain="example.com", note="spam")
    return tenant.gatekeeper.tenancy.CreateBan(request, metadata=tenant.as_admin)


def update(tenant: Tenant, id: UUID | str, role: "Role", name: str = "") -> Awaitable[object]:
    request = pb.UpdatePrincipalRequest(id=str(id), role=role, name=name)
    return _identity(tenant).UpdatePrincipal(request, metadata=tenant.as_admin)


def remove(tenant: Tenant, id: str) -> Awaitable[object]:
    request = pb.RemovePrincipalRequest(id=id)
    return _identity(tenant).RemovePrincipal(request, metadata=tenant.as_admin)


def _identity(tenant: Tenant) -> IdentityServiceStub:
    return IdentityServiceStub(tenant.gatekeeper.channel)


async def test_somebody_is_removed_while_a_key_of_theirs_is_revoked(
    tenant: Tenant, superuser: asyncpg.Connection
):
    """Neither holds the numbers of revocations while it wants what the other has."""
    key = (await tenant.create_key()).api_key
    revoke = tenancy_pb.RevokeApiKeyRequest(id=key.id)

    async with queue(superuser, NUMBERS) as calls:
        await calls.join(remove(tenant, key.principal.id))
        await calls.join(tenant.gatekeeper.tenancy.RevokeApiKey(revoke, metadata=tenant.as_admin))

    assert await reasons(calls) == ["", ""]


async def test_a_domain_is_banned_while_one_of_its_people_gets_another_role(
    tenant: Tenant, superuser: asyncpg.Connection
):
    """The ban has not numbered the first of them when it wants the second."""
    _, highest = await add_two(tenant, superuser, "member", "member")

    async with queue(superuser, NUMBERS) as calls:
        await calls.join(ban_their_domain(tenant))
        await calls.join(update(tenant, highest, Role.ROLE_VIEWER))

    assert await reasons(calls) == ["", ""]


async def test_somebody_is_removed_while_a_key_of_theirs_is_rotated(
    tenant: Tenant, superuser: asyncpg.Connection
):
    key = (await tenant.create_key()).api_key
    rotate = tenancy_pb.RotateApiKeyRequest(id=key.id)

    async with queue(superuser, PERSON, UUID(key.principal.id)) as calls:
        await calls.join(remove(tenant, key.principal.id))
        await calls.join(tenant.gatekeeper.tenancy.RotateApiKey(rotate, metadata=tenant.as_admin))

    assert await reasons(calls) == ["", "CONFLICT"]


async def test_a_domain_is_banned_while_one_of_its_people_is_made_owner(
    tenant: Tenant, superuser: asyncpg.Connection
):
    """Both lock people in the order of their ids, whoever of them administers."""
    lowest, _ = await add_two(tenant, superuser, "member", "admin")

    async with queue(superuser, PERSON, lowest) as calls:
        await calls.join(ban_their_domain(tenant))
        await calls.join(update(tenant, lowest, Role.ROLE_OWNER))

    assert await reasons(calls) == ["", ""]


async def test_a_domain_is_banned_while_one_of_its_people_gets_another_name_and_role(
    tenant: Tenant, superuser: asyncpg.Connection
):
    """Who is to be renamed is not locked before those who administer."""
    lowest, highest = await add_two(tenant, superuser, "admin", "member")

    async with queue(superuser, PERSON, lowest) as calls:
        await calls.join(ban_their_domain(tenant))
        await calls.join(update(tenant, highest, Role.ROLE_OWNER, "renamed"))

    assert await reasons(calls) == ["", ""]
