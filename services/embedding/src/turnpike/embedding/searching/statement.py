"""The statement that searches: every list of ranks, fused, in one round trip.

Each wording has a list by meaning for each model, and a list by words for each
language. They meet by reciprocal rank, since distances of two models, or a distance
and a count of words, cannot be compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from turnpike.embedding.searching.model import Collection, Filter, Plan

FUSION_K = 60
_POOL_FACTOR = 5
_LEAST_POOL = 50

_FOUND = """
fused AS (
  SELECT id, sum(1.0 / ({k} + rank)) AS score,
    coalesce(min(rank) FILTER (WHERE dense), 0) AS dense_rank,
    coalesce(min(rank) FILTER (WHERE NOT dense), 0) AS text_rank
  FROM ranked GROUP BY id
)
SELECT f.score, f.dense_rank, f.text_rank, c.document, c.model, c.text, c.header, c.headings,
  col.name AS collection, d.path, d.title, d.updated,
  p.position, p.starts, p.ends, p.first_line, p.last_line,
  (SELECT max(r.number) FROM revisions r WHERE r.tenant = :tenant AND r.document = d.id
    AND r.content = i.content) AS revision
FROM fused f
JOIN chunks c ON c.tenant = :tenant AND c.id = f.id
JOIN collections col ON col.tenant = :tenant AND col.id = c.collection
JOIN documents d ON d.tenant = :tenant AND d.id = c.document AND d.path IS NOT NULL
JOIN indexings i ON i.tenant = :tenant AND i.id = d.indexing
JOIN LATERAL (
  SELECT * FROM passages p WHERE p.tenant = :tenant AND p.indexing = d.indexing
    AND p.chunk = f.id ORDER BY p.position LIMIT 1
) p ON true
ORDER BY {order}f.score DESC, d.id, p.position
LIMIT {limit}
"""
_RANKED = 600
"""How many chunks the words of one question are compared with, about."""

# No index is of this expression: every vector is compared.
_COMPARED = """
  SELECT c.id, (c.embedding::vector({dimensions}) <=> {vector}::vector({dimensions})) + 0
    AS distance
  FROM chunks c WHERE {where} ORDER BY distance LIMIT {pool}"""
# The index has halves of the numbers: whatever it finds is compared once more.
_INDEXED = """
  SELECT n.id, n.embedding::vector({dimensions}) <=> {vector}::vector({dimensions}) AS distance
  FROM (SELECT c.id, c.embedding FROM chunks c WHERE {where}
    ORDER BY c.embedding::halfvec({dimensions}) <=> {vector}::halfvec({dimensions})
    LIMIT {pool}) n"""
_DENSE = """
(SELECT c.id, row_number() OVER (ORDER BY c.distance, c.id) AS rank, true AS dense FROM (
  {nearest}
) c)"""
_TEXT = """
(SELECT w.id, row_number() OVER (ORDER BY w.fit DESC, w.id) AS rank, false AS dense
FROM chunks_with(CAST(:{language} AS regconfig), :{words}, :{collections}, :{models},
  {documents}, {ranked}, {pool}) w)"""


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to ask, in words, and in vectors of each model."""

    words: str
    vectors: dict[str, Sequence[float]]


