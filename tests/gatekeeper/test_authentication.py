"""What services may rely on when they exchange an API key."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import grpc
import pytest

from tests.conftest import Keys
from tests.gatekeeper.serving import FIRST_KEY, Gatekeeper, Tenant
from tests.waiting import refusal, until
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import AuthenticateRequest
from turnpike.api.gatekeeper.v1.principal_pb2 import Role
from turnpike.api.gatekeeper.v1.tenancy_service_pb2 import ListApiKeysRequest, RevokeApiKeyRequest
from turnpike.gatekeeper.system import System
from turnpike.rpc.errors import RemoteError
from turnpike.rpc.identity import Caller, bearer
from turnpike.rpc.verifier import Verifier


def verifier(keys: Keys) -> Verifier:
    return Verifier({name: base64.b64decode(key) for name, key in keys.trusted.items()})


async def test_a_key_opens_to_its_principal(tenant: Tenant, keys: Keys):
    made = await tenant.create_key(Role.ROLE_VIEWER)

    response = await tenant.gatekeeper.authenticate(made.secret)

    assert response.principal == made.api_key.principal
    assert verifier(keys).verify(response.token).caller == Caller(
        tenant=tenant.id,
        principal=made.api_key.principal.id,
        role="viewer",
        key=made.api_key.id,
    )


async def test_a_token_lives_a_minute_at_most(tenant: Tenant, keys: Keys):
    response = await tenant.gatekeeper.authenticate(tenant.made.secret)

    left = response.expire_time.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    assert verifier(keys).verify(response.token).expires == pytest.approx(
        response.expire_time.ToDatetime(UTC).timestamp()
    )


async def test_a_token_is_good_no_longer_than_its_key(tenant: Tenant, keys: Keys):
    made = await tenant.create_key(lives=timedelta(seconds=20))

    response = await tenant.gatekeeper.authenticate(made.secret)

    assert response.expire_time == made.api_key.expire_time
    assert verifier(keys).verify(response.token).expires == pytest.approx(
        made.api_key.expire_time.ToDatetime(UTC).timestamp()
    )


async def test_unknown_revoked_and_expired_keys_are_answered_alike(
    tenant: Tenant, superuser: asyncpg.Connection
):
    gatekeeper = tenant.gatekeeper
    revoked = await tenant.create_key()
    await gatekeeper.tenancy.RevokeApiKey(
        RevokeApiKeyRequest(id=revoked.api_key.id), metadata=tenant.as_admin
    )
    expired = await tenant.create_key(lives=timedelta(hours=1))
    await superuser.execute("UPDATE api_keys SET expires = now() WHERE id = $1", expired.api_key.id)
    answers = [
        await refusal(gatekeeper.authenticate(secret))
        for secret in (revoked.secret, expired.secret, "tpk_nobody-knows-this", "anything")
    ]

    assert {(answer.code, answer.reason, answer.message) for answer in answers} == {
        (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", "the credential is not valid")
    }


async def test_a_key_is_kept_hashed(tenant: Tenant, superuser: asyncpg.Connection):
    row = await superuser.fetchrow(
        "SELECT k::text AS everything, prefix FROM api_keys k WHERE id = $1",
        tenant.made.api_key.id,
    )

    assert row is not None
    assert tenant.made.secret.startswith("tpk_")
    assert len(tenant.made.secret) >= 4 + 43
    assert tenant.made.secret not in row["everything"]
    assert tenant.made.secret.startswith(row["prefix"])
    assert len(row["prefix"]) <= 10


async def test_it_is_written_down_when_a_key_was_used_last(
    tenant: Tenant, superuser: asyncpg.Connection
):
    key = tenant.made.api_key.id
    await tenant.gatekeeper.authenticate(tenant.made.secret)

    async def written() -> bool:
        return bool(
            await superuser.fetchval(
                "SELECT last_used > now() - interval '1 minute' FROM api_keys WHERE id = $1", key
            )
        )

    await until(written)


async def test_it_is_written_down_once_a_minute_at_most(
    tenant: Tenant, superuser: asyncpg.Connection, system: System
):
    key = UUID(tenant.made.api_key.id)
    last_used = "UPDATE api_keys SET last_used = now() - $2::interval WHERE id = $1"
    state = "SELECT last_used, xmin::text FROM api_keys WHERE id = $1"

    await superuser.execute(last_used, key, timedelta(seconds=55))
    before = await superuser.fetchrow(state, key)
    await system.note_used([key])
    assert await superuser.fetchrow(state, key) == before

    await superuser.execute(last_used, key, timedelta(seconds=65))
    await system.note_used([key])
    assert await superuser.fetchval("SELECT now() - last_used FROM api_keys WHERE id = $1", key) < (
        timedelta(seconds=60)
    )


@pytest.mark.parametrize("credential", ["", "x" * 8193])
async def test_what_cannot_be_a_key_is_refused_as_such(gatekeeper: Gatekeeper, credential: str):
    refused = await refusal(
        gatekeeper.stub.Authenticate(AuthenticateRequest(credential=credential))
    )

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [field for field, _ in refused.fields] == ["credential"]


async def listed(gatekeeper: Gatekeeper, *metadata: tuple[str, str]) -> RemoteError:
    return await refusal(gatekeeper.tenancy.ListApiKeys(ListApiKeysRequest(), metadata=metadata))


async def test_everything_else_needs_a_credential(gatekeeper: Gatekeeper):
    assert (await listed(gatekeeper)).reason == "UNAUTHENTICATED"
    assert (await listed(gatekeeper, *bearer("tpk_wrong"))).reason == "UNAUTHENTICATED"


async def test_a_key_and_its_token_open_gatekeeper_itself(gatekeeper: Gatekeeper):
    token = (await gatekeeper.authenticate(FIRST_KEY)).token

    for credential in (FIRST_KEY, token):
        await gatekeeper.tenancy.ListApiKeys(ListApiKeysRequest(), metadata=bearer(credential))


async def test_a_revoked_key_and_its_tokens_open_gatekeeper_no_longer(tenant: Tenant):
    gatekeeper = tenant.gatekeeper
    admin = await tenant.create_key(Role.ROLE_ADMIN)
    token = (await gatekeeper.authenticate(admin.secret)).token
    await gatekeeper.tenancy.ListApiKeys(ListApiKeysRequest(), metadata=bearer(token))

    await gatekeeper.tenancy.RevokeApiKey(
        RevokeApiKeyRequest(id=admin.api_key.id), metadata=tenant.as_admin
    )

    for credential in (admin.secret, token):

        async def is_refused(credential: str = credential) -> bool:
            try:
                request = ListApiKeysRequest()
                await gatekeeper.tenancy.ListApiKeys(request, metadata=bearer(credential))
            except grpc.aio.AioRpcError as error:
                return error.code() is grpc.StatusCode.UNAUTHENTICATED
            return False

        await until(is_refused)
