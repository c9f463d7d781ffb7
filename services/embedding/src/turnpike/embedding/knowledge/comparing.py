"""Comparing what a collection's old and new vectors find, before anybody searches the new."""

from array import array
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.embedder import Asked, Embedder
from turnpike.embedding.knowledge import recall_rows
from turnpike.embedding.knowledge.model import Comparison
from turnpike.embedding.knowledge.recall_rows import Probe, Space
from turnpike.embedding.metering import Payer
from turnpike.embedding.model import InputType, Priority, TooLong

SAMPLE = 32
"""How many questions are asked of both."""

_Vectors = list[list[float]]


class Comparing:
    """Asks two models the same questions, made from documents' own words."""

    def __init__(self, engine: AsyncEngine, embedder: Embedder) -> None:
        self._engine = engine
        self._embedder = embedder

    async def compare(self, source: Space, target: Space, principal: str) -> Comparison:
        """Returns how well the vectors of one collection do.

        Raises:
            ServiceError: One of the models cannot embed the questions now.
        """
        async with tenant_transaction(self._engine, source.tenant) as connection:
            probes = await recall_rows.sample(connection, source, SAMPLE)
        if not probes:
            return Comparison()
        old = await self._embedded(source, probes, principal)
        new = await self._embedded(target, probes, principal)
        totals = [0.0, 0.0, 0.0, 0.0]
        for probe, *vectors in zip(probes, old, new, strict=True):
            for place, part in enumerate(await self._asked(probe, source, target, vectors)):
                totals[place] += part / len(probes)
        recall, agreement, source_hits, target_hits = totals
        return Comparison(
            sample=len(probes),
            recall=recall,
            agreement=agreement,
            source_hits=source_hits,
            target_hits=target_hits,
        )

    async def _embedded(self, space: Space, probes: Sequence[Probe], principal: str) -> _Vectors:
        tenant = str(space.tenant)
        asked = Asked(
            texts=[probe.words for probe in probes],
            model=self._embedder.kept_under(space.model),
            priority=Priority.BULK,
            too_long=TooLong.TRUNCATE,
            input_type=InputType.QUERY,
            tenant=tenant,
            payer=Payer(tenant=tenant, principal=principal, key="", by_service=True),
        )
        embeddings = await self._embedder.embed(asked)
        return [array("f", item.vector).tolist() for item in embeddings.items]

    async def _asked(
        self, probe: Probe, source: Space, target: Space, vectors: _Vectors
    ) -> tuple[float, float, float, float]:
        """Returns the four shares for one question."""
        old, new = vectors
        async with tenant_transaction(self._engine, source.tenant) as connection:
            before = await recall_rows.nearest(connection, source, old, exactly=True)
            after = await recall_rows.nearest(connection, target, new, exactly=True)
            found = await recall_rows.nearest(connection, target, new, exactly=False)
        return (
            _share([chunk for chunk, _ in after], [chunk for chunk, _ in found]),
            _share([document for _, document in before], [document for _, document in after]),
            _share([probe.document], [document for _, document in before]),
            _share([probe.document], [document for _, document in after]),
        )


def _share(wanted: Sequence[UUID], found: Sequence[UUID]) -> float:
    return len(set(wanted) & set(found)) / len(set(wanted)) if wanted else 1.0
