"""Where documents and folders are, in requests and replies."""

from typing import Annotated, Any

from fastapi import Header, Path, Response

from turnpike.gateway.routes.change_shapes import to_change
from turnpike.gateway.routes.document_shapes import Done
from turnpike.gateway.routes.replies import reply

DOCUMENTS = "/api/v1/collections/{collection:name}/documents"
DOCUMENT = f"{DOCUMENTS}/{{path:path}}"
FOLDERS = "/api/v1/collections/{collection:name}/folders"

Place = Annotated[str, Path(max_length=1024, description="A path, or a document's id.")]
Key = Annotated[
    str,
    Header(
        max_length=128,
        alias="Idempotency-Key",
        description="The same key and payload make the same change once.",
    ),
]


def done(response: Any) -> Response:
    """Returns what a request did, and nothing beside."""
    return reply(Done(change=to_change(response.change)))
