"""Connectors, as admins keep them."""

import asyncio

import asyncpg
import pytest

from tests.conftest import Keys
from tests.doubles.effects_server import EffectsServer
from tests.locks import held_up
from tests.tool_registry.serving import Registry, Tenant, serving, settings_for
from tests.waiting import refusal
from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.api.tool_registry.v1.tool_pb2 import Connector
from turnpike.database.migration import MigrationUrls

URL = "http://127.0.0.1:1/mcp"


def http(name: str = "effects", url: str = URL, **fields: object) -> Connector:
    return Connector(name=name, transport=tool_pb2.TRANSPORT_HTTP, url=url, **fields)  # pyright: ignore[reportArgumentType]


def stdio(*command: str, **fields: object) -> Connector:
    return Connector(
        name="local",
        transport=tool_pb2.TRANSPORT_STDIO,
        command=command,
        **fields,  # pyright: ignore[reportArgumentType]
    )


async def create(tenant: Tenant, connector: Connector, **others: bool) -> Connector:
    request = pb.CreateConnectorRequest(connector=connector, **others)
    stub = tenant.registry.connectors
    return (await stub.CreateConnector(request, metadata=tenant.as_principal())).connector


async def update(
    tenant: Tenant, connector: Connector, etag: str = "", **others: bool
) -> pb.UpdateConnectorResponse:
    request = pb.UpdateConnectorRequest(connector=connector, etag=etag, **others)
    return await tenant.registry.connectors.UpdateConnector(request, metadata=tenant.as_principal())


async def delete(tenant: Tenant, name: str, etag: str = "") -> None:
    request = pb.DeleteConnectorRequest(name=name, etag=etag)
    await tenant.registry.connectors.DeleteConnector(request, metadata=tenant.as_principal())


async def test_a_connector_is_kept_without_showing_its_secrets(
    tenant: Tenant, superuser: asyncpg.Connection
):
    secret = "Bearer hunter2-hunter2"
    created = await create(tenant, http(headers={"authorization": secret}))

    assert list(created.header_names) == ["authorization"]
    assert not created.headers
    assert (await tenant.connector()).etag == created.etag
    dump = await superuser.fetch("SELECT c::text AS row FROM connectors c")
    assert all("hunter2" not in record["row"] for record in dump)


async def test_a_taken_name_is_refused(tenant: Tenant, registry: Registry):
    await create(tenant, http())

    error = await refusal(create(tenant, http()))

    assert (error.code.name, error.reason) == ("ALREADY_EXISTS", "CONFLICT")
    assert error.metadata == {"kind": "connector", "id": "effects"}
    await create(registry.new_tenant(), http())


async def test_an_update_says_what_it_did(tenant: Tenant):
    missing = await refusal(update(tenant, http()))
    created = await update(tenant, http(headers={"x-key": "1"}), allow_missing=True)
    same = await update(tenant, http(headers={"x-key": "1"}), allow_missing=True)
    kept = await update(tenant, http(headers={"x-key": ""}), created.connector.etag)
    changed = await update(tenant, http(headers={"x-key": "2"}))

    assert (missing.code.name, missing.reason) == ("NOT_FOUND", "NOT_FOUND")
    assert created.change == pb.CHANGE_CREATED
    assert same.change == kept.change == pb.CHANGE_UNCHANGED
    assert same.connector.etag == kept.connector.etag == created.connector.etag
    assert changed.change == pb.CHANGE_CHANGED
    assert changed.connector.etag != created.connector.etag


async def test_of_two_who_make_a_connector_at_once_one_finds_it_made(
    tenant: Tenant, superuser: asyncpg.Connection
):
    async with superuser.transaction():
        await superuser.execute("LOCK TABLE connectors IN SHARE MODE")
        making = [asyncio.create_task(update(tenant, http(), allow_missing=True)) for _ in "ab"]
        await held_up(superuser, "INSERT INTO connectors", by=2)
    made = await asyncio.gather(*making)

    assert sorted(each.change for each in made) == sorted([pb.CHANGE_CREATED, pb.CHANGE_UNCHANGED])
    assert made[0].connector.etag == made[1].connector.etag


