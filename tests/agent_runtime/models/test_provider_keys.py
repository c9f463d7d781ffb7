"""Keeping keys of one's own: who may, what is shown, and what is refused."""

import asyncio
import base64
import logging
from collections.abc import AsyncGenerator
from uuid import UUID

import asyncpg
import pytest
from grpc import StatusCode
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.agent_runtime.models.keeping import (
    PERSON,
    TENANT,
    delete_key,
    get_key,
    key,
    keys_of,
    mode_of,
    pb,
    put_key,
    set_mode,
)
from tests.agent_runtime.serving import SECRET_KEY, Runtime, Tenant
from tests.locks import held_up
from tests.waiting import refusal
from turnpike.agent_runtime.reseal import reseal
from turnpike.api.agent_runtime.v1.agent_service_pb2 import (
    CHANGE_CHANGED,
    CHANGE_CREATED,
    CHANGE_UNCHANGED,
)
from turnpike.database.engine import open_engine
from turnpike.database.envelope import Envelope
from turnpike.database.migration import MigrationUrls

OLD = base64.b64decode(SECRET_KEY)
NEW = bytes([7] * 32)


async def test_a_key_is_kept_and_never_shown(
    tenant: Tenant, superuser: asyncpg.Connection, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    wanted = key(secret="sk-very-secret", base_url="https://somewhere/v1/")
    made = await put_key(tenant, wanted)
    found = await get_key(tenant)
    stored = await superuser.fetchval(
        "SELECT sealed_api_key FROM provider_keys WHERE tenant = $1", UUID(tenant.id)
    )

    assert made.change == CHANGE_CREATED
    assert made.provider_key == found
    assert (found.provider, found.base_url) == ("openai", "https://somewhere/v1")
    assert (found.scope, found.sealed_by) == (TENANT, "k1")
    assert not found.HasField("api_key")
    assert "sk-very-secret" not in stored
    assert "sk-very-secret" not in caplog.text


async def test_an_update_says_what_it_did(tenant: Tenant):
    created = await put_key(tenant, key())
    same = await put_key(tenant, key())
    kept = await put_key(tenant, key(secret=None))
    another = await put_key(tenant, key(secret="sk-another"))

    changes = [each.change for each in (created, same, kept, another)]
    assert changes == [CHANGE_CREATED, CHANGE_UNCHANGED, CHANGE_UNCHANGED, CHANGE_CHANGED]
    assert same.provider_key.etag == created.provider_key.etag != another.provider_key.etag
    stale = await refusal(put_key(tenant, key(), etag=created.provider_key.etag))
    assert stale.reason == "ETAG_MISMATCH"


async def test_who_changes_where_a_key_goes_must_know_it(tenant: Tenant):
    await put_key(tenant, key())

    refused = await refusal(put_key(tenant, key(secret=None, base_url="http://evil/v1")))

    assert (refused.code, refused.fields[0][0]) == (
        StatusCode.INVALID_ARGUMENT,
        "provider_key.api_key",
    )
    assert (await get_key(tenant)).base_url == ""


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (key(secret=None), "provider_key.api_key"),
        (key(secret=""), "provider_key.api_key"),
        (key(secret="env:SECRET"), "provider_key.api_key"),
        (key(secret="two\nlines"), "provider_key.api_key"),
        (key(base_url="no url"), "provider_key.base_url"),
        (key(base_url="https://me:secret@host/v1"), "provider_key.base_url"),
        (key(provider="scripted"), "provider_key.provider"),
        (key(provider="pool"), "provider_key.provider"),
        (key(provider=""), "provider_key.provider"),
        (key(scope="SCOPE_PLATFORM"), "provider_key.scope"),
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
async def test_what_could_not_work_is_refused(tenant: Tenant, wanted: pb.ProviderKey, field: str):
    refused = await refusal(put_key(tenant, wanted))
    assert (refused.code, refused.fields[0][0]) == (StatusCode.INVALID_ARGUMENT, field)


async def test_validating_changes_nothing(tenant: Tenant):
    checked = await put_key(tenant, key(), validate_only=True)
    said = await set_mode(tenant, pb.KEY_MODE_REQUIRED, validate_only=True)

    assert checked.change == said.change == CHANGE_CREATED
    assert (await refusal(get_key(tenant))).code is StatusCode.NOT_FOUND
    assert (await mode_of(tenant)).mode == pb.KEY_MODE_UNSPECIFIED


async def test_each_keeps_their_own_and_admins_the_tenant_s(tenant: Tenant, runtime: Runtime):
    ann, bob = tenant.somebody(), tenant.somebody()
    await put_key(tenant, key("same"))
    await put_key(tenant, key("same", scope=PERSON), ann)
    await put_key(tenant, key("hers", scope=PERSON), ann)

    seen = [(each.name, each.scope) for each in await keys_of(tenant, ann, size=1)]
    assert seen == [("hers", PERSON), ("same", PERSON), ("same", TENANT)]
    assert [each.name for each in await keys_of(tenant, bob)] == ["same"]
    assert (await refusal(get_key(tenant, "hers", bob, PERSON))).code is StatusCode.NOT_FOUND
    for attempt in (
        put_key(tenant, key("same"), ann),
        delete_key(tenant, "same", ann),
        set_mode(tenant, pb.KEY_MODE_OFF, ann),
        put_key(tenant, key("x", scope=PERSON), tenant.somebody("viewer")),
    ):
        refused = await refusal(attempt)
        assert (refused.code, refused.reason) == (StatusCode.PERMISSION_DENIED, "FORBIDDEN")
    await delete_key(tenant, "same", ann, PERSON)
    assert [each.name for each in await keys_of(tenant, ann)] == ["hers", "same"]


async def test_a_mode_is_each_owner_s(tenant: Tenant):
    ann = tenant.somebody()
    made = await set_mode(tenant, pb.KEY_MODE_REQUIRED)
    await set_mode(tenant, pb.KEY_MODE_OFF, ann, PERSON)

    assert (await mode_of(tenant)).mode == pb.KEY_MODE_REQUIRED
    assert (await mode_of(tenant, ann, PERSON)).mode == pb.KEY_MODE_OFF
    assert (await mode_of(tenant, scope=PERSON)).mode == pb.KEY_MODE_UNSPECIFIED
    assert (await set_mode(tenant, pb.KEY_MODE_REQUIRED)).change == CHANGE_UNCHANGED
    await set_mode(tenant, pb.KEY_MODE_PREFERRED, etag=made.etag)
    stale = await refusal(set_mode(tenant, pb.KEY_MODE_OFF, etag=made.etag))
    assert stale.reason == "ETAG_MISMATCH"


async def test_a_name_is_taken_once(tenant: Tenant):
    stub = tenant.runtime.provider_keys
    request = pb.CreateProviderKeyRequest(provider_key=key())

    results = await asyncio.gather(
        *(stub.CreateProviderKey(request, metadata=tenant.admin) for _ in range(10)),
        return_exceptions=True,
    )

    assert sum(not isinstance(each, BaseException) for each in results) == 1
    refused = await refusal(stub.CreateProviderKey(request, metadata=tenant.admin))
    assert refused.reason == "CONFLICT"


@pytest.fixture
async def system(urls: MigrationUrls) -> AsyncGenerator[AsyncEngine]:
    """The system role's engine."""
    async with open_engine(urls.system, pool_size=2) as engine:
        yield engine


async def test_rotation_seals_everything_anew_and_what_is_broken_is_told(
    tenant: Tenant, superuser: asyncpg.Connection, system: AsyncEngine
):
    await put_key(tenant, key(secret="sk-kept"))
    await tenant.model(provider="openai", model="m", api_key="sk-of-the-model")
    await put_key(tenant, key("broken"))
    await superuser.execute(
        "UPDATE provider_keys SET sealed_api_key = 'v1.gone.AAAA'"
        " WHERE tenant = $1 AND name = 'broken'",
        UUID(tenant.id),
    )
    both = Envelope({"k2": NEW, "k1": OLD})

    done = await reseal(system, both)
    again = await reseal(system, both)
    # What was sealed anew is opened without the old key.
    only_new = Envelope({"k2": NEW})
    stored = await superuser.fetchval(
        "SELECT sealed_api_key FROM provider_keys WHERE tenant = $1 AND name = 'key'",
        UUID(tenant.id),
    )
    back = await reseal(system, Envelope({"k1": OLD, "k2": NEW}))

    assert done.sealed >= 2
    assert done.broken >= 1
    assert again.sealed == 0
    assert only_new.open(tenant.id, stored) == "sk-kept"
    assert back.sealed >= 2


async def test_what_is_changed_during_a_rotation_stays_changed(
    tenant: Tenant, superuser: asyncpg.Connection, urls: MigrationUrls, system: AsyncEngine
):
    await put_key(tenant, key(secret="sk-before"))
    holder = await asyncpg.connect(urls.migration)
    try:
        async with holder.transaction():
            # Rotation has read the row, and waits to write it.
            await holder.execute(
                "UPDATE agent_runtime.provider_keys SET sealed_api_key = $2 WHERE tenant = $1",
                UUID(tenant.id),
                Envelope({"k1": OLD}).seal(tenant.id, "sk-after"),
            )
            rotation = asyncio.create_task(reseal(system, Envelope({"k2": NEW, "k1": OLD})))
            await held_up(superuser, "UPDATE provider_keys")
        await rotation
    finally:
        await holder.close()
    stored = await superuser.fetchval(
        "SELECT sealed_api_key FROM provider_keys WHERE tenant = $1", UUID(tenant.id)
    )
    await reseal(system, Envelope({"k1": OLD, "k2": NEW}))

    assert Envelope({"k1": OLD, "k2": NEW}).open(tenant.id, stored) == "sk-after"
