"""What callers of Embed rely on."""

import asyncio

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.embedding import bert_reference
from tests.waiting import refusal
from turnpike.api.embedding.v1 import embedding_service_pb2 as pb
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub

SENTENCE = "The quick brown fox jumps over the lazy dog, doesn't it?"
LONG = "word " * 300


def vector(embedding: pb.Embedding) -> NDArray[np.float32]:
    return np.frombuffer(embedding.vector, "<f4")


async def test_similar_texts_are_nearer_than_others(service: EmbeddingServiceStub) -> None:
    texts = [
        "A man is eating food.",
        "A man is eating a piece of bread.",
        "The stock market fell sharply on Monday.",
    ]

    response = await service.Embed(pb.EmbedRequest(input=texts))

    food, bread, market = (vector(each) for each in response.embeddings)
    assert food @ bread > 0.7
    assert food @ market < 0.1
    assert np.linalg.norm(food) == pytest.approx(1, abs=1e-6)


async def test_a_vector_is_what_the_models_authors_describe(
    service: EmbeddingServiceStub,
) -> None:
    response = await service.Embed(pb.EmbedRequest(input=[SENTENCE]))

    expected = bert_reference.embed(SENTENCE)
    assert response.model == "all-minilm-l6-v2"
    assert response.dimensions == len(expected) == 384
    np.testing.assert_allclose(vector(response.embeddings[0]), expected, atol=1e-5)


async def test_dimensions_are_the_models_own(service: EmbeddingServiceStub) -> None:
    same = await service.Embed(pb.EmbedRequest(input=[SENTENCE], dimensions=384))
    refused = await refusal(service.Embed(pb.EmbedRequest(input=[SENTENCE], dimensions=256)))

    assert len(vector(same.embeddings[0])) == 384
    assert refused.fields == [("dimensions", "all-minilm-l6-v2 makes 384")]


async def test_a_vector_is_the_same_in_every_batch(service: EmbeddingServiceStub) -> None:
    texts = [f"{SENTENCE} {'again ' * (n % 40)}{n}" for n in range(60)]

    together = await service.Embed(pb.EmbedRequest(input=texts, priority=pb.PRIORITY_BULK))
    alone = [await service.Embed(pb.EmbedRequest(input=[text])) for text in texts]

    assert [each.vector for each in together.embeddings] == [
        each.embeddings[0].vector for each in alone
    ]


async def test_many_callers_each_get_their_own(service: EmbeddingServiceStub) -> None:
    texts = [f"text number {n}" for n in range(40)]

    responses = await asyncio.gather(
        *(service.Embed(pb.EmbedRequest(input=[text])) for text in texts)
    )

    again = await service.Embed(pb.EmbedRequest(input=texts))
    assert [each.embeddings[0] for each in responses] == list(again.embeddings)


async def test_tokens_are_counted_with_the_models_markers(service: EmbeddingServiceStub) -> None:
    response = await service.Embed(pb.EmbedRequest(input=["hello", "hello world"]))

    assert [each.tokens for each in response.embeddings] == [3, 4]
    assert response.tokens == 7


async def test_a_marker_in_a_text_is_text(service: EmbeddingServiceStub) -> None:
    response = await service.Embed(pb.EmbedRequest(input=["[SEP]"]))

    assert response.embeddings[0].tokens > 3


@pytest.mark.parametrize("model", ["", "default", "all-minilm-l6-v2"])
async def test_the_default_model_has_three_names(service: EmbeddingServiceStub, model: str) -> None:
    response = await service.Embed(pb.EmbedRequest(input=["x"], model=model))

    assert response.model == "all-minilm-l6-v2"


async def test_an_unknown_model_is_not_found(service: EmbeddingServiceStub) -> None:
    error = await refusal(service.Embed(pb.EmbedRequest(input=["x"], model="gpt-9")))

    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert error.metadata == {"kind": "model", "id": "gpt-9"}


async def test_e4_a_text_that_is_too_long_is_refused_by_name(service: EmbeddingServiceStub) -> None:
    error = await refusal(service.Embed(pb.EmbedRequest(input=["short", LONG])))

    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INPUT_TOO_LONG")
    assert error.metadata == {"index": "1", "tokens": "302", "max_tokens": "256"}
    assert error.domain == "embedding.turnpike"


async def test_e4_a_text_that_is_cut_is_flagged(service: EmbeddingServiceStub) -> None:
    texts = ["short", LONG, "word " * 254]

    response = await service.Embed(pb.EmbedRequest(input=texts, too_long=pb.TOO_LONG_TRUNCATE))

    assert [each.truncated for each in response.embeddings] == [False, True, False]
    assert [each.tokens for each in response.embeddings] == [3, 256, 256]
    assert response.embeddings[1].vector == response.embeddings[2].vector


@pytest.mark.parametrize("text", [" \n\t ", "\x00", "\u200b"])
async def test_a_text_without_a_token_is_refused(service: EmbeddingServiceStub, text: str) -> None:
    error = await refusal(service.Embed(pb.EmbedRequest(input=["x", text])))

    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INPUT_EMPTY")
    assert error.metadata == {"index": "1"}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.EmbedRequest(), "input"),
        (pb.EmbedRequest(input=["x", ""]), "input[1]"),
        (pb.EmbedRequest(input=["x"] * 2049), "input"),
        (pb.EmbedRequest(input=["x" * (1 << 20) + "y"]), "input[0]"),
        (pb.EmbedRequest(input=["x"], model="m" * 129), "model"),
        (pb.EmbedRequest(input=["x"], priority=9), "priority"),  # pyright: ignore[reportArgumentType]
        (pb.EmbedRequest(input=["x"], too_long=9), "too_long"),  # pyright: ignore[reportArgumentType]
    ],
    ids=["none", "empty", "too many", "too large", "model", "priority", "too_long"],
)
async def test_a_request_that_breaks_a_constraint_is_refused(
    service: EmbeddingServiceStub, request_: pb.EmbedRequest, field: str
) -> None:
    error = await refusal(service.Embed(request_))

    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert [path for path, _ in error.fields] == [field]


@pytest.mark.parametrize("credential", ["tpk_unknown", "not.a.token"])
async def test_a_caller_without_a_valid_credential_is_refused(
    service: EmbeddingServiceStub, credential: str
) -> None:
    metadata = (("authorization", f"Bearer {credential}"),)

    error = await refusal(service.Embed(pb.EmbedRequest(input=["x"]), metadata=metadata))

    assert error.code is grpc.StatusCode.UNAUTHENTICATED
    assert error.reason == "UNAUTHENTICATED"