MOVED = {
    "url": {"url": URL + "2"},
    "transport": {"transport": tool_pb2.TRANSPORT_SSE},
}


@pytest.mark.parametrize("moved", MOVED)
@pytest.mark.parametrize("validate_only", [False, True], ids=["change", "validation"])
async def test_a_kept_header_never_goes_elsewhere(tenant: Tenant, moved: str, validate_only: bool):
    before = await create(tenant, http(headers={"x-key": "another's"}))
    elsewhere = http(headers={"x-key": ""})
    elsewhere.MergeFrom(Connector(**MOVED[moved]))  # pyright: ignore[reportArgumentType]

    refused = await refusal(update(tenant, elsewhere, validate_only=validate_only))
    after = await tenant.connector()
    elsewhere.headers["x-key"] = "own"
    told = await update(tenant, elsewhere)

    assert (refused.code.name, refused.reason) == ("INVALID_ARGUMENT",) * 2
    assert [path for path, _ in refused.fields] == ["connector.headers"]
    assert (after.etag, after.url) == (before.etag, URL)
    assert told.change == pb.CHANGE_CHANGED


async def test_a_kept_variable_never_goes_to_another_command(urls: MigrationUrls, keys: Keys):
    settings = settings_for(urls, keys, stdio_commands=[["true"], ["printenv"]])
    async with serving(settings, keys) as replica:
        tenant = replica.new_tenant()
        await create(tenant, stdio("true", env={"KEY": "another's"}))

        kept = await update(tenant, stdio("true", env={"KEY": ""}))
        refused = await refusal(update(tenant, stdio("printenv", env={"KEY": ""})))

    assert kept.change == pb.CHANGE_UNCHANGED
    assert [path for path, _ in refused.fields] == ["connector.env"]


async def test_an_outdated_etag_changes_nothing(tenant: Tenant):
    first = await create(tenant, http())
    second = (await update(tenant, http(url=URL + "2"))).connector

    error = await refusal(update(tenant, http(), first.etag))

    assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "ETAG_MISMATCH")
    assert error.metadata == {"etag": second.etag}
    assert (await refusal(delete(tenant, "effects", first.etag))).reason == "ETAG_MISMATCH"
    assert (await tenant.connector()).url == URL + "2"


async def test_validating_changes_nothing(tenant: Tenant):
    assert (await create(tenant, http(), validate_only=True)).name == "effects"
    tried = await update(tenant, http(), allow_missing=True, validate_only=True)
    await create(tenant, http("other"))
    changed = await update(tenant, http("other", URL + "2"), validate_only=True)

    assert tried.change == pb.CHANGE_CREATED
    assert changed.change == pb.CHANGE_CHANGED
    assert (await refusal(tenant.connector("effects"))).reason == "NOT_FOUND"
    assert (await tenant.connector("other")).url == URL


async def test_a_deleted_connector_is_gone_with_its_tools(tenant: Tenant, url: str):
    await tenant.connect(url=url)
    request = await tenant.ask("effects/echo", x=1)
    await tenant.run(request)
    request.ordinal = 1

    await delete(tenant, "effects")

    assert await tenant.tools() == {}
    assert (await tenant.run(request)).reason == "TOOL_NOT_FOUND"
    assert (await refusal(delete(tenant, "effects"))).reason == "NOT_FOUND"


async def test_connectors_come_in_pages(tenant: Tenant):
    for number in range(5):
        await create(tenant, http(f"c{number}"))
    names: list[str] = []
    token = ""
    while True:
        page = await tenant.registry.connectors.ListConnectors(
            pb.ListConnectorsRequest(page_size=2, page_token=token),
            metadata=tenant.as_principal("viewer"),
        )
        names += [connector.name for connector in page.connectors]
        token = page.next_page_token
        if not token:
            break

    assert names == ["c0", "c1", "c2", "c3", "c4"]


