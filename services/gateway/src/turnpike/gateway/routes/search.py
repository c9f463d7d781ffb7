"""Searching documents."""

from datetime import timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Response
from pydantic import Field

from turnpike.api.embedding.v1 import search_service_pb2 as pb
from turnpike.api.embedding.v1.search_service_pb2_grpc import SearchServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.replies import problems, raw_reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Metadata, Name, Reply, Request, Text, Time

# The first call after a start loads the model.
_PATIENCE = timedelta(seconds=60)

Wording = Annotated[Text, Field(min_length=1, max_length=4096)]
MediaType = Annotated[Text, Field(max_length=127)]
Day = Annotated[Text, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]


class SearchFilter(Request):
    """Where to look: whatever is set must hold."""

    collections: Annotated[list[Name], Field(max_length=32)] = Field(
        default=[], description="None: all."
    )
    folder: Annotated[Text, Field(max_length=1024, description="And those below it.")] = ""
    media_types: Annotated[list[MediaType], Field(max_length=16)] = Field(default=[])
    metadata: Annotated[Metadata, Field(max_length=16)] = Field(default={})
    since: Day = Field(default="", description="The first day of the last change.")
    until: Day = Field(default="", description="The last such day, to its end.")
    time_zone: Annotated[Text, Field(max_length=64, description="Of these days.")] = "UTC"


class Search(Request):
    """What to find."""

    query: Wording
    planned: Annotated[list[Wording], Field(max_length=4)] = Field(
        default=[], description="Other wordings, searched beside it."
    )
    filter: SearchFilter = SearchFilter()
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    max_tokens: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=0, description="Of all results together; 0 for no bound."
    )
    recent: bool = Field(default=False, description="The newest first.")
    read_time: bool = Field(
        default=False, description="Read days and recency from the query, in English."
    )
    plan: bool = Field(
        default=False, description="Have the planner word it anew, beside it, within 0.8 s."
    )


class SearchResult(Reply):
    """A part of a document, and where it is from."""

    document: str
    collection: str
    path: str
    title: str
    revision: int
    position: int
    text: str
    header: str
    headings: list[str]
    start: int
    end: int
    first_line: int
    last_line: int
    tokens: int
    score: float
    dense_rank: int
    text_rank: int
    updated: Time


class SearchResults(Reply):
    """What was found, the best first."""

    results: list[SearchResult]
    tokens: int
    plan: str
    since: str
    until: str
    recent: bool
    planned: str = Field(description="The planner's wording, where it was searched too.")
    reranked: bool = Field(description="Whether a reranker had the last word on their order.")


class SearchRoutes:
    """`/api/v1/search`."""

    def __init__(self, search: SearchServiceStub) -> None:
        self._search = search

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        router.add_api_route(
            "/api/v1/search",
            self.search,
            methods=["POST"],
            response_model=SearchResults,
            responses=problems(402, 404, 413, 415),
        )
        return router

    async def search(self, call: CurrentCall, body: Search) -> Response:
        """Finds parts of documents by meaning and by words."""
        request = pb.SearchRequest(
            query=body.query,
            planned=body.planned,
            filter=pb.SearchFilter(**body.filter.model_dump()),
            limit=body.limit,
            max_tokens=body.max_tokens,
            recent=body.recent,
            read_time=body.read_time,
            plan=body.plan,
        )
        response = await call.patient(_PATIENCE).read(self._search.Search, request)
        return raw_reply(
            orjson.dumps(
                {
                    "results": [_result(each) for each in response.results],
                    "tokens": response.tokens,
                    "plan": pb.SearchPlan.Name(response.plan).removeprefix("SEARCH_PLAN_"),
                    "since": response.since,
                    "until": response.until,
                    "recent": response.recent,
                    "planned": response.planned,
                    "reranked": response.reranked,
                }
            )
        )


def _result(result: pb.SearchResult) -> dict[str, Any]:
    return {
        "document": result.document,
        "collection": result.collection,
        "path": result.path,
        "title": result.title,
        "revision": result.revision,
        "position": result.position,
        "text": result.text,
        "header": result.header,
        "headings": list(result.headings),
        "start": result.start,
        "end": result.end,
        "first_line": result.first_line,
        "last_line": result.last_line,
        "tokens": result.tokens,
        "score": result.score,
        "dense_rank": result.dense_rank,
        "text_rank": result.text_rank,
        "updated": rfc3339(result.update_time),
    }
