"""Serves turnpike.api.embedding.v1.SearchService."""

from datetime import date
from uuid import UUID

from turnpike.api.embedding.v1 import search_service_pb2 as pb
from turnpike.api.embedding.v1.search_service_pb2_grpc import SearchServiceServicer
from turnpike.embedding.metering import Payer
from turnpike.embedding.searching.model import DEFAULT_LIMIT, Filter, Found, Plan, Question, Result
from turnpike.embedding.searching.planned import PlannedSearch
from turnpike.rpc.errors import ForbiddenError, InvalidArgumentError
from turnpike.rpc.served import Context, caller_of

_PLANS = {
    None: pb.SEARCH_PLAN_UNSPECIFIED,
    Plan.EXACT: pb.SEARCH_PLAN_EXACT,
    Plan.PARTIAL_INDEX: pb.SEARCH_PLAN_PARTIAL_INDEX,
    Plan.ITERATIVE: pb.SEARCH_PLAN_ITERATIVE,
}


class SearchServicer(SearchServiceServicer):
    """Serves turnpike.api.embedding.v1.SearchService."""

    def __init__(self, search: PlannedSearch) -> None:
        self._search = search

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        caller = caller_of(context)
        if not caller.tenant:
            raise ForbiddenError("this is for principals of a tenant alone")
        payer = Payer(tenant=caller.tenant, principal=caller.principal, key=caller.key)
        question = Question(
            tenant=UUID(caller.tenant),
            wordings=tuple(dict.fromkeys([request.query, *request.planned])),
            filter=_filter(request.filter),
            limit=request.limit or DEFAULT_LIMIT,
            max_tokens=request.max_tokens,
            recent=request.recent,
            read_time=request.read_time,
            plan=request.plan,
        )
        return _found_to_proto(await self._search.search(question, payer))


def _filter(asked: pb.SearchFilter) -> Filter:
    return Filter(
        collections=tuple(asked.collections),
        folder=asked.folder.rstrip("/"),
        media_types=tuple(asked.media_types),
        metadata=dict(asked.metadata),
        since=_day("filter.since", asked.since),
        until=_day("filter.until", asked.until),
        time_zone=asked.time_zone or "UTC",
    )


def _day(field: str, written: str) -> date | None:
    if not written:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError as error:
        raise InvalidArgumentError(field, "is no day of the calendar") from error


def _written(day: date | None) -> str:
    return day.isoformat() if day else ""


def _found_to_proto(found: Found) -> pb.SearchResponse:
    return pb.SearchResponse(
        results=[_result_to_proto(result) for result in found.results],
        tokens=found.tokens,
        plan=_PLANS[found.plan],
        since=_written(found.asked.filter.since),
        until=_written(found.asked.filter.until),
        recent=found.asked.recent,
        planned=found.planned,
        reranked=found.reranked,
    )


def _result_to_proto(result: Result) -> pb.SearchResult:
    return pb.SearchResult(
        document=str(result.document),
        collection=result.collection,
        path=result.path,
        title=result.title,
        revision=result.revision,
        position=result.position,
        text=result.text,
        header=result.header,
        headings=result.headings,
        start=result.start,
        end=result.end,
        first_line=result.first_line,
        last_line=result.last_line,
        tokens=result.tokens,
        score=result.score,
        dense_rank=result.dense_rank,
        text_rank=result.text_rank,
        update_time=result.updated,
    )
