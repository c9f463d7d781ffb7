"""The audit: recorded with what it is about, chained, and whoever tampers is found out."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import World, begin
from tests.waiting import refusal, until
from turnpike.agent_runtime.audit.sealing import Sealer
from turnpike.api.agent_runtime.v1 import audit_service_pb2 as pb
from turnpike.api.agent_runtime.v1 import policy_service_pb2
from turnpike.api.agent_runtime.v1.policy_pb2 import TenantPolicy
from turnpike.cli.audit.chain import Head, Report, verify
from turnpike.database.engine import open_engine
from turnpike.database.migration import MigrationUrls

UNIQUE = "audit_seals_tenant_entry_key"
RECORD = "SELECT record_audit($1, $2, $3)"


@pytest.fixture
async def system(urls: MigrationUrls) -> AsyncGenerator[AsyncEngine]:
    """The system role, beside the replica's own sealer."""
    async with open_engine(urls.system, pool_size=4) as engine:
        yield engine


async def pages(tenant: Tenant, **fields: Any) -> AsyncGenerator[pb.ListAuditEntriesResponse]:
    """Gives all that is recorded, page by page."""
    request = pb.ListAuditEntriesRequest(page_size=3, **fields)
    while True:
        page = await tenant.runtime.audit.ListAuditEntries(request, metadata=tenant.admin)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


async def entries(tenant: Tenant, **fields: Any) -> list[pb.AuditEntry]:
    """Returns all that is recorded."""
    return [each async for page in pages(tenant, **fields) for each in page.entries]


def lines(page: pb.ListAuditEntriesResponse) -> list[bytes]:
    """Returns a page as the gateway writes it into an export."""
    anchor = {"position": page.anchor.position, "hash": page.anchor.hash}
    return [
        *([orjson.dumps({"anchor": anchor})] if page.HasField("anchor") else []),
        *(
            orjson.dumps(
                {
                    "position": each.position,
                    "hash": each.hash,
                    "entry": orjson.loads(each.entry or "null"),
                }
            )
            for each in page.entries
        ),
    ]


async def exported(tenant: Tenant) -> list[bytes]:
    """Returns an export's lines."""
    return [line async for page in pages(tenant) for line in lines(page)]


async def report(tenant: Tenant, known: Head | None = None) -> Report:
    return verify(await exported(tenant), known=known)


def digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


async def record(superuser: asyncpg.Connection, tenant: Tenant, count: int) -> None:
    for number in range(count):
        entry = orjson.dumps({"kind": "CALL", "number": number, "ü": "ß\n"}).decode()
        await superuser.execute(RECORD, UUID(tenant.id), f"test:{number}", entry)


@pytest.fixture
async def chained(new_tenant: Any, superuser: asyncpg.Connection, system: AsyncEngine) -> Tenant:
    """A tenant with a chain of eight entries."""
    tenant = await new_tenant()
    await record(superuser, tenant, 8)
    await sealed(system, tenant, superuser)
    return tenant


async def sealed(system: AsyncEngine, tenant: Tenant, superuser: asyncpg.Connection) -> None:
    """Returns when all that is recorded is sealed; the replica's own sealer may be at it."""

    async def none_left() -> bool:
        await Sealer(system).seal()
        left = "SELECT count(*) FROM audit_unsealed WHERE tenant = $1"
        return not await superuser.fetchval(left, UUID(tenant.id))

    await until(none_left)


