"""What embedding costs, and whom it holds up: `python -m tests.bench.embedding [--small]`.

The service with its real model, its server and its callers are in this one process, on one
loop: whatever holds it up is seen by all. Everything runs on this machine, which must have
nothing else to do; its load is printed.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.bench.__main__ import Figure
from tests.bench.disturbance import disturbed
from tests.conftest import FLEETING, SERVICES, Keys, Schemas
from tests.embedding.knowledge.serving import Library, library
from tests.embedding.knowledge.serving import settings_for as library_settings
from tests.embedding.serving import (
    encoder,
    served,
    services_meter,
    settings_for,
    single_tokens,
    word_pieces,
)
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.embedding.embedder import Asked, Embedder
from turnpike.embedding.engines import Encoder as AnyEncoder
from turnpike.embedding.model import Priority
from turnpike.embedding.opening import open_embedder
from turnpike.telemetry.metrics import REGISTRY

BATCH_TOKENS = 512
GROUP = 64
QUERIES_PER_SECOND = 100


class Padded:
    """The model, which counts what it computes."""

    def __init__(self) -> None:
        self.tokens = 0
        self.useful = 0

    def encode(self, sequences: Sequence[Sequence[int]], width: int) -> list[bytes]:
        self.tokens += len(sequences) * width
        self.useful += sum(map(len, sequences))
        return encoder().encode(sequences, width)


async def main(watched_chunks: int, chunks: int, seconds: float) -> None:
    """Measures, and prints the figures."""
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    many = corpus(watched_chunks, random.Random(11))
    async with replica() as shelves:
        embedder = shelves.counted.embedder
        async with disturbed(shelves) as done:
            drifts, health, took = await watched(embedder, many)
        print(", ".join(f"{number} {what}" for what, number in done.items()), flush=True)
    print(Figure(f"{watched_chunks} chunks beside all else", f"{watched_chunks / took:.1f}/s"))
    print(Figure("drift of a heartbeat, p99", f"{p(99, drifts):.1f} ms", goal="< 20 ms"))
    print(Figure("Health, p99", f"{p(99, health):.1f} ms", goal="< 50 ms"), flush=True)
    texts = corpus(chunks, random.Random(7))
    direct = await asyncio.to_thread(directly, texts)
    padded = Padded()
    async with opened(padded, workers=1) as embedder:
        begun = time.perf_counter()
        await in_bulk(embedder, texts)
        took = time.perf_counter() - begun
    print(Figure(f"{chunks} chunks, one worker", f"{chunks / took:.1f}/s", goal=""))
    share = direct / took
    print(Figure("of sorted batches in a loop", f"{share:.0%}", goal="≥ 90 %"))
    useful = padded.useful / padded.tokens
    print(Figure("tokens of a text, of all computed", f"{useful:.0%}", goal="≥ 90 %"), flush=True)
    async with opened(workers=2, cache_bytes=0) as embedder:
        await beside(embedder, texts, seconds)


async def beside(embedder: Embedder, texts: Sequence[str], seconds: float) -> None:
    """Asks queries alone, embeds in bulk alone, then both together."""
    words = iter(single_tokens())
    idle = await asked(embedder, words, seconds)
    begun = time.perf_counter()
    await in_bulk(embedder, texts)
    alone = time.perf_counter() - begun
    begun = time.perf_counter()
    working = asyncio.create_task(in_bulk(embedder, [f"{text} too" for text in texts]))
    busy = await asked(embedder, words, min(seconds, alone))
    await working
    together = time.perf_counter() - begun
    bulk, padded = tokens("bulk"), tokens("interactive")
    slowed = f"{p(99, busy):.1f} ms, {p(99, busy) / p(99, idle):.1f} times"
    print(f"{len(busy)} queries beside {len(texts)} texts, {len(busy) / min(seconds, alone):.0f}/s")
    print(Figure("a query alone, p99", f"{p(99, idle):.1f} ms", goal=""))
    print(Figure("beside bulk work, p99", slowed, goal="≤ 3 times"))
    print(Figure("bulk beside queries", f"{alone / together:.0%} of alone", goal="≥ 90 %"))
    print(f"tokens embedded: {bulk:.0f} in bulk, {padded:.0f} of queries")


async def asked(embedder: Embedder, words: Iterator[str], seconds: float) -> list[float]:
    """Asks short queries, so many a second; returns how long each took, in milliseconds."""
    took, asking = list[float](), set[asyncio.Task[None]]()
    end = time.perf_counter() + seconds

    async def ask(text: str) -> None:
        begun = time.perf_counter()
        await embedder.embed(Asked(texts=[text]))
        took.append((time.perf_counter() - begun) * 1000)

    while time.perf_counter() < end:
        word = next(words)
        asking.add(asyncio.create_task(ask(f"who pays for {word} at the gate")))
        await asyncio.sleep(1 / QUERIES_PER_SECOND)
    await asyncio.gather(*asking)
    return took


async def in_bulk(embedder: Embedder, texts: Sequence[str]) -> None:
    """Embeds texts as indexing does: a few groups at a time."""
    groups = [texts[first : first + GROUP] for first in range(0, len(texts), GROUP)]
    at_once = asyncio.Semaphore(4)

    async def embed(group: Sequence[str]) -> None:
        async with at_once:
            await embedder.embed(Asked(texts=group, priority=Priority.BULK))

    await asyncio.gather(*(embed(group) for group in groups))


async def watched(
    embedder: Embedder, texts: Sequence[str]
) -> tuple[list[float], list[float], float]:
    """Embeds in bulk; returns a heartbeat's drifts and Health's times in ms, and the seconds."""
    drifts, health = list[float](), list[float]()

    async def beat() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            drifts.append((time.perf_counter() - before - 0.01) * 1000)

    async with served(embedder) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)

        async def ask() -> None:
            while True:
                before = time.perf_counter()
                await stub.Check(health_pb2.HealthCheckRequest())
                health.append((time.perf_counter() - before) * 1000)
                await asyncio.sleep(0.02)

        watching = [asyncio.create_task(beat()), asyncio.create_task(ask())]
        begun = time.perf_counter()
        await in_bulk(embedder, texts)
        took = time.perf_counter() - begun
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    return drifts, health, took


def directly(texts: Sequence[str]) -> float:
    """Drives the model in a loop of sorted batches; returns the seconds."""
    model, pieces = encoder(), word_pieces()
    model.encode([[101, 102]], 8)
    begun = time.perf_counter()
    sequences = sorted(pieces.encode(texts), key=len)
    while sequences:
        width = -(-len(sequences[0]) // 8) * 8
        fitting = 1
        while fitting < len(sequences):
            wider = -(-len(sequences[fitting]) // 8) * 8
            if wider * (fitting + 1) > BATCH_TOKENS:
                break
            width, fitting = wider, fitting + 1
        model.encode(sequences[:fitting], width)
        del sequences[:fitting]
    return time.perf_counter() - begun


def corpus(chunks: int, chance: random.Random) -> list[str]:
    """Returns texts whose lengths are as those of chunks are: most short, some long."""
    words = single_tokens()
    lengths = [min(250, max(4, int(chance.lognormvariate(4, 0.7)))) for _ in range(chunks)]
    return [" ".join(chance.choices(words, k=length)) for length in lengths]


def tokens(priority: str) -> float:
    """Returns how many tokens were embedded, padding apart."""
    name = "turnpike_embedding_tokens_total"
    return REGISTRY.get_sample_value(name, {"priority": priority}) or 0


def p(percentile: int, values: Sequence[float]) -> float:
    """Returns a percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percentile // 100)]


@asynccontextmanager
async def opened(model: AnyEncoder | None = None, **settings: int) -> AsyncGenerator[Embedder]:
    """Opens an embedder that asks no gatekeeper."""
    async with (
        services_meter() as meter,
        open_embedder(
            settings_for(**settings),
            meter,
            load_encoder=lambda: model or encoder(),
        ) as embedder,
    ):
        await embedder.embed(Asked(texts=["warm"]))
        yield embedder


@asynccontextmanager
async def replica() -> AsyncGenerator[Library]:
    """Opens a replica that keeps documents, in this process."""
    with (
        tempfile.TemporaryDirectory() as home,
        LocalPostgres(Path(home) / "postgres", settings=FLEETING) as postgres,
    ):
        urls = await Schemas(postgres.url).of("embedding")
        keys = Keys({name: os.urandom(32) for name in SERVICES})
        settings = library_settings(urls, keys, Path(home))
        async with library(settings, keys, urls) as shelves:
            await shelves.counted.embedder.embed(Asked(texts=["warm"]))
            yield shelves


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.embedding", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a try of a minute")
    size = (300, 200, 3.0) if parser.parse_args().small else (10_000, 4_500, 20.0)
    uvloop.run(main(*size))
