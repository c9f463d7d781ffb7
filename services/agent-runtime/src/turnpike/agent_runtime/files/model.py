"""What a file is, without any I/O."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from turnpike.blobs.model import Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Bytes with a name, that never change."""

    id: UUID
    tenant: UUID
    name: str
    media_type: str
    size: int
    digest: str
    created: datetime

    @property
    def blob(self) -> Blob:
        """Where its bytes are: they are this file's alone, so that they go with it."""
        return blob_of(self.tenant, self.digest, self.id)


def blob_of(tenant: UUID, digest: str, file: UUID) -> Blob:
    """Returns where a file's bytes are."""
    return Blob(tenant, digest, str(file))