async def test_r31_each_call_is_recorded_with_its_policy_arguments_and_result(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    said = policy_service_pb2.UpdatePolicyRequest(tenant=TenantPolicy(deny=["effects/echo"]))
    changed = await tenant.runtime.policies.UpdatePolicy(said, metadata=tenant.admin)
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    arguments = '{"tag":  "audited"}'
    ask.ask_for("effects__transfer", "effects__echo", arguments=arguments)
    (await provider.asked()).answer("done")
    await tenant.ended(turn.id)

    transfer, echo = (orjson.loads(each.entry) for each in await entries(tenant, turn=turn.id))
    result = await world.superuser.fetchval(
        "SELECT result || structured FROM calls WHERE turn = $1 AND ordinal = 0", UUID(turn.id)
    )
    assert (transfer["tool"], transfer["outcome"], transfer["verdict"]) == (
        "effects/transfer",
        "OK",
        "ALLOW",
    )
    assert (transfer["arguments"], transfer["arguments_digest"]) == (arguments, digest(arguments))
    assert transfer["result_digest"] == digest(result)
    assert transfer["principal"] == tenant.made.principal
    assert transfer["definition_digest"].startswith("sha256:")
    assert (echo["outcome"], echo["verdict"], echo["source"]) == ("DENIED", "DENY", "TENANT")
    assert {each["tenant_policy"] for each in (transfer, echo)} == {changed.version.id}
    await until(lambda: all_sealed(tenant))
    whole = await report(tenant)
    assert (whole.faults, whole.unsealed, whole.head.position) == ([], 0, 3)
    first = orjson.loads((await entries(tenant))[0].entry)
    assert (first["kind"], first["version"]) == ("POLICY_CHANGED", changed.version.id)
    assert first["by"] == tenant.made.principal


async def all_sealed(tenant: Tenant) -> bool:
    return all(each.position for each in await entries(tenant))


async def test_r31_what_is_said_twice_is_recorded_once(
    chained: Tenant, superuser: asyncpg.Connection, system: AsyncEngine
):
    """A commit whose reply was lost is made again."""
    before = await report(chained)
    await record(superuser, chained, 8)
    await sealed(system, chained, superuser)

    assert before.head.position == 8
    assert (await report(chained)).head == before.head


async def test_r31_an_entry_stands_or_falls_with_what_it_is_about(
    chained: Tenant, superuser: asyncpg.Connection
):
    transaction = superuser.transaction()
    await transaction.start()
    await superuser.execute(RECORD, UUID(chained.id), "undone", "{}")
    await transaction.rollback()

    assert len(await entries(chained)) == 8


@pytest.mark.parametrize("role", ["service", "system"])
@pytest.mark.parametrize(
    "table", ["audit_anchors", "audit_entries", "audit_seals", "policy_versions"]
)
async def test_r31_no_role_of_the_service_changes_or_removes_what_is_recorded(
    urls: MigrationUrls, chained: Tenant, role: str, table: str
):
    connection = await asyncpg.connect(getattr(urls, role))
    try:
        await connection.execute("SELECT set_config('turnpike.tenant', $1, false)", chained.id)
        for statement in (
            f"UPDATE {table} SET tenant = tenant",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


TAMPERING = {
    "changed": (
        "UPDATE audit_entries SET entry = entry || '{\"number\": 99}'"
        " WHERE tenant = $1 AND id = 'test:3'",
        "4: it is not what was sealed there (test:3)",
    ),
    "removed": (
        "DELETE FROM audit_entries WHERE tenant = $1 AND id = 'test:3'",
        "4: the entry is missing",
    ),
    "removed with its seal": (
        "WITH e AS (DELETE FROM audit_entries WHERE tenant = $1 AND id = 'test:3')"
        " DELETE FROM audit_seals WHERE tenant = $1 AND position = 4",
        "5 comes after 3: something is missing",
    ),
    "moved": (
        "UPDATE audit_seals SET entry = CASE position WHEN 4 THEN 'test:5' ELSE 'test:3' END"
        " WHERE tenant = $1 AND position IN (4, 6)",
        "4: it is not what was sealed there (test:5)",
    ),
    "added": (
        "INSERT INTO audit_seals SELECT tenant, 9, 'test:2', hash FROM audit_seals"
        " WHERE tenant = $1 AND position = 8",
        "9: it is not what was sealed there (test:2)",
    ),
}


@pytest.mark.parametrize("how", TAMPERING)
async def test_r31_whoever_tampers_with_the_chain_is_found_out(
    chained: Tenant, superuser: asyncpg.Connection, how: str
):
    statement, fault = TAMPERING[how]
    before = await report(chained)
    # Two seals of one entry are there only while an index is not.
    await superuser.execute("SET session_replication_role = replica")
    dropped = how in ("moved", "added")
    if dropped:
        await superuser.execute(f"ALTER TABLE audit_seals DROP CONSTRAINT {UNIQUE}")
    try:
        await superuser.execute(statement, UUID(chained.id))
        after = await report(chained)
    finally:
        if dropped:
            await superuser.execute("DELETE FROM audit_seals WHERE tenant = $1", UUID(chained.id))
            await superuser.execute(
                f"ALTER TABLE audit_seals ADD CONSTRAINT {UNIQUE} UNIQUE (tenant, entry)"
            )
        await superuser.execute("SET session_replication_role = origin")

    assert before.faults == [] and before.head.position == 8
    assert fault in after.faults


async def test_r31_a_head_that_was_noted_shows_a_cut_and_a_chain_made_anew(
    chained: Tenant, superuser: asyncpg.Connection, system: AsyncEngine
):
    known = (await report(chained)).head
    for table, rest in (("audit_seals", "position > 5"), ("audit_entries", "id > 'test:4'")):
        await superuser.execute(
            f"DELETE FROM {table} WHERE tenant = $1 AND {rest}", UUID(chained.id)
        )
    cut = await report(chained, known)
    unnoticed = await report(chained)
    for number in range(5, 8):
        forged = f"forged:{number}"
        await superuser.execute(RECORD, UUID(chained.id), forged, '{"kind": "CALL"}')
    await sealed(system, chained, superuser)
    anew = await report(chained, known)

    assert cut.faults == ["the chain ends at 5, and it had come to 8"]
    # Without a head of before nobody can tell: hence the log has one each minute.
    assert unnoticed.faults == []
    assert anew.faults == [f"8: the chain was made anew, its hash was {known.hash}"]


async def test_r31_sealers_side_by_side_make_one_chain(
    new_tenant: Any, superuser: asyncpg.Connection, system: AsyncEngine
):
    tenant = await new_tenant()
    await record(superuser, tenant, 40)
    await asyncio.gather(*(Sealer(system).seal() for _ in range(4)))
    await sealed(system, tenant, superuser)

    whole = await report(tenant)

    assert (whole.faults, whole.head.position, whole.unsealed) == ([], 40, 0)


async def test_r31_what_commits_late_is_sealed_all_the_same(
    urls: MigrationUrls, chained: Tenant, superuser: asyncpg.Connection, system: AsyncEngine
):
    """Its number is below those that were sealed meanwhile: nobody goes by numbers."""
    late = await asyncpg.connect(urls.service)
    try:
        transaction = late.transaction()
        await transaction.start()
        await late.execute(RECORD, UUID(chained.id), "late", "{}")
        await superuser.execute(RECORD, UUID(chained.id), "soon", "{}")
        await sealed(system, chained, superuser)
        before = await report(chained)
        await transaction.commit()
    finally:
        await late.close()
    await sealed(system, chained, superuser)

    after = await report(chained)

    assert (before.head.position, after.head.position, after.faults) == (9, 10, [])
    assert orjson.loads((await exported(chained))[-1])["entry"]["id"] == "late"


async def test_the_audit_is_for_admins_and_a_tenant_s_own(chained: Tenant, new_tenant: Any):
    stranger = await new_tenant()
    request = pb.ListAuditEntriesRequest()
    member = chained.somebody("member", str(uuid4()))

    refused = await refusal(chained.runtime.audit.ListAuditEntries(request, metadata=member))

    assert refused.reason == "FORBIDDEN"
    assert await entries(stranger) == []
    assert [each.position for each in await entries(chained, after_position=6)] == [7, 8]
