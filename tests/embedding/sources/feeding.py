"""A server whose resources a test decides, and a tenant that reads them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.scripted_mcp import Message, RpcError, ScriptedServer
from tests.embedding.knowledge.serving import Tenant
from tests.tool_registry.serving import Registry
from tests.tool_registry.serving import Tenant as Admin
from tests.waiting import until
from turnpike.api.embedding.v1 import document_service_pb2, source_service_pb2
from turnpike.api.embedding.v1 import source_service_pb2 as pb

OVER = (
    pb.SOURCE_RUN_STATE_SUCCEEDED,
    pb.SOURCE_RUN_STATE_PARTIAL,
    pb.SOURCE_RUN_STATE_FAILED,
)


@dataclass
class Wiki:
    """The server; change it while it serves."""

    pages: dict[str, Message] = field(default_factory=dict[str, Message])
    """What it lists, by URI, beside the text: `mimeType`, `lastModified`, `blob` …"""

    texts: dict[str, str] = field(default_factory=dict[str, str])
    broken: set[str] = field(default_factory=set[str])
    page_size: int = 2
    endless: bool = False
    reads: list[str] = field(default_factory=list[str])
    hung: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    server: ScriptedServer = field(init=False)

    def __post_init__(self) -> None:
        self.server = ScriptedServer(resources=True)
        self.server.others["resources/list"] = self._list
        self.server.others["resources/read"] = self._read

    def say(self, uri: str, text: str, **shown: Any) -> None:
        """Has it list a text."""
        self.texts[uri] = text
        self.pages[uri] = {"mimeType": "text/markdown", **shown}

    def forget(self, uri: str) -> None:
        """Has it list a resource no more."""
        del self.pages[uri], self.texts[uri]

    def hang(self) -> None:
        """Has reads wait until `hung` is set."""
        self.hung.clear()
        self.server.hung = self.hung

    def _list(self, params: Message) -> Message:
        at, uris = int(params.get("cursor", 0)), list(self.pages)
        shown = [
            {
                "uri": uri,
                "name": uri,
                "mimeType": page["mimeType"],
                **({"annotations": {"lastModified": page["at"]}} if "at" in page else {}),
                **({"size": page["size"]} if "size" in page else {}),
            }
            for uri, page in list(self.pages.items())[at : at + self.page_size]
        ]
        more = self.endless or at + self.page_size < len(uris)
        return {"resources": shown} | ({"nextCursor": str(at + self.page_size)} if more else {})

    def _read(self, params: Message) -> Message:
        uri = params["uri"]
        self.reads.append(uri)
        if uri in self.broken:
            raise RpcError(-32603, "the disk is full")
        if uri not in self.texts:
            raise RpcError(-32002, "no such page")
        shown = self.pages.get(uri, {"mimeType": "text/markdown"})
        return {"contents": [{"uri": uri, "text": self.texts[uri], "mimeType": shown["mimeType"]}]}


@dataclass(frozen=True)
class Feed:
    """A tenant whose collection is fed."""

    tenant: Tenant
    registry: Registry
    wiki: Wiki

    async def begin(self) -> None:
        """Makes the collection and the connector."""
        await self.tenant.begin()
        await Admin(self.registry, self.tenant.id).connect("wiki", url=self.wiki.url)

    async def call(self, method: str, request: Any) -> Any:
        metadata = self.tenant.as_principal("admin")
        return await getattr(self.tenant.library.sources, method)(request, metadata=metadata)

    async def put(self, name: str = "wiki", **fields: Any) -> pb.UpdateSourceResponse:
        """Makes a source what the fields say."""
        given: dict[str, Any] = {
            "collection": self.tenant.collection,
            "connector": "wiki",
            **fields,
        }
        request = pb.UpdateSourceRequest(source=pb.Source(name=name, **given), allow_missing=True)
        return await self.call("UpdateSource", request)

    async def get(self, name: str = "wiki") -> pb.Source:
        return (await self.call("GetSource", pb.GetSourceRequest(name=name))).source

    async def runs(self, name: str = "wiki") -> list[pb.SourceRun]:
        request = pb.ListSourceRunsRequest(name=name)
        return list((await self.call("ListSourceRuns", request)).runs)

    async def ended(self, name: str = "wiki") -> pb.SourceRun:
        """Waits until the newest run is over."""
        found = list[pb.SourceRun]()

        async def is_over() -> bool:
            found[:] = await self.runs(name)
            return bool(found) and found[0].state in OVER

        # A server's first session costs an import of seconds on a loaded machine.
        await until(is_over, seconds=60, every=0.1)
        return found[0]

    async def run(self, name: str = "wiki", *, anew: bool = False) -> pb.SourceRun:
        """Has a source run, and returns the run when it is over."""
        await self.call("RunSource", pb.RunSourceRequest(name=name, anew=anew))
        return await self.ended(name)

    async def items(self, name: str = "wiki", **fields: Any) -> dict[str, pb.SourceItem]:
        """Returns all items by URI, two to a page."""
        request = pb.ListSourceItemsRequest(name=name, page_size=2, **fields)
        found = dict[str, pb.SourceItem]()
        while True:
            page = await self.call("ListSourceItems", request)
            found |= {item.uri: item for item in page.items}
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def changes(self) -> list[str]:
        """Returns the kinds of all changes, the newest first."""
        request = document_service_pb2.ListChangesRequest(collection=self.tenant.collection)
        response = await self.tenant.call("ListChanges", request)
        return [change.kind for change in response.changes]


def counts(run: source_service_pb2.SourceRun) -> dict[str, int]:
    """Returns what a run did, without what it did not."""
    names = ("added", "changed", "unchanged", "removed", "failed", "skipped")
    return {name: getattr(run, name) for name in names if getattr(run, name)}


@asynccontextmanager
async def hanging(wiki: Wiki) -> AsyncGenerator[None]:
    """Has a server's reads wait while inside."""
    wiki.hang()
    try:
        yield
    finally:
        wiki.hung.set()
