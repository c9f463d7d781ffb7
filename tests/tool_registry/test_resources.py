"""Resources of servers: listed whole, read in a principal's name, by embedding alone."""

import asyncio
import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest

from tests.doubles.scripted_mcp import Message, RpcError, ScriptedServer
from tests.tool_registry.serving import Registry, Tenant
from turnpike.api.tool_registry.v1 import resource_service_pb2 as pb
from turnpike.api.tool_registry.v1.resource_service_pb2_grpc import ResourceServiceStub
from turnpike.rpc.errors import RemoteError, from_rpc_error

Read = Callable[[Message], Message]


def paged(*resources: Message, size: int = 2) -> Callable[[Message], Message]:
    """Returns what answers `resources/list`, page by page."""

    def answer(params: Message) -> Message:
        at = int(params.get("cursor", 0))
        page: Message = {"resources": list(resources[at : at + size])}
        return page | ({"nextCursor": str(at + size)} if at + size < len(resources) else {})

    return answer


def resource(uri: str, **others: Any) -> Message:
    return {"uri": uri, "name": uri.rpartition("/")[2], **others}


async def listed(tenant: Tenant, connector: str = "wiki") -> tuple[list[pb.Resource], bool]:
    stub = ResourceServiceStub(tenant.registry.channel)
    request = pb.ListResourcesRequest(connector=connector)
    found, incomplete = list[pb.Resource](), False
    async for response in stub.ListResources(request, metadata=tenant.as_service("embedding")):
        found += response.resources
        incomplete = response.incomplete
    return found, incomplete


async def read(tenant: Tenant, uri: str, **fields: Any) -> pb.ReadResourceResponse:
    fields = {"max_bytes": 1000, "timeout": timedelta(seconds=20), **fields}
    request = pb.ReadResourceRequest(connector="wiki", uri=uri, **fields)
    stub = ResourceServiceStub(tenant.registry.channel)
    return await stub.ReadResource(request, metadata=tenant.as_service("embedding"))


async def refusal_of(doing: Any) -> RemoteError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await doing
    return from_rpc_error(caught.value)


@pytest.fixture
async def wiki(server: ScriptedServer, place: str, tenant: Tenant) -> ScriptedServer:
    """A server with resources, and the connector to it."""
    server.resources = True
    await tenant.connect("wiki", url=place)
    return server


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_every_page_is_listed_and_marks_say_what_changed(
    wiki: ScriptedServer, tenant: Tenant, era: str
):
    wiki.era = era
    dated = {"annotations": {"lastModified": "2026-01-02T03:04:05Z"}, "_meta": {"etag": "e1"}}
    names = [f"file:///{number}.md" for number in range(5)]
    wiki.others["resources/list"] = paged(
        resource(names[0], mimeType="text/markdown", size=7, title="Nought", **dated),
        *map(resource, names[1:]),
    )
    wiki.others["resources/read"] = lambda params: {
        "contents": [{"uri": params["uri"], "mimeType": "text/markdown", "text": "# Öl"}]
    }

    found, incomplete = await listed(tenant)

    assert ([each.uri for each in found], incomplete) == (names, False)
    first = found[0]
    assert (first.title, first.media_type, first.size) == ("Nought", "text/markdown", 7)
    assert first.mark
    assert not found[1].mark
    (part,) = (await read(tenant, names[0])).parts
    assert (part.content.decode(), part.is_text, part.media_type) == (
        "# Öl",
        True,
        "text/markdown",
    )


async def test_what_is_no_list_or_has_no_end_is_not_taken_for_the_whole(
    wiki: ScriptedServer, tenant: Tenant
):
    in_a_circle = {"resources": [resource("a:1"), {"name": "none"}, resource("a:1")]}
    wiki.others["resources/list"] = lambda _: in_a_circle | {"nextCursor": "again"}

    found, incomplete = await listed(tenant)

    assert ([each.uri for each in found], incomplete) == (["a:1"], True)
    assert wiki.count("resources/list") == 2
    wiki.others["resources/list"] = lambda _: {"resources": "several"}
    refusal = await refusal_of(listed(tenant))
    assert (refusal.reason, refusal.metadata["fault"]) == ("CONNECTOR_UNUSABLE", "NOT_MCP")


async def test_why_a_resource_cannot_be_read_is_told_apart(wiki: ScriptedServer, tenant: Tenant):
    answers: dict[str, Message | Exception] = {
        "a:bytes": {"contents": [{"uri": "a:bytes", "blob": base64.b64encode(b"\0\1").decode()}]},
        "a:long": {"contents": [{"uri": "a:long", "text": "x" * 1001}]},
        "a:gone": RpcError(-32002, "no such thing"),
        "a:broken": RpcError(-32603, "the disk is full"),
        "a:odd": {"contents": [{"uri": "a:odd"}]},
    }

    def answer(params: Message) -> Message:
        found = answers[params["uri"]]
        if isinstance(found, Exception):
            raise found
        return found

    wiki.others["resources/read"] = answer

    assert (await read(tenant, "a:bytes")).parts[0].content == b"\0\1"
    reasons = {uri: (await refusal_of(read(tenant, uri))).reason for uri in list(answers)[1:]}
    assert reasons == {
        "a:long": "RESOURCE_TOO_LARGE",
        "a:gone": "NOT_FOUND",
        "a:broken": "RESOURCE_REFUSED",
        "a:odd": "RESOURCE_REFUSED",
    }


async def test_a_server_that_hangs_or_has_none_is_said_to(wiki: ScriptedServer, tenant: Tenant):
    wiki.hung = asyncio.Event()
    hung = await refusal_of(read(tenant, "a:1", timeout=timedelta(seconds=0.3)))
    assert hung.code is grpc.StatusCode.DEADLINE_EXCEEDED
    wiki.hung.set()

    unknown = await refusal_of(listed(tenant, "nowhere"))
    assert (unknown.reason, unknown.metadata["kind"]) == ("NOT_FOUND", "connector")
    wiki.resources = False
    await tenant.connect("wiki", url=(await tenant.connector("wiki")).url, headers={"x-new": "1"})
    assert (await refusal_of(listed(tenant))).reason == "RESOURCES_UNSUPPORTED"


async def test_embedding_alone_asks_and_sees_no_one_else_s_connector(
    wiki: ScriptedServer, place: str, tenant: Tenant, registry: Registry
):
    wiki.others["resources/list"] = paged(resource("a:1"))
    stub = ResourceServiceStub(registry.channel)
    for metadata in (tenant.as_principal("owner"), tenant.as_service("agent-runtime")):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await anext(
                aiter(
                    stub.ListResources(pb.ListResourcesRequest(connector="wiki"), metadata=metadata)
                )
            )
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED

    owned = "22222222-2222-4222-8222-222222222222"
    await tenant.connect("own", url=place, owner=owned)
    assert (await refusal_of(listed(tenant, "own"))).reason == "NOT_FOUND"
