"""What documents are made of, and how much of it a tenant keeps."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.knowledge.errors import TenantLimitError
from turnpike.embedding.knowledge.model import Content

_GET = text(
    "SELECT digest, media_type, size, blob, text FROM contents"
    " WHERE tenant = :tenant AND digest = :digest"
)
_IS_KEPT = text("SELECT count(*) FROM contents WHERE tenant = :tenant AND digest = :digest")
# One that is there is locked, lest it be swept before the revision that names it is written.
_KEEP = text(
    "INSERT INTO contents AS c (tenant, digest, media_type, size, blob, text)"
    " VALUES (:tenant, :digest, :media_type, :size, :blob, :text)"
    " ON CONFLICT (tenant, digest) DO UPDATE SET size = c.size"
    " RETURNING CASE WHEN xmax = 0 THEN size ELSE 0 END"
)
_SET_TEXT = text(
    "UPDATE contents SET text = :text WHERE tenant = :tenant AND digest = :digest AND text IS NULL"
)
_HOLD = text(
    "INSERT INTO holdings AS h (tenant, documents, bytes) VALUES (:tenant, :documents, :bytes)"
    " ON CONFLICT (tenant) DO UPDATE SET documents = h.documents + :documents,"
    " bytes = h.bytes + :bytes RETURNING documents, bytes"
)


async def get(connection: AsyncConnection, tenant: UUID, digest: bytes) -> Content:
    """Returns a content that a revision names."""
    row = (await connection.execute(_GET, {"tenant": tenant, "digest": digest})).one()
    return Content(
        digest=row.digest,
        media_type=row.media_type,
        size=row.size,
        blob=row.blob,
        text=row.text,
    )


async def is_kept(connection: AsyncConnection, tenant: UUID, digest: bytes) -> bool:
    """Says whether the tenant has such a content already."""
    return bool(await connection.scalar(_IS_KEPT, {"tenant": tenant, "digest": digest}))


async def keep(connection: AsyncConnection, tenant: UUID, content: Content) -> int:
    """Keeps a content; returns by how many bytes the tenant keeps more."""
    values = {
        "tenant": tenant,
        "digest": content.digest,
        "media_type": content.media_type,
        "size": content.size,
        "blob": content.blob,
        "text": content.text,
    }
    return int(await connection.scalar(_KEEP, values))


async def set_text(
    connection: AsyncConnection, tenant: UUID, digest: bytes, extracted: str
) -> None:
    """Keeps the text that was extracted from a content, unless there is one."""
    values = {"tenant": tenant, "digest": digest, "text": extracted}
    await connection.execute(_SET_TEXT, values)


class Limits:
    """How much each tenant may keep."""

    def __init__(self, *, documents: int, total_bytes: int) -> None:
        self._documents = documents
        self._bytes = total_bytes

    async def hold(
        self,
        connection: AsyncConnection,
        tenant: UUID,
        *,
        documents: int,
        added: int = 0,
        is_bound: bool = True,
    ) -> None:
        """Counts what a tenant keeps more.

        Raises:
            TenantLimitError: It is more than it may, and the tenant `is_bound` by that: what
                was may come back whatever there is.
        """
        if not documents and not added:
            return
        values = {"tenant": tenant, "documents": documents, "bytes": added}
        row = (await connection.execute(_HOLD, values)).one()
        if not is_bound:
            return
        if documents > 0 and row.documents > self._documents:
            raise TenantLimitError(self._documents, "documents")
        if added > 0 and row.bytes > self._bytes:
            raise TenantLimitError(self._bytes, "bytes")
