"""What those who administer a tenant may rely on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tests.gatekeeper.serving import FIRST_KEY, Gatekeeper, Tenant
from tests.waiting import refusal
from turnpike.api.gatekeeper.v1 import tenancy_service_pb2 as pb
from turnpike.api.gatekeeper.v1.principal_pb2 import Role
from turnpike.rpc.identity import bearer

METHODS = pb.DESCRIPTOR.services_by_name["TenancyService"].methods_by_name
ADMINS = {Role.ROLE_OWNER, Role.ROLE_ADMIN}
ROLES = [Role.ROLE_OWNER, Role.ROLE_ADMIN, Role.ROLE_MEMBER, Role.ROLE_VIEWER]

# What each rpc is asked, where a request with nothing in it would not do.
REQUESTS: dict[str, Callable[[Tenant], Message]] = {
    "CreateTenant": lambda _: pb.CreateTenantRequest(name=f"tenant-{uuid4()}"),
    "CreateApiKey": lambda _: pb.CreateApiKeyRequest(name="mine", role=Role.ROLE_VIEWER),
    "RotateApiKey": lambda tenant: pb.RotateApiKeyRequest(id=tenant.made.api_key.id),
    "RevokeApiKey": lambda tenant: pb.RevokeApiKeyRequest(id=tenant.made.api_key.id),
    "CreateBan": lambda tenant: pb.CreateBanRequest(principal=tenant.principal),
    "DeleteBan": lambda _: pb.DeleteBanRequest(id=str(uuid4())),
    "ListTenants": lambda _: pb.ListTenantsRequest(),
    "ListApiKeys": lambda _: pb.ListApiKeysRequest(),
    "ListBans": lambda _: pb.ListBansRequest(),
}


async def outcome(gatekeeper: Gatekeeper, method: str, request: Message, secret: str) -> str:
    """Calls an rpc; returns `OK` or the reason of its refusal."""
    call = getattr(gatekeeper.tenancy, method)(request, metadata=bearer(secret))
    try:
        await call
    except grpc.aio.AioRpcError:
        return (await refusal(call)).reason
    return "OK"


@pytest.mark.parametrize("role", ROLES, ids=Role.Name)
@pytest.mark.parametrize("method", METHODS)
async def test_only_admins_administer(tenant: Tenant, method: str, role: "Role"):
    secret = (await tenant.create_key(role)).secret

    found = await outcome(tenant.gatekeeper, method, REQUESTS[method](tenant), secret)

    if role not in ADMINS or method in {"CreateTenant", "ListTenants"}:
        assert found == "FORBIDDEN"
    else:
        assert found == ("NOT_FOUND" if method == "DeleteBan" else "OK")


@pytest.mark.parametrize("method", METHODS)
async def test_no_service_administers_by_itself(tenant: Tenant, method: str):
    stub = getattr(tenant.gatekeeper.tenancy, method)
    call = stub(REQUESTS[method](tenant), metadata=tenant.gatekeeper.as_service("gateway"))

    assert (await refusal(call)).reason == "FORBIDDEN"


async def test_what_belongs_to_another_tenant_does_not_exist(gatekeeper: Gatekeeper):
    mine, theirs = [await gatekeeper.create_tenant() for _ in range(2)]
    member = (await theirs.create_key()).api_key.principal.id
    made = await gatekeeper.tenancy.CreateBan(
        pb.CreateBanRequest(principal=member), metadata=theirs.as_admin
    )
    foreign = {
        "CreateApiKey": pb.CreateApiKeyRequest(name="mine", principal=theirs.principal),
        "RotateApiKey": pb.RotateApiKeyRequest(id=theirs.made.api_key.id),
        "RevokeApiKey": pb.RevokeApiKeyRequest(id=theirs.made.api_key.id),
        "CreateBan": pb.CreateBanRequest(principal=theirs.principal, note="not mine"),
        "DeleteBan": pb.DeleteBanRequest(id=made.ban.id),
    }
    by_id = {
        name
        for name, method in METHODS.items()
        if {"id", "principal"} & set(method.input_type.fields_by_name)
    }
    assert set(foreign) == by_id

    for method, request in foreign.items():
        found = await refusal(getattr(gatekeeper.tenancy, method)(request, metadata=mine.as_admin))
        assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")

    await gatekeeper.authenticate(theirs.made.secret)
    bans = await gatekeeper.tenancy.ListBans(pb.ListBansRequest(), metadata=theirs.as_admin)
    assert list(bans.bans) == [made.ban]


@pytest.mark.parametrize("id", ["6f0ed2a8-3ca7-4564-8c5f-51d3f0f0d595", "nothing", "0"])
async def test_what_does_not_exist_is_not_found(tenant: Tenant, id: str):
    tenancy, caller = tenant.gatekeeper.tenancy, tenant.as_admin
    calls = {
        "api_key": tenancy.RevokeApiKey(pb.RevokeApiKeyRequest(id=id), metadata=caller),
        "principal": tenancy.CreateBan(pb.CreateBanRequest(principal=id), metadata=caller),
        "ban": tenancy.DeleteBan(pb.DeleteBanRequest(id=id), metadata=caller),
    }

    for kind, call in calls.items():
        found = await refusal(call)
        assert found.code is grpc.StatusCode.NOT_FOUND
        assert found.metadata == {"kind": kind, "id": id}


async def test_a_tenant_begins_with_an_admin_and_its_key(gatekeeper: Gatekeeper):
    name = f"tenant-{uuid4()}"

    made = await gatekeeper.tenancy.CreateTenant(
        pb.CreateTenantRequest(name=name), metadata=bearer(FIRST_KEY)
    )

    assert (made.tenant.name, made.tenant.slots) == (name, 64)
    assert made.api_key.principal.tenant == made.tenant.id
    assert made.api_key.principal.role == Role.ROLE_ADMIN
    opened = await gatekeeper.authenticate(made.secret)
    assert opened.principal == made.api_key.principal
    listed = await gatekeeper.tenancy.ListTenants(
        pb.ListTenantsRequest(page_size=1), metadata=bearer(FIRST_KEY)
    )
    assert list(listed.tenants) == [made.tenant]


async def test_a_tenants_name_is_its_own(gatekeeper: Gatekeeper):
    request = pb.CreateTenantRequest(name=f"tenant-{uuid4()}")
    await gatekeeper.tenancy.CreateTenant(request, metadata=bearer(FIRST_KEY))

    refused = await refusal(gatekeeper.tenancy.CreateTenant(request, metadata=bearer(FIRST_KEY)))

    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "CONFLICT")
    assert refused.metadata == {"kind": "tenant", "name": request.name}


async def test_a_key_is_shown_once(tenant: Tenant):
    made = await tenant.create_key(Role.ROLE_MEMBER, timedelta(hours=1))

    listed = await tenant.gatekeeper.tenancy.ListApiKeys(
        pb.ListApiKeysRequest(), metadata=tenant.as_admin
    )

    # The admin's own key is in use here, and when that is written is no part of this.
    listed.api_keys[1].ClearField("last_use_time")
    assert list(listed.api_keys) == [made.api_key, tenant.made.api_key]
    assert made.secret not in str(listed)
    assert made.api_key.principal.id != tenant.principal
    assert made.api_key.HasField("expire_time")
    assert not made.api_key.HasField("revoke_time")


async def test_a_revoked_key_is_listed_and_may_be_revoked_again(tenant: Tenant):
    tenancy = tenant.gatekeeper.tenancy
    key = (await tenant.create_key()).api_key.id
    request = pb.RevokeApiKeyRequest(id=key)
    began = datetime.now(UTC)

    once = await tenancy.RevokeApiKey(request, metadata=tenant.as_admin)
    again = await tenancy.RevokeApiKey(request, metadata=tenant.as_admin)

    listed = await tenancy.ListApiKeys(pb.ListApiKeysRequest(), metadata=tenant.as_admin)
    assert once == again
    assert listed.api_keys[0] == once.api_key
    assert began <= once.api_key.revoke_time.ToDatetime(UTC) <= datetime.now(UTC)


async def test_the_last_admin_may_revoke_its_own_key(tenant: Tenant):
    request = pb.RevokeApiKeyRequest(id=tenant.made.api_key.id)

    await tenant.gatekeeper.tenancy.RevokeApiKey(request, metadata=tenant.as_admin)

    refused = await refusal(tenant.gatekeeper.authenticate(tenant.made.secret))
    assert refused.reason == "UNAUTHENTICATED"


async def test_a_key_cannot_be_made_that_has_ended(tenant: Tenant):
    refused = await refusal(tenant.create_key(lives=timedelta(seconds=-1)))

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [field for field, _ in refused.fields] == ["expire_time"]


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("CreateTenant", pb.CreateTenantRequest(name="a\0b"), "name"),
        ("CreateTenant", pb.CreateTenantRequest(name=""), "name"),
        ("CreateApiKey", pb.CreateApiKeyRequest(name="a\0b", role=Role.ROLE_MEMBER), "name"),
        ("CreateApiKey", pb.CreateApiKeyRequest(name="a"), "role"),
        (
            "CreateApiKey",
            pb.CreateApiKeyRequest(name="a", role=Role.ROLE_MEMBER, principal=str(uuid4())),
            "role",
        ),
        ("CreateBan", pb.CreateBanRequest(email="nobody"), "email"),
        ("CreateBan", pb.CreateBanRequest(email="a b@example.com"), "email"),
        ("CreateBan", pb.CreateBanRequest(domain="example..com"), "domain"),
        ("CreateBan", pb.CreateBanRequest(domain="com"), "domain"),
        ("CreateBan", pb.CreateBanRequest(domain="exa\0mple.com"), "domain"),
        ("CreateBan", pb.CreateBanRequest(), "subject"),
        (
            "CreateApiKey",
            pb.CreateApiKeyRequest(
                name="a", role=Role.ROLE_MEMBER, expire_time=Timestamp(seconds=10**15)
            ),
            "expire_time",
        ),
        ("CreateBan", pb.CreateBanRequest(principal=str(uuid4()), note="a\0b"), "note"),
    ],
)
async def test_bad_fields_are_named(
    gatekeeper: Gatekeeper, method: str, request_: Message, field: str
):
    call = getattr(gatekeeper.tenancy, method)(request_, metadata=bearer(FIRST_KEY))

    refused = await refusal(call)

    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_ARGUMENT",
    )
    assert [name for name, _ in refused.fields] == [field]


async def test_a_ban_takes_the_place_of_the_one_before(tenant: Tenant):
    tenancy = tenant.gatekeeper.tenancy
    member = (await tenant.create_key()).api_key.principal.id
    for note in ("first", "second"):
        ban = pb.CreateBanRequest(principal=member, note=note)
        made = await tenancy.CreateBan(ban, metadata=tenant.as_admin)

    listed = await tenancy.ListBans(pb.ListBansRequest(), metadata=tenant.as_admin)

    assert list(listed.bans) == [made.ban]
    assert (made.ban.principal, made.ban.note) == (member, "second")


async def test_a_lifted_ban_keeps_nobody_out(tenant: Tenant):
    tenancy = tenant.gatekeeper.tenancy
    member = (await tenant.create_key()).api_key
    mine = {"principal": member.principal.id, "key": member.id}
    ban = pb.CreateBanRequest(principal=member.principal.id)
    made = await tenancy.CreateBan(ban, metadata=tenant.as_admin)
    assert (await refusal(tenant.admit(tenant.turn(**mine)))).reason == "BANNED"

    await tenancy.DeleteBan(pb.DeleteBanRequest(id=made.ban.id), metadata=tenant.as_admin)

    await tenant.admit(tenant.turn(**mine))
    again = tenancy.DeleteBan(pb.DeleteBanRequest(id=made.ban.id), metadata=tenant.as_admin)
    assert (await refusal(again)).reason == "NOT_FOUND"


async def pages(call: Any, request: Any, items: str, metadata: Any) -> list[list[str]]:
    """Returns the ids on each page of a list."""
    found: list[list[str]] = []
    while True:
        page = await call(request, metadata=metadata)
        found.append([item.id for item in getattr(page, items)])
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def test_keys_and_bans_are_listed_page_by_page(tenant: Tenant):
    tenancy = tenant.gatekeeper.tenancy
    principals = [(await tenant.create_key()).api_key for _ in range(4)]
    for key in principals:
        await tenant.ban(key.principal.id)

    keys = await pages(
        tenancy.ListApiKeys, pb.ListApiKeysRequest(page_size=2), "api_keys", tenant.as_admin
    )
    bans = await pages(tenancy.ListBans, pb.ListBansRequest(page_size=2), "bans", tenant.as_admin)

    newest_first = [key.id for key in reversed(principals)]
    assert keys == [newest_first[:2], newest_first[2:], [tenant.made.api_key.id]]
    assert [len(page) for page in bans] == [2, 2]
    assert len({ban for page in bans for ban in page}) == 4


async def test_tenants_are_listed_page_by_page(gatekeeper: Gatekeeper):
    made = [(await gatekeeper.create_tenant()).id for _ in range(3)]

    found = await pages(
        gatekeeper.tenancy.ListTenants,
        pb.ListTenantsRequest(page_size=2),
        "tenants",
        bearer(FIRST_KEY),
    )

    listed = [tenant for page in found for tenant in page]
    assert listed[:3] == made[::-1]
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("token", ["garbage", "WyJhIiwiYiJd", "e30"])
async def test_a_token_that_is_none_is_refused(tenant: Tenant, token: str):
    call = tenant.gatekeeper.tenancy.ListApiKeys(
        pb.ListApiKeysRequest(page_token=token), metadata=tenant.as_admin
    )

    refused = await refusal(call)

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [field for field, _ in refused.fields] == ["page_token"]
