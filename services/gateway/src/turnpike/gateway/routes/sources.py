"""Sources: what feeds folders of collections."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from turnpike.api.embedding.v1 import source_service_pb2 as pb
from turnpike.api.embedding.v1.source_service_pb2_grpc import SourceServiceStub
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes import source_shapes as shapes
from turnpike.gateway.routes.configured import Configured
from turnpike.gateway.routes.parameters import CurrentWrite, IfMatch, Page, PageSize
from turnpike.gateway.routes.replies import changed, problems, reply, tagged
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import check_name

_PATH = "/api/v1/sources"
_ONE = f"{_PATH}/{{name:name}}"
_NAMES = {"source.interval": "interval_seconds", "source.": ""}

State = Annotated[
    Literal["", "OK", "FAILED", "SKIPPED", "REMOVED"], Query(description="Those that fare so.")
]
LongToken = Annotated[str, Query(max_length=4096)]


class SourceRoutes:
    """`/api/v1/sources`."""

    def __init__(self, sources: SourceServiceStub) -> None:
        self._sources = sources

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        Configured(
            noun=shapes.Source,
            page=shapes.SourcePage,
            list_page=self.list_sources,
            get=self.get_source,
            put=self.put_source,
            delete=self.delete_source,
        ).add_to(router, _PATH)
        for path, endpoint, method, model, responses in (
            (f"{_ONE}:run", self.run_source, "POST", shapes.SourceRun, problems(404, 413, 415)),
            (f"{_ONE}/runs", self.list_runs, "GET", shapes.SourceRunPage, problems(404)),
            (f"{_ONE}/items", self.list_items, "GET", shapes.SourceItemPage, problems(404)),
        ):
            router.add_api_route(
                path, endpoint, methods=[method], response_model=model, responses=responses
            )
        return router

    async def list_sources(
        self, call: CurrentCall, page: Page, collection: Annotated[str, Query(max_length=63)] = ""
    ) -> Response:
        """Lists sources by name, each with its newest run."""
        request = pb.ListSourcesRequest(collection=collection, **page)
        response = await call.read(self._sources.ListSources, request)
        sources = [shapes.to_source(each) for each in response.sources]
        return reply(shapes.SourcePage(sources=sources, next_page_token=response.next_page_token))

    async def get_source(self, call: CurrentCall, name: str) -> Response:
        """Returns a source, with its newest run."""
        response = await call.read(self._sources.GetSource, pb.GetSourceRequest(name=name))
        return tagged(shapes.to_source(response.source))

    async def put_source(
        self, call: CurrentCall, name: str, body: shapes.NewSource, write: CurrentWrite
    ) -> Response:
        """Makes a source what the body says; a new one, or a changed one, runs at once."""
        check_name(body.name, name)
        request = pb.UpdateSourceRequest(source=shapes.to_message(name, body), **write.update)
        response = await call.read(self._sources.UpdateSource, request, _NAMES)
        return changed(shapes.to_source(response.source), response.change, write)

    async def delete_source(self, call: CurrentCall, name: str, tag: IfMatch = None) -> Response:
        """Deletes a source; its documents stay."""
        request = pb.DeleteSourceRequest(name=name, etag=if_match(tag))
        await call.change(self._sources.DeleteSource, request)
        return Response(status_code=204)

    async def run_source(self, call: CurrentCall, name: str, body: shapes.Rerun) -> Response:
        """Has a source run now; returns the run, which `runs` then tells of."""
        request = pb.RunSourceRequest(name=name, anew=body.anew)
        response = await call.read(self._sources.RunSource, request)
        return reply(shapes.to_run(response.run))

    async def list_runs(self, call: CurrentCall, name: str, page: Page) -> Response:
        """Lists a source's runs, the newest first."""
        request = pb.ListSourceRunsRequest(name=name, **page)
        response = await call.read(self._sources.ListSourceRuns, request)
        runs = [shapes.to_run(each) for each in response.runs]
        return reply(shapes.SourceRunPage(runs=runs, next_page_token=response.next_page_token))

    async def list_items(
        self,
        call: CurrentCall,
        name: str,
        state: State = "",
        page_size: PageSize = 50,
        page_token: LongToken = "",
    ) -> Response:
        """Lists how each of a source's items fares, by URI."""
        request = pb.ListSourceItemsRequest(
            name=name,
            state=f"SOURCE_ITEM_STATE_{state or 'UNSPECIFIED'}",
            page_size=page_size,
            page_token=page_token,
        )
        response = await call.read(self._sources.ListSourceItems, request)
        items = [shapes.to_item(each) for each in response.items]
        return reply(shapes.SourceItemPage(items=items, next_page_token=response.next_page_token))
