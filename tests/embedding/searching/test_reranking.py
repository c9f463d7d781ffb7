"""Rerankers: their order when they have one in time, else the one that was."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import orjson
import pytest

from tests.doubles.http1 import Connection, Request, serving
from tests.embedding.bert_reference import MODEL
from tests.embedding.searching.shelves import Library, Sheet, Shelf
from tests.embedding.serving import settings_for
from turnpike.embedding.reranking import open_reranker
from turnpike.embedding.searching.model import Found, Question
from turnpike.embedding.searching.search import Search

TEXTS = {
    "/short.md": "The toll is due.",
    "/long.md": "The toll is due when a carriage with two horses has passed the bridge.",
    "/other.md": "The toll keeper sleeps in the house by the bridge.",
}


@asynccontextmanager
async def reranker(
    answer: Callable[[dict[str, Any]], Any], log: list[Request]
) -> AsyncGenerator[dict[str, Any]]:
    """A reranker's configuration, which answers what `answer` returns; None: nothing, ever."""

    async def respond(connection: Connection, request: Request) -> None:
        log.append(request)
        said = answer(orjson.loads(request.body))
        if said is None:
            await asyncio.get_running_loop().create_future()
        status, document = said if isinstance(said, tuple) else (200, said)
        connection.reply(status, document)

    async with serving(respond, 0, set()) as port:
        url = f"http://127.0.0.1:{port}/v1/rerank"
        key = {"model": "r", "api_key": "sk-rank", "timeout": 60}
        yield {"kind": "http", "url": url, **key}


async def shelved(books: Library) -> Shelf:
    shelf = await books.shelf()
    await shelf.add(*(Sheet(path, [text]) for path, text in TEXTS.items()))
    return shelf


async def search(books: Library, shelf: Shelf, spec: Any, **fields: Any) -> Found:
    settings = settings_for(reranker=spec)
    async with open_reranker(settings) as opened:
        searching = Search(books.engine, books.embedder, exact_most=99, reranker=opened)
        question = Question(tenant=shelf.tenant, wordings=("toll due",), **fields)
        return await searching.search(question, None)


def by_length(body: dict[str, Any]) -> dict[str, Any]:
    """Returns the ranking of who likes long texts, the best first, as providers do."""
    scored = sorted(enumerate(body["documents"]), key=lambda pair: -len(pair[1]))
    return {"results": [{"index": i, "relevance_score": len(text) / 100} for i, text in scored]}


async def test_a_reranker_s_order_is_that_of_the_results(books: Library) -> None:
    shelf, log = await shelved(books), list[Request]()
    async with reranker(by_length, log) as spec:
        found = await search(books, shelf, spec, limit=2)

    assert [each.path for each in found.results] == ["/long.md", "/other.md"]
    assert found.reranked
    assert found.results[0].score == pytest.approx(len(TEXTS["/long.md"]) / 100)
    body = orjson.loads(log[0].body)
    assert (body["query"], body["model"], body["top_n"]) == ("toll due", "r", 3)
    assert log[0].headers["authorization"] == "Bearer sk-rank"


@pytest.mark.usefixtures("litellm_alone")
async def test_a_provider_of_litellm_s_orders_results_or_leaves_them(books: Library) -> None:
    shelf, log, said = await shelved(books), list[Request](), [by_length, lambda _: (503, {})]
    async with reranker(lambda body: said[0](body), log) as wire:
        spec = {
            "kind": "litellm",
            "provider": "cohere",
            "model": "rerank-v3.5",
            "base_url": wire["url"],
            "api_key": "sk-rank",
            "timeout": 60,
        }
        found = await search(books, shelf, spec, limit=2)
        del said[0]
        failed = await search(books, shelf, spec)

    assert [each.path for each in found.results] == ["/long.md", "/other.md"]
    assert (found.reranked, failed.reranked, len(failed.results)) == (True, False, 3)
    body = orjson.loads(log[0].body)
    assert (body["query"], body["model"], body["top_n"]) == ("toll due", "rerank-v3.5", 3)
    assert log[0].headers["authorization"].lower() == "bearer sk-rank"


@pytest.mark.parametrize(
    "said",
    [
        (503, {"error": "no"}),
        {"results": []},
        {"results": [{"index": 0, "relevance_score": 1}] * 3},
        {"results": [{"index": n, "relevance_score": "x"} for n in range(3)]},
        {"results": [{"index": 7, "relevance_score": 1}]},
        {"data": []},
        [],
    ],
    ids=["503", "none", "one", "no number", "another", "another form", "a list"],
)
async def test_a_reranker_that_fails_leaves_the_order_as_it_was(books: Library, said: Any) -> None:
    shelf = await shelved(books)
    async with reranker(lambda _: said, []) as spec:
        found = await search(books, shelf, spec)

    plain = await search(books, shelf, None)
    assert found.results == plain.results
    assert (found.reranked, len(found.results)) == (False, 3)


async def test_a_late_reranker_is_not_waited_for(books: Library) -> None:
    shelf = await shelved(books)
    async with reranker(lambda _: None, []) as spec:
        found = await search(books, shelf, {**spec, "timeout": 0.05})

    assert (found.reranked, len(found.results)) == (False, 3)


async def test_the_newest_first_is_an_order_that_no_reranker_changes(books: Library) -> None:
    shelf, log = await shelved(books), list[Request]()
    async with reranker(by_length, log) as spec:
        found = await search(books, shelf, spec, recent=True)

    assert (found.reranked, log) == (False, [])


@pytest.fixture(scope="session")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export that scores a pair by how many tokens of the text it reads."""
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "tokenizer.json").write_bytes((MODEL / "tokenizer.json").read_bytes())
    helper, int64 = onnx.helper, onnx.TensorProto.INT64
    inputs = [
        helper.make_tensor_value_info(name, int64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    logits = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 1])
    axes = onnx.numpy_helper.from_array(np.array([1], np.int64), "axes")
    nodes = [
        helper.make_node("ReduceSum", ["token_type_ids", "axes"], ["sum"], keepdims=1),
        helper.make_node("Cast", ["sum"], ["logits"], to=onnx.TensorProto.FLOAT),
    ]
    graph = helper.make_graph(nodes, "pairs", inputs, [logits], [axes])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), folder / "model.onnx")
    return folder


async def test_a_cross_encoder_runs_in_this_process(books: Library, cross_encoder: Path) -> None:
    shelf = await shelved(books)
    spec = {"kind": "local", "path": str(cross_encoder), "timeout": 60}
    found = await search(books, shelf, spec)

    assert [each.path for each in found.results] == ["/long.md", "/other.md", "/short.md"]
    # The tokens of the text and the marker behind it.
    assert found.results[-1].score == len(["the", "toll", "is", "due", ".", "[SEP]"])
