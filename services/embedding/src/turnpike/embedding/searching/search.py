"""Searching: who is asked what, by which plan, and how much of it is told."""

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.catalogue import name_of
from turnpike.embedding.embedder import Asked, Embedder
from turnpike.embedding.metering import Payer
from turnpike.embedding.model import InputType, ModelReplacedError
from turnpike.embedding.searching import rows
from turnpike.embedding.searching.days import read_days
from turnpike.embedding.searching.model import (
    Collection,
    CollectionMissingError,
    Filter,
    Found,
    Plan,
    Question,
    Result,
)
from turnpike.embedding.searching.plans import Plans
from turnpike.embedding.searching.reranking import Reranker
from turnpike.embedding.searching.statement import Statement, Wording
from turnpike.rpc.errors import InvalidArgumentError, UnavailableError

_UNKNOWN_TIME_ZONE = "22023"
_ATTEMPTS = 3
_MOST_SEEN = 10_000
"""Of how many tenants the collections are kept."""

_SPARE = 3
"""With a bound of tokens, how many times as many results are looked at as are told."""


class Search:
    """Finds parts of documents by meaning and by words.

    Args:
        engine: As the service.
        embedder: Makes the questions' vectors.
        exact_most: Up to how many vectors of a tenant are all compared.
        reranker: Orders what was found anew; None: nothing does.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        embedder: Embedder,
        *,
        exact_most: int,
        reranker: Reranker | None = None,
    ) -> None:
        self._engine = engine
        self._reranker = reranker
        self._embedder = embedder
        self._plans = Plans(exact_most=exact_most)
        self._seen: dict[UUID, list[Collection]] = {}

    async def search(self, question: Question, payer: Payer | None) -> Found:
        """Returns the best parts.

        Raises:
            CollectionMissingError: There is no such collection.
            InvalidArgumentError: The time zone is none.
            ServiceError: The query cannot be embedded.
        """
        try:
            for _ in range(_ATTEMPTS):
                found = await self._found(question, payer)
                if found is not None:
                    return found
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") == _UNKNOWN_TIME_ZONE:
                raise InvalidArgumentError("filter.time_zone", "is no time zone") from error
            raise
        raise UnavailableError("collections change too often; try again")

    async def today(self, question: Question) -> date:
        """Returns the day that it is where the question is asked."""
        async with tenant_transaction(self._engine, question.tenant) as connection:
            return await rows.today(connection, question.filter.time_zone)

    async def _found(self, question: Question, payer: Payer | None) -> Found | None:
        """Searches once; None if the collections are others than those that were taken for it."""
        question, searched = await self._prepared(question)
        if not searched:
            return Found(results=[], plan=None, asked=question)
        wordings = await self._wordings(question, searched, payer)
        async with tenant_transaction(self._engine, question.tenant) as connection:
            results, plan = await self._run(connection, question, searched, wordings)
            # The question's vectors are of the models before; so must be what they met.
            now = await self._read(connection, question.tenant)
        if _chosen(now, question.filter) != searched:
            return None
        reranked = await self._reranked(question, results)
        told = await self._within(question, reranked or results)
        return Found(results=told, plan=plan, asked=question, reranked=reranked is not None)

    async def _reranked(self, question: Question, results: Sequence[Result]) -> list[Result] | None:
        # The newest first is an order of its own.
        if self._reranker is None or question.recent or not results:
            return None
        return await self._reranker.reranked(question.wordings[0], results)

    async def _prepared(self, question: Question) -> tuple[Question, list[Collection]]:
        """Returns what is asked of which collections: those of the search before, if it may."""
        seen = self._seen.get(question.tenant)
        if seen and not question.read_time and _are_among(seen, question.filter):
            return question, _chosen(seen, question.filter)
        async with tenant_transaction(self._engine, question.tenant) as connection:
            collections = await self._read(connection, question.tenant)
            if question.read_time:
                today = await rows.today(connection, question.filter.time_zone)
                question = _timed(question, today)
        return question, _chosen(collections, question.filter)

    async def _read(self, connection: AsyncConnection, tenant: UUID) -> list[Collection]:
        collections = await rows.collections(connection, tenant)
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        self._seen[tenant] = collections
        return collections

    async def _wordings(
        self, question: Question, searched: Sequence[Collection], payer: Payer | None
    ) -> list[Wording]:
        """Returns each wording with its vector of each model, the models side by side."""
        models = sorted(filter(self._is_here, {collection.model for collection in searched}))
        # A search that costs nothing is not admitted: it takes no rate and no slot.
        free = replace(payer, by_service=True) if payer else None

        async def embed(model: str) -> "list[array[float]]":
            asked = Asked(
                texts=question.wordings,
                model=self._embedder.kept_under(model),
                input_type=InputType.QUERY,
                tenant=str(question.tenant),
                payer=free,
            )
            embeddings = await self._embedder.embed(asked)
            return [array("f", item.vector) for item in embeddings.items]

        # Where the model is another here than made the vectors, words alone are searched.
        made = await asyncio.gather(*(embed(model) for model in models))
        return [
            Wording(words, {model: made[i][n] for i, model in enumerate(models)})
            for n, words in enumerate(question.wordings)
        ]

    def _is_here(self, model: str) -> bool:
        try:
            self._embedder.kept_under(model)
        except ModelReplacedError:
            return False
        return True

    async def _run(
        self,
        connection: AsyncConnection,
        question: Question,
        searched: Sequence[Collection],
        wordings: Sequence[Wording],
    ) -> tuple[list[Result], Plan]:
        models = {collection.model for collection in searched}
        plan = await self._plans.choose(connection, question.tenant, models)
        results = await self._by(plan, connection, question, searched, wordings)
        if plan is not Plan.EXACT and len(results) < question.limit:
            # The index gave up before the filter had let enough through.
            plan = Plan.EXACT
            results = await self._by(plan, connection, question, searched, wordings)
        return results, plan

    async def _by(
        self,
        plan: Plan,
        connection: AsyncConnection,
        question: Question,
        searched: Sequence[Collection],
        wordings: Sequence[Wording],
    ) -> list[Result]:
        statement = Statement(
            question.tenant,
            searched,
            wordings,
            question.filter,
            plan=plan,
            limit=self._looked_at(question),
            recent=question.recent,
        )
        return await rows.search(connection, statement, plan)

    def _looked_at(self, question: Question) -> int:
        """Returns how many results are looked at, of which some are told."""
        wanted = question.limit * (_SPARE if question.max_tokens else 1)
        return max(wanted, self._reranker.candidates if self._reranker else 0)

    async def _within(self, question: Question, results: Sequence[Result]) -> list[Result]:
        """Counts the results, and leaves out those that would go beyond the bound."""
        counted = await self._counted(results)
        told, left = list[Result](), question.max_tokens
        for result in counted:
            if len(told) == question.limit:
                break
            if question.max_tokens and result.tokens > left:
                continue
            told.append(result)
            left -= result.tokens
        return told

    async def _counted(self, results: Sequence[Result]) -> list[Result]:
        counts = dict[int, int]()
        for model in {result.model for result in results}:
            places = [place for place, result in enumerate(results) if result.model == model]
            texts = [results[place].header + results[place].text for place in places]
            tokens = await self._embedder.count(texts, model=name_of(model))
            counts |= dict(zip(places, tokens, strict=True))
        return [replace(result, tokens=counts[i]) for i, result in enumerate(results)]


def _timed(question: Question, today: date) -> Question:
    days, asked = read_days(question.wordings[0], today), question.filter
    if not (asked.since or asked.until):
        asked = replace(asked, since=days.since, until=days.until)
    return replace(question, filter=asked, recent=question.recent or days.recent)


def _are_among(collections: Sequence[Collection], asked: Filter) -> bool:
    return set(asked.collections) <= {collection.name for collection in collections}


def _chosen(collections: Sequence[Collection], asked: Filter) -> list[Collection]:
    if not asked.collections:
        return list(collections)
    by_name = {collection.name: collection for collection in collections}
    for name in asked.collections:
        if name not in by_name:
            raise CollectionMissingError(name)
    return [by_name[name] for name in dict.fromkeys(asked.collections)]