class Statement:
    """The text of a search, and its parameters.

    Args:
        tenant: Whose chunks.
        collections: Which of them.
        wordings: What is asked.
        filter: What must hold of documents.
        plan: How vectors are searched.
        limit: How many results there may be.
        recent: Whether the newest come first.
    """

    def __init__(
        self,
        tenant: UUID,
        collections: Sequence[Collection],
        wordings: Sequence[Wording],
        filter: Filter,
        *,
        plan: Plan,
        limit: int,
        recent: bool,
    ) -> None:
        self._tenant = tenant
        self._collections = collections
        self._filter = filter
        self._plan = plan
        # Written out: a plan that is kept for any number would be one for very many.
        self._pool = max(_LEAST_POOL, _POOL_FACTOR * limit)
        self.parameters: dict[str, Any] = {"tenant": tenant}
        lists = list(self._lists(wordings))
        order = "d.updated DESC, " if recent else ""
        self.sql = f"WITH ranked AS ({' UNION ALL '.join(lists)})," + _FOUND.format(
            k=FUSION_K, order=order, limit=limit
        )

    def _lists(self, wordings: Sequence[Wording]) -> Iterator[str]:
        for number, wording in enumerate(wordings):
            for place, (model, vector) in enumerate(wording.vectors.items()):
                name = f"vector_{number}_{place}"
                self.parameters[name] = list(vector)
                nearest = _COMPARED if self._plan is Plan.EXACT else _INDEXED
                yield _DENSE.format(
                    nearest=nearest.format(
                        dimensions=len(vector),
                        vector=f"CAST(:{name} AS real[])",
                        where=self._where(model),
                        pool=self._pool,
                    )
                )
            yield from self._text_lists(number, wording)

    def _text_lists(self, number: int, wording: Wording) -> Iterator[str]:
        self.parameters[f"words_{number}"] = wording.words
        for place, language in enumerate(sorted({each.language for each in self._collections})):
            self.parameters[f"language_{place}"] = language
            chosen = [each for each in self._collections if each.language == language]
            self.parameters[f"spoken_{place}"] = [each.id for each in chosen]
            # While a collection migrates, two models' chunks are there; while one is replaced,
            # chunks are found by words whoever's they are.
            self.parameters[f"models_{place}"] = [
                each.model if each.next_model else None for each in chosen
            ]
            yield _TEXT.format(
                language=f"language_{place}",
                words=f"words_{number}",
                collections=f"spoken_{place}",
                models=f"models_{place}",
                documents=f"ARRAY({self._documents()})" if self._documents() else "NULL",
                ranked=_RANKED,
                pool=self._pool,
            )

    def _where(self, model: str) -> str:
        # Written out, so that an index for this tenant and this model can be seen to fit.
        conditions = ["c.live", f"c.tenant = '{self._tenant}'", f"c.model = {quoted(model)}"]
        # While a collection migrates, it has vectors of two models.
        if self._filter.collections or any(each.next_model for each in self._collections):
            name = f"collections_{len(self.parameters)}"
            self.parameters[name] = [each.id for each in self._collections if each.model == model]
            conditions.append(f"c.collection = ANY(:{name})")
        if self._documents():
            conditions.append(f"c.document IN ({self._documents()})")
        return " AND ".join(conditions)

    def _documents(self) -> str:
        if not self._filter.is_of_documents:
            return ""
        conditions = " AND ".join(self._of_documents())
        return (
            "SELECT d.id FROM documents d WHERE d.tenant = :tenant AND d.path IS NOT NULL"
            f" AND {conditions}"
        )

    def _of_documents(self) -> Iterator[str]:
        asked, given = self._filter, self.parameters
        if asked.folder:
            given["folder"] = f"{asked.folder}/"
            yield "starts_with(d.path, :folder)"
        if asked.media_types:
            given["media_types"] = list(asked.media_types)
            yield "d.media_type = ANY(:media_types)"
        if asked.metadata:
            given["metadata"] = dict(asked.metadata)
            yield "d.metadata @> :metadata"
        if asked.since or asked.until:
            given["time_zone"] = asked.time_zone
        if asked.since:
            given["since"] = asked.since
            yield "d.updated >= CAST(:since AS date)::timestamp AT TIME ZONE :time_zone"
        if asked.until:
            given["until"] = asked.until
            yield "d.updated < (CAST(:until AS date) + 1)::timestamp AT TIME ZONE :time_zone"


def quoted(text: str) -> str:
    """Returns a text as SQL writes one; names of models have no colon, which has a meaning here."""
    return "'" + text.replace("'", "''") + "'"
