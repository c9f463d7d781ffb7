"""Models by configuration: exports by path, and providers."""

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator
from hashlib import shake_128
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file

from tests.doubles.http1 import Connection, Request, serving
from tests.doubles.model_server import ModelServer
from tests.embedding.bert_reference import MODEL
from tests.embedding.serving import embedding
from tests.waiting import refusal, until
from turnpike.api.embedding.v1 import embedding_service_pb2 as pb
from turnpike.embedding.backends.bert_graph import BertShape, draw
from turnpike.embedding.settings import Settings

TEXTS = ["The toll is due at the gate.", "Fish swim in the sea, and birds above it."]


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in model as an ONNX export of its tokens' vectors, unpooled."""
    folder = tmp_path_factory.mktemp("export")
    for name in ("tokenizer.json", "config.json"):
        shutil.copy(MODEL / name, folder / name)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 64}')
    shape = BertShape(hidden=384, heads=12, layers=6, epsilon=1e-12)
    graph = draw(shape, load_file(MODEL / "model.safetensors"))
    model = onnx.ModelProto.FromString(graph.serialized)
    for tensor in model.graph.initializer:
        if tensor.name in graph.weights:
            tensor.CopyFrom(onnx.numpy_helper.from_array(graph.weights[tensor.name], tensor.name))
    last = next(node for node in reversed(model.graph.node) if node.op_type == "LayerNormalization")
    tokens = onnx.helper.make_tensor_value_info(
        last.output[0], onnx.TensorProto.FLOAT, ["batch", "tokens", 384]
    )
    model.graph.output.insert(0, tokens)
    onnx.save(model, folder / "model.onnx")
    return folder


def local(path: Path, **others: Any) -> dict[str, Any]:
    return {"kind": "local", "name": "mine", "path": str(path), **others}


async def vectors(model: dict[str, Any], **request: Any) -> list[Any]:
    async with embedding(models=[model], max_batch_tokens=64) as service:
        response = await service.Embed(pb.EmbedRequest(input=TEXTS, model="mine", **request))
    assert (response.model, response.dimensions) == ("mine", 384)
    return [np.frombuffer(each.vector, "<f4") for each in response.embeddings]


async def test_an_export_by_path_has_the_vectors_of_the_model_it_is_of(export: Path) -> None:
    async with embedding() as service:
        built_in = await service.Embed(pb.EmbedRequest(input=TEXTS))
    expected = [np.frombuffer(each.vector, "<f4") for each in built_in.embeddings]

    from_onnx, from_weights = await vectors(local(export)), await vectors(local(MODEL))

    np.testing.assert_allclose(from_onnx, expected, atol=1e-5)
    np.testing.assert_allclose(from_weights, expected, atol=1e-5)


async def test_pooling_is_what_is_configured(export: Path) -> None:
    onnx_first = await vectors(local(export, pooling="cls"))
    weights_first = await vectors(local(MODEL, pooling="cls"))
    mean = await vectors(local(export))

    np.testing.assert_allclose(onnx_first, weights_first, atol=1e-5)
    assert mean[0] @ onnx_first[0] < 0.999


async def test_a_model_keeps_its_own_limit_and_its_own_prompts(export: Path) -> None:
    model = local(export, query_prompt="query: ")
    async with embedding(models=[model], default_model="mine") as service:
        error = await refusal(service.Embed(pb.EmbedRequest(input=["word " * 63])))
        query = await service.Embed(
            pb.EmbedRequest(input=["a toll"], input_type=pb.INPUT_TYPE_QUERY)
        )
        document = await service.Embed(pb.EmbedRequest(input=["query: a toll"]))

    assert error.metadata == {"index": "0", "tokens": "65", "max_tokens": "64"}
    assert query.embeddings == document.embeddings


