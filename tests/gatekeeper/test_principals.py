"""What a tenant may rely on about who administers it, and about its keys' secrets."""

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import grpc
import pytest

from tests.gatekeeper.serving import Tenant
from tests.waiting import refusal, until
from turnpike.api.gatekeeper.v1 import identity_service_pb2 as pb
from turnpike.api.gatekeeper.v1 import tenancy_service_pb2 as tenancy_pb
from turnpike.api.gatekeeper.v1.identity_service_pb2_grpc import IdentityServiceStub
from turnpike.api.gatekeeper.v1.principal_pb2 import Principal, Role, Scope
from turnpike.rpc.identity import bearer

OWNER, ADMIN, MEMBER = Role.ROLE_OWNER, Role.ROLE_ADMIN, Role.ROLE_MEMBER
WAITING = (
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
)


def stub(tenant: Tenant) -> IdentityServiceStub:
    return IdentityServiceStub(tenant.gatekeeper.channel)


async def set_role(tenant: Tenant, id: str, role: "Role", secret: str = "") -> Principal:
    """Gives a principal a role, as the first admin or as who has a secret."""
    request = pb.UpdatePrincipalRequest(id=id, role=role)
    metadata = bearer(secret) if secret else tenant.as_admin
    return (await stub(tenant).UpdatePrincipal(request, metadata=metadata)).principal


async def remove(tenant: Tenant, id: str, secret: str = "") -> None:
    metadata = bearer(secret) if secret else tenant.as_admin
    await stub(tenant).RemovePrincipal(pb.RemovePrincipalRequest(id=id), metadata=metadata)


async def test_the_last_to_administer_a_tenant_stays(tenant: Tenant):
    demoted = await refusal(set_role(tenant, tenant.principal, MEMBER))
    removed = await refusal(remove(tenant, tenant.principal))

    assert demoted.code is grpc.StatusCode.FAILED_PRECONDITION
    assert (demoted.reason, removed.reason) == ("CONFLICT", "CONFLICT")
    assert demoted.metadata["cause"] == removed.metadata["cause"] == "last_admin"
    await tenant.create_key(ADMIN)
    assert (await set_role(tenant, tenant.principal, MEMBER)).role == MEMBER


async def test_of_two_admins_who_remove_each_other_at_once_one_stays(
    tenant: Tenant, superuser: asyncpg.Connection
):
    """Both have looked, and found the other, before either changes anything."""
    other = await tenant.create_key(ADMIN)
    theirs = other.api_key.principal.id
    transaction = superuser.transaction()
    await transaction.start()
    await superuser.fetch(
        "SELECT FROM principals WHERE tenant = $1 FOR NO KEY UPDATE", UUID(tenant.id)
    )
    both = asyncio.gather(
        set_role(tenant, theirs, MEMBER),
        set_role(tenant, tenant.principal, MEMBER, other.secret),
        return_exceptions=True,
    )

    async def waiting() -> bool:
        return await superuser.fetchval(WAITING) >= 2

    await until(waiting)
    await transaction.commit()
    outcomes = await both

    assert sum(isinstance(each, grpc.aio.AioRpcError) for each in outcomes) == 1
    left = "SELECT count(*) FROM principals WHERE tenant = $1 AND role = 'admin'"
    assert await superuser.fetchval(left, UUID(tenant.id)) == 1


async def test_owners_are_changed_by_owners_and_the_last_one_stays(tenant: Tenant):
    owner = await tenant.create_key(OWNER)
    id = owner.api_key.principal.id

    for refused in (
        await refusal(set_role(tenant, id, MEMBER)),
        await refusal(remove(tenant, id)),
        await refusal(set_role(tenant, tenant.principal, OWNER)),
        await refusal(tenant.create_key(OWNER)),
    ):
        assert refused.reason == "FORBIDDEN"
    last = await refusal(set_role(tenant, id, ADMIN, owner.secret))
    assert (last.reason, last.metadata["cause"]) == ("CONFLICT", "last_owner")
    await set_role(tenant, tenant.principal, OWNER, owner.secret)
    assert (await set_role(tenant, id, ADMIN, owner.secret)).role == ADMIN