WRONG = [
    http(url=""),
    http(url="ftp://example.com"),
    http(url="http://"),
    http(url="http://user:secret@example.com/mcp"),
    http(url="http://example.com:99999/mcp"),
    http(url="http://169.254.169.254/latest"),
    http(url="http://[::ffff:169.254.169.254]/"),
    http(command=["ls"]),
    http(env={"A": "1"}),
    http(headers={"Host": "elsewhere"}),
    http(headers={"Mcp-Session-Id": "1"}),
    http(headers={"bad name": "1"}),
    http(headers={"x-key": "1\r\nx-other: 2"}),
    http(headers={"x-key": "1\n"}),
    http(headers={"x-key": ""}),
    stdio(),
    stdio("rm", "-rf", "/"),
    stdio("true", "extra"),
    stdio("true", url=URL),
    stdio("true", headers={"a": "b"}),
    stdio("true", env={"A=B": "c"}),
    http(name="Bad Name"),
    http(url="http://example.com/\0"),
]


async def test_what_cannot_be_or_is_not_allowed_is_refused(
    tenant: Tenant, urls: MigrationUrls, keys: Keys
):
    settings = settings_for(urls, keys, stdio_commands=[["true"]])
    async with serving(settings, keys) as strict:
        for connector in WRONG:
            error = await refusal(create(tenant.on(strict), connector))
            assert (error.code.name, error.reason) == ("INVALID_ARGUMENT",) * 2, connector
            assert error.fields, connector
            assert (await refusal(tenant.connector(connector.name))).reason == "NOT_FOUND"


@pytest.mark.parametrize("url", [URL, "http://10.0.0.1/", "http://[::1]/", "http://localhost:1/"])
async def test_private_addresses_are_refused_unless_the_operator_allows_them(
    lone_urls: MigrationUrls, keys: Keys, url: str
):
    settings = settings_for(lone_urls, keys, egress_allow_private=False)
    async with serving(settings, keys) as guarded:
        inside = guarded.new_tenant()
        if "localhost" not in url:
            assert (await refusal(create(inside, http(url=url)))).reason == "INVALID_ARGUMENT"
            return
        # A name is judged by what it resolves to, when it is connected to.
        await create(inside, http(url=url))
        assert await inside.tools() == {}
        assert "refused" in (await inside.connector()).state_reason


async def test_only_admins_change_connectors(tenant: Tenant):
    stub, connector = tenant.registry.connectors, http()
    for role in ("member", "viewer"):
        metadata = tenant.as_principal(role)
        for call in (
            stub.CreateConnector(pb.CreateConnectorRequest(connector=connector), metadata=metadata),
            stub.UpdateConnector(pb.UpdateConnectorRequest(connector=connector), metadata=metadata),
            stub.DeleteConnector(pb.DeleteConnectorRequest(name="effects"), metadata=metadata),
        ):
            assert (await refusal(call)).reason == "FORBIDDEN"
        await stub.ListTools(pb.ListToolsRequest(), metadata=metadata)


async def test_another_tenants_connector_is_not_there(tenant: Tenant, registry: Registry, url: str):
    await tenant.connect(url=url)
    await tenant.tools()
    stranger = registry.new_tenant()

    assert (await refusal(stranger.connector())).reason == "NOT_FOUND"
    assert (await refusal(update(stranger, http()))).reason == "NOT_FOUND"
    assert (await refusal(delete(stranger, "effects"))).reason == "NOT_FOUND"
    assert await stranger.tools() == {}
    assert (await tenant.connector()).url == url


async def test_headers_reach_the_server(tenant: Tenant, url: str, effects: EffectsServer):
    await tenant.connect(url=url, headers={"authorization": "Bearer hunter2"})
    await tenant.tools()

    headers = effects.journal.entries("tools/list")[0].headers or {}
    assert headers["authorization"] == "Bearer hunter2"