@pytest.mark.parametrize("missing", ["tokenizer.json", "model.onnx"])
async def test_a_folder_that_is_no_export_is_told_at_the_start(
    export: Path, tmp_path: Path, missing: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(export, broken)
    (broken / missing).unlink()

    with pytest.raises(Exception, match=r"tokenizer\.json"):
        async with embedding(models=[local(broken)]):
            pass


def provider(url: str, **others: Any) -> dict[str, Any]:
    return {
        "kind": "openai",
        "name": "far",
        "model": "n=1",
        "base_url": url,
        "api_key": "sk-secret",
        "dimensions": 64,
        **others,
    }


def assert_made_of(texts: list[str], response: pb.EmbedResponse) -> None:
    """Asserts that each text has the model server's vector of it, made as long as 1."""
    for text, each in zip(texts, response.embeddings, strict=True):
        said = np.frombuffer(shake_128(text.encode()).digest(64), np.uint8) - np.float64(127.5)
        got = np.frombuffer(each.vector, "<f4")
        assert got == pytest.approx(said / np.linalg.norm(said), abs=1e-6)


@pytest.mark.usefixtures("litellm_alone")
@pytest.mark.parametrize("kind", ["openai", "litellm"])
async def test_a_providers_vectors_come_in_order_and_have_length_1(kind: str) -> None:
    server = ModelServer()
    async with server.listening() as url:
        far = provider(url, kind=kind, provider="openai" if kind == "litellm" else "")
        async with embedding(models=[far]) as service:
            response = await service.Embed(pb.EmbedRequest(input=TEXTS, model="far"))
            again = await service.Embed(pb.EmbedRequest(input=TEXTS[::-1], model="far"))
            near = await service.Embed(pb.EmbedRequest(input=TEXTS))

    assert len(near.embeddings[0].vector) == 4 * 384, "what is kept is the model's own"
    assert server.stats["embed_texts"] == 2, "the second time they are kept"
    assert list(again.embeddings) == list(response.embeddings)[::-1]
    assert response.dimensions == 64
    assert_made_of(TEXTS, response)
    assert server.log[0]["headers"]["authorization"] == "Bearer sk-secret"


@pytest.fixture
async def held_provider() -> AsyncGenerator[tuple[str, list[int], asyncio.Event]]:
    """A provider that answers when it is told to, and notes how many calls it had at once."""
    at_once, open_calls, go = list[int](), set[object](), asyncio.Event()
    server = ModelServer()

    async def respond(connection: Connection, request: Request) -> None:
        call = object()
        open_calls.add(call)
        at_once.append(len(open_calls))
        await go.wait()
        open_calls.discard(call)
        await server._respond(connection, request)  # pyright: ignore[reportPrivateUsage]

    async with serving(respond, 0, set()) as port:
        yield f"http://127.0.0.1:{port}/v1", at_once, go


async def test_e3_a_provider_is_asked_as_often_at_once_as_configured_and_order_is_kept(
    held_provider: tuple[str, list[int], asyncio.Event],
) -> None:
    url, at_once, go = held_provider
    far = provider(url, concurrency=8, max_inputs=2)
    texts = [f"text {n}" for n in range(40)]
    async with embedding(models=[far]) as service:

        async def ask() -> pb.EmbedResponse:
            return await service.Embed(pb.EmbedRequest(input=texts, model="far"))

        asking = asyncio.create_task(ask())
        await until(lambda: len(at_once) == 8)
        go.set()
        response = await asking

    assert max(at_once) == 8
    assert_made_of(texts, response)


@pytest.mark.parametrize(
    ("status", "headers", "code", "reason"),
    [
        (429, {"retry-after": "7"}, grpc.StatusCode.RESOURCE_EXHAUSTED, "PROVIDER_RATE_LIMITED"),
        (401, {}, grpc.StatusCode.FAILED_PRECONDITION, "MODEL_UNUSABLE"),
        (400, {}, grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_ERROR"),
        (503, {}, grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNREACHABLE"),
    ],
    ids=["429", "401", "400", "503"],
)
async def test_a_providers_refusal_is_told_without_its_words(
    status: int, headers: dict[str, str], code: grpc.StatusCode, reason: str
) -> None:
    async def respond(connection: Connection, _request: Request) -> None:
        connection.reply(status, {"error": {"message": "no, sk-secret"}}, headers)

    async with serving(respond, 0, set()) as port:
        far = provider(f"http://127.0.0.1:{port}/v1")
        async with embedding(models=[far]) as service:
            error = await refusal(service.Embed(pb.EmbedRequest(input=["x"], model="far")))

    assert (error.code, error.reason) == (code, reason)
    assert error.metadata == {"model": "far"}
    assert "secret" not in str(error)
    if status == 429:
        assert error.retry_after is not None
        assert error.retry_after.total_seconds() == 7


async def test_vectors_of_another_size_than_configured_are_refused() -> None:
    async with (
        ModelServer().listening() as url,
        embedding(models=[provider(url, dimensions=63)]) as service,
    ):
        error = await refusal(service.Embed(pb.EmbedRequest(input=["x"], model="far")))

    assert error.reason == "PROVIDER_ERROR"


@pytest.mark.parametrize(
    "models",
    [
        [{"kind": "local", "name": "all-minilm-l6-v2", "path": "/x"}],
        [provider("http://x"), provider("http://y")],
        [provider("http://x", dimensions=0)],
        [{"kind": "else", "name": "x"}],
    ],
    ids=["taken", "twice", "dimensions", "kind"],
)
def test_models_that_cannot_be_are_told_at_the_start(models: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"models|name") as refused:
        Settings.model_validate({**_REQUIRED, "models": json.loads(json.dumps(models))})
    assert "sk-secret" not in str(refused.value)


_REQUIRED = {
    "gatekeeper_target": "x",
    "database_url": "x",
    "system_database_url": "x",
    "signing_key": "A" * 43 + "=",
    "trusted_keys": {},
}
