"""Finding tools by their words and by what they mean, with and without who embeds."""

from array import array
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

import grpc
import orjson
import pytest

from tests.doubles.servicers import PartialEmbedding
from tests.ports import free_port
from tests.waiting import until
from turnpike.agent_runtime.tools.effects import Effect
from turnpike.agent_runtime.tools.ranking import by_words, fused
from turnpike.agent_runtime.tools.searching import ToolSearch
from turnpike.agent_runtime.tools.toolset import Tool, Toolset
from turnpike.agent_runtime.tools.vectors import Vectors
from turnpike.api.embedding.v1.embedding_service_pb2 import (
    Embedding,
    EmbedRequest,
    EmbedResponse,
)
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import (
    EmbeddingServiceStub,
    add_EmbeddingServiceServicer_to_server,
)
from turnpike.rpc.channel import open_channel

EFFECT = Effect(tenant=uuid4(), principal=uuid4(), turn=uuid4(), fence=1, step=1, ordinal=0)
TOOLS = {
    "bank/transfer": "Moves money to an account.",
    "mail/send": "Sends a message to somebody.",
    "maps/routePlanner": "Finds the way from a place to another.",
}
NEAR = {"pay": 0, "money": 0, "message": 1, "travel": 2, "way": 2}


class Meaning(PartialEmbedding):
    """Embeds a text as what it is about."""

    def __init__(self) -> None:
        self.embedded: list[str] = []

    async def Embed(self, request: EmbedRequest, context: object) -> EmbedResponse:
        self.embedded += request.input
        return EmbedResponse(embeddings=[Embedding(vector=about(text)) for text in request.input])


def about(text: str) -> bytes:
    place = next((place for word, place in NEAR.items() if word in text.lower()), 3)
    return array("f", [float(place == each) for each in range(4)]).tobytes()


@asynccontextmanager
async def serving(meaning: Meaning) -> AsyncGenerator[str]:
    server = grpc.aio.server()
    add_EmbeddingServiceServicer_to_server(meaning, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"ipv4:127.0.0.1:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def search_at(target: str) -> AsyncGenerator[ToolSearch]:
    async with open_channel(target) as channel:
        yield ToolSearch(Vectors(EmbeddingServiceStub(channel), lambda tenant, principal: ()))


def toolset(**descriptions: str) -> Toolset:
    return Toolset(
        [
            Tool(
                name=name,
                description=descriptions.get(name, text),
                input_schema="{}",
                digest=f"digest of {name}",
            )
            for name, text in TOOLS.items()
        ],
        pinned=lambda _: False,
    )


async def found(search: ToolSearch, query: str) -> list[str]:
    asked = orjson.dumps({"query": query, "limit": 1}).decode()
    state = await search.answer(toolset(), EFFECT, asked)
    return [each["name"] for each in orjson.loads(state.structured)["tools"]]


async def test_what_shares_no_word_is_found_by_its_meaning():
    meaning = Meaning()
    async with serving(meaning) as target, search_at(target) as search:

        async def are_found() -> bool:
            return [await found(search, each) for each in ("pay the rent", "travel")] == [
                ["bank/transfer"],
                ["maps/routePlanner"],
            ]

        # Vectors come beside: a search may be too early for them, and words alone are none of it.
        await until(are_found)

    assert sum("money" in text for text in meaning.embedded) == 1, "a definition is embedded once"


@pytest.mark.parametrize(
    ("query", "tool"),
    [
        ("send messages", "mail/send"),
        ("route planner", "maps/routePlanner"),
        ("MONEY", "bank/transfer"),
    ],
)
async def test_words_alone_find_what_they_name_while_nobody_embeds(query: str, tool: str):
    async with search_at(f"ipv4:127.0.0.1:{free_port()}") as search:
        assert await found(search, query) == [tool]


async def test_words_alone_find_where_nobody_is_to_embed():
    assert await found(ToolSearch(None), "send a message") == ["mail/send"]
    assert await found(ToolSearch(None), "the zebra to a") == []


def test_a_rare_word_weighs_more_than_a_common_one():
    texts = ["get a thing", "get a thing", "get a zebra", "thing thing thing"]

    assert by_words("get zebra", texts)[0] == 2
    assert 3 not in by_words("get zebra", texts)


def test_what_two_rankings_agree_on_comes_first():
    assert fused([1, 2, 3], [3, 2]) == [3, 2, 1]
    assert fused([0, 1], [1, 0]) == [0, 1], "of two alike, the first"
