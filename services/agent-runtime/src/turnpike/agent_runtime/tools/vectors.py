"""The vectors of tools' descriptions, asked of the embedding service and kept by digest."""

import asyncio
import logging
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

import grpc

from turnpike.agent_runtime.tools.registry import Metadata
from turnpike.api.embedding.v1.embedding_service_pb2 import (
    INPUT_TYPE_DOCUMENT,
    INPUT_TYPE_QUERY,
    PRIORITY_BULK,
    PRIORITY_INTERACTIVE,
    TOO_LONG_TRUNCATE,
    EmbedRequest,
)
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub

logger = logging.getLogger(__name__)

_KEPT = 20_000
_AT_ONCE = 256
_FILL_SECONDS = 30.0
_ASK_SECONDS = 1.0

Vector = Sequence[float]


class Vectors:
    """Vectors of definitions, by their digests. Nobody waits long for one."""

    def __init__(self, embedding: EmbeddingServiceStub, metadata: Metadata) -> None:
        self._embedding = embedding
        self._metadata = metadata
        # Of a definition alone: whoever has the same one has the same vector.
        self._known: OrderedDict[str, Vector] = OrderedDict()
        self._filling: dict[UUID, asyncio.Task[None]] = {}

    async def of_query(self, tenant: UUID, principal: UUID, query: str) -> Vector | None:
        """Returns a query's vector; None while the service is away, or slow."""
        request = EmbedRequest(
            input=[query],
            priority=PRIORITY_INTERACTIVE,
            input_type=INPUT_TYPE_QUERY,
            too_long=TOO_LONG_TRUNCATE,
        )
        try:
            return (await self._ask(tenant, principal, request, _ASK_SECONDS))[0]
        except grpc.aio.AioRpcError as error:
            logger.info("tools are searched by their words alone: %s", error.code())
            return None

    async def of_tools(
        self, tenant: UUID, principal: UUID, texts: dict[str, str]
    ) -> dict[str, Vector]:
        """Returns the vectors that there are within a moment, by digest.

        What is missing is asked for beside, for the next search.

        Args:
            tenant: Who searches.
            principal: On whose behalf.
            texts: What is said of each tool, by its definition's digest.
        """
        missing = {digest: text for digest, text in texts.items() if digest not in self._known}
        if missing and tenant not in self._filling:
            filling = asyncio.create_task(self._fill(tenant, principal, missing))
            self._filling[tenant] = filling
            filling.add_done_callback(lambda _: self._filling.pop(tenant, None))
        if missing and (filling := self._filling.get(tenant)):
            await asyncio.wait({filling}, timeout=_ASK_SECONDS)
        found: dict[str, Vector] = {}
        for digest in texts:
            if (vector := self._known.get(digest)) is not None:
                self._known.move_to_end(digest)
                found[digest] = vector
        return found

    async def _fill(self, tenant: UUID, principal: UUID, texts: dict[str, str]) -> None:
        digests = list(texts)
        for start in range(0, len(digests), _AT_ONCE):
            group = digests[start : start + _AT_ONCE]
            request = EmbedRequest(
                input=[texts[digest] for digest in group],
                priority=PRIORITY_BULK,
                input_type=INPUT_TYPE_DOCUMENT,
                too_long=TOO_LONG_TRUNCATE,
            )
            try:
                vectors = await self._ask(tenant, principal, request, _FILL_SECONDS)
            except grpc.aio.AioRpcError as error:
                logger.info("tools' vectors are asked for again later: %s", error.code())
                return
            self._known.update(zip(group, vectors, strict=True))
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)

    async def _ask(
        self, tenant: UUID, principal: UUID, request: EmbedRequest, seconds: float
    ) -> list[Vector]:
        reply = await self._embedding.Embed(
            request, timeout=seconds, metadata=self._metadata(tenant, principal)
        )
        return [array("f", each.vector) for each in reply.embeddings]