async def test_a_role_that_was_taken_away_opens_nothing_more(tenant: Tenant):
    made = await tenant.create_key(ADMIN)
    listing = pb.ListPrincipalsRequest()
    await stub(tenant).ListPrincipals(listing, metadata=bearer(made.secret))
    token = (await tenant.gatekeeper.authenticate(made.secret)).token

    await set_role(tenant, made.api_key.principal.id, MEMBER)

    async def refused(credential: str) -> bool:
        try:
            await stub(tenant).ListPrincipals(listing, metadata=bearer(credential))
        except grpc.aio.AioRpcError as error:
            assert error.code() in (
                grpc.StatusCode.PERMISSION_DENIED,
                grpc.StatusCode.UNAUTHENTICATED,
            )
            return True
        return False

    await until(lambda: refused(made.secret))
    await until(lambda: refused(token))


async def rotate(tenant: Tenant, id: str, overlap: timedelta) -> tenancy_pb.RotateApiKeyResponse:
    request = tenancy_pb.RotateApiKeyRequest(id=id, overlap=overlap)
    return await tenant.gatekeeper.tenancy.RotateApiKey(request, metadata=tenant.as_admin)


async def opens(tenant: Tenant, secret: str) -> bool:
    try:
        await tenant.gatekeeper.authenticate(secret)
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        return False
    return True


async def test_a_rotated_secret_works_until_its_overlap_ends(tenant: Tenant):
    made = await tenant.create_key(MEMBER)
    id, secrets = made.api_key.id, [made.secret]

    for overlap in (3600, 3600):
        secrets.append((await rotate(tenant, id, timedelta(seconds=overlap))).secret)
    assert [await opens(tenant, each) for each in secrets] == [True, True, True]
    secrets.append((await rotate(tenant, id, timedelta())).secret)

    assert [await opens(tenant, each) for each in secrets] == [False, False, False, True]
    assert len(set(secrets)) == 4


async def test_of_rotations_at_once_the_last_secret_alone_stays(tenant: Tenant):
    id = (await tenant.create_key(MEMBER)).api_key.id

    made = await asyncio.gather(*(rotate(tenant, id, timedelta()) for _ in range(10)))

    assert sum([await opens(tenant, each.secret) for each in made]) == 1


async def test_revoking_a_key_ends_every_secret_that_it_had(tenant: Tenant):
    made = await tenant.create_key(MEMBER)
    new = await rotate(tenant, made.api_key.id, timedelta(hours=1))

    request = tenancy_pb.RevokeApiKeyRequest(id=made.api_key.id)
    await tenant.gatekeeper.tenancy.RevokeApiKey(request, metadata=tenant.as_admin)

    assert [await opens(tenant, each) for each in (made.secret, new.secret)] == [False, False]
    assert (await refusal(rotate(tenant, made.api_key.id, timedelta()))).reason == "CONFLICT"


@pytest.mark.parametrize("scopes", [[], ["SCOPE_ADMIN", "SCOPE_TURNS"], ["SCOPE_TURNS"]])
async def test_nobody_gives_a_scope_that_the_own_key_lacks(tenant: Tenant, scopes: list[str]):
    narrow = tenancy_pb.CreateApiKeyRequest(
        name="narrow", role=ADMIN, scopes=[Scope.SCOPE_ADMIN, Scope.SCOPE_READ]
    )
    tenancy = tenant.gatekeeper.tenancy
    own = await tenancy.CreateApiKey(narrow, metadata=tenant.as_admin)
    wider = tenancy_pb.CreateApiKeyRequest(name="wider", role=MEMBER, scopes=scopes)
    as_wide = tenancy_pb.CreateApiKeyRequest(name="as wide", role=MEMBER, scopes=[Scope.SCOPE_READ])

    refused = await refusal(tenancy.CreateApiKey(wider, metadata=bearer(own.secret)))
    given = await tenancy.CreateApiKey(as_wide, metadata=bearer(own.secret))

    assert refused.reason == "FORBIDDEN"
    assert list(given.api_key.scopes) == [Scope.SCOPE_READ]
