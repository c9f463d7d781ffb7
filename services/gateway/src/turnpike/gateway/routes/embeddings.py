"""Embeddings: texts as vectors."""

from array import array
from base64 import b64encode
from datetime import timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Response
from pydantic import Discriminator, Field, Tag

from turnpike.api.embedding.v1 import embedding_service_pb2 as pb
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.routes.replies import openai_problems, problems, raw_reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import OTHER, TEXT, Reply, Request, Text, kind_of

# The first call after a start loads the model.
_PATIENCE = timedelta(seconds=60)

Input = Annotated[Text, Field(min_length=1, max_length=1_048_576)]


class Embeddable(Request):
    """A text, or several, to embed."""

    input: Annotated[
        Annotated[Input, Tag(TEXT)]
        | Annotated[list[Input], Field(min_length=1, max_length=2048), Tag(OTHER)],
        Discriminator(kind_of),
    ]
    model: Annotated[Text, Field(max_length=128)] = ""
    dimensions: Annotated[int, Field(ge=0, le=16_000)] = 0
    """How many a vector must have; 0 for as many as the model makes. Others are refused."""


class EmbeddingUsage(Reply):
    """What was embedded."""

    input_tokens: int


class Embeddings(Reply):
    """One vector for each input, in their order."""

    embeddings: list[list[float]]
    model: str
    dimensions: int
    usage: EmbeddingUsage


class OpenAiEmbeddable(Embeddable):
    """The same, as OpenAI's clients ask it."""

    encoding_format: Literal["float", "base64"] = "float"
    user: Annotated[Text, Field(max_length=512)] = ""


class OpenAiEmbedding(Reply):
    """One input's vector: floats, or in base64 as 32-bit floats, little-endian."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class OpenAiUsage(Reply):
    """What was embedded."""

    prompt_tokens: int
    total_tokens: int


class OpenAiEmbeddings(Reply):
    """One vector for each input, as OpenAI's clients expect it."""

    object: Literal["list"]
    data: list[OpenAiEmbedding]
    model: str
    usage: OpenAiUsage


class EmbeddingRoutes:
    """`/api/v1/embeddings`, and OpenAI's form of it."""

    def __init__(self, embedding: EmbeddingServiceStub) -> None:
        self._embedding = embedding

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        router.add_api_route(
            "/api/v1/embeddings",
            self.embed,
            methods=["POST"],
            response_model=Embeddings,
            responses=problems(402, 404, 413, 415),
        )
        router.add_api_route(
            "/v1/embeddings",
            self.embed_for_openai,
            methods=["POST"],
            response_model=OpenAiEmbeddings,
            responses=openai_problems(402, 404, 413, 415),
        )
        return router

    async def embed(self, call: CurrentCall, body: Embeddable) -> Response:
        """Embeds texts."""
        response = await self._embed(call, body)
        return raw_reply(
            orjson.dumps(
                {
                    "embeddings": [_floats(each.vector) for each in response.embeddings],
                    "model": response.model,
                    "dimensions": response.dimensions,
                    "usage": {"input_tokens": response.tokens},
                }
            )
        )

    async def embed_for_openai(self, call: CurrentCall, body: OpenAiEmbeddable) -> Response:
        """Embeds texts, for OpenAI's clients."""
        response = await self._embed(call, body)
        write = _base64 if body.encoding_format == "base64" else _floats
        return raw_reply(
            orjson.dumps(
                {
                    "object": "list",
                    "data": [
                        {"object": "embedding", "index": index, "embedding": write(each.vector)}
                        for index, each in enumerate(response.embeddings)
                    ],
                    "model": response.model,
                    "usage": {"prompt_tokens": response.tokens, "total_tokens": response.tokens},
                }
            )
        )

    async def _embed(self, call: Call, body: Embeddable) -> Any:
        inputs = [body.input] if isinstance(body.input, str) else body.input
        request = pb.EmbedRequest(input=inputs, model=body.model, dimensions=body.dimensions)
        return await call.patient(_PATIENCE).read(self._embedding.Embed, request)


def _floats(vector: bytes) -> list[float]:
    return array("f", vector).tolist()


def _base64(vector: bytes) -> str:
    return b64encode(vector).decode()
