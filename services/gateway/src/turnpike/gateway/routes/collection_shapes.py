"""Collections, as JSON."""

from typing import Annotated

from pydantic import Field, StringConstraints

from turnpike.api.embedding.v1 import collection_service_pb2
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.shapes import Reply, Request, Text, Time

CollectionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Said = Annotated[
    dict[
        Annotated[Text, Field(min_length=1, max_length=128)],
        Annotated[Text, Field(max_length=4096)],
    ],
    Field(max_length=64),
]


class NewCollection(Request):
    """A collection to make."""

    name: CollectionName
    language: Annotated[str, StringConstraints(pattern=r"^[a-z_]{0,63}$")] = Field(
        default="", description="What full text is searched in: `english`, `german`, `simple` …"
    )
    model: Annotated[Text, Field(max_length=128)] = ""
    max_tokens: Annotated[int, Field(ge=0, lt=2**31)] = 0
    overlap: Annotated[int, Field(ge=0, lt=2**31)] = 0
    metadata: Said = Field(default={})


class CollectionToBe(Request):
    """What a collection is to be; all but its metadata stays what it was made with."""

    name: CollectionName | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z_]{0,63}$")] = ""
    model: Annotated[Text, Field(max_length=128)] = ""
    max_tokens: Annotated[int, Field(ge=0, lt=2**31)] = 0
    overlap: Annotated[int, Field(ge=0, lt=2**31)] = 0
    metadata: Said = Field(default={})


class CollectionMetadata(Request):
    """What a collection is to say of itself."""

    metadata: Said


class Collection(Reply):
    """Documents that share a language and a model."""

    name: str
    language: str
    model: str
    max_tokens: int
    overlap: int
    metadata: dict[str, str]
    etag: str
    created: Time
    updated: Time


class CollectionPage(Reply):
    """A page of collections, by name."""

    collections: list[Collection]
    next_page_token: str


def to_collection(message: collection_service_pb2.Collection) -> Collection:
    """Returns a collection as JSON has it."""
    return Collection(
        name=message.name,
        language=message.language,
        model=message.model,
        max_tokens=message.max_tokens,
        overlap=message.overlap,
        metadata=dict(message.metadata),
        etag=message.etag,
        created=rfc3339(message.create_time),
        updated=rfc3339(message.update_time),
    )
