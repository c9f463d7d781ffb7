"""What callers of Chunk rely on."""

import asyncio
import threading
import time
from itertools import pairwise

import grpc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.embedding.serving import word_pieces
from tests.waiting import refusal
from turnpike.api.embedding.v1 import embedding_service_pb2 as pb
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from turnpike.embedding.chunking import Limits, chunk
from turnpike.embedding.model import InputEmptyError, Strategy

PROSE = "\n\n".join(
    f"Paragraph {n} says something. It has a second sentence, which is longer; and a third one!"
    for n in range(40)
)
CODE = "\n".join(
    f"@cached\n# Returns {n}.\ndef function_{n}(argument: int) -> int:\n"
    f'    """Adds {n} to its argument, whatever that may be."""\n'
    f"    result = argument + {n}\n    return result\n"
    for n in range(12)
)
TABLE = "| name | value |\n| --- | --- |\n" + "".join(f"| row {n} | {n * 7} |\n" for n in range(60))

parts = [*"ab.,! \n\t|-#@()", "word ", "\n\n", "é", "漢", "각", "\u200b", "😀", "| - |\n"]
texts = st.lists(st.sampled_from(parts), min_size=1, max_size=400).map("".join) | st.text(
    min_size=1, max_size=400
)


def assert_exact(text: str, strategy: Strategy, max_tokens: int, overlap: int) -> int:
    """Asserts that chunks are parts of a text, cover it, and fit; returns how many there are."""
    pieces = word_pieces()
    try:
        chunks = chunk(pieces, text, strategy, Limits.within(256, max_tokens, overlap))
    except InputEmptyError:
        assert len(pieces.encode([text])[0]) == pieces.markers
        return 0

    assert all(each.text == text[each.start : each.end] for each in chunks)
    assert all(each.first_line == 1 + text.count("\n", 0, each.start) for each in chunks)
    assert all(each.last_line == 1 + text.count("\n", 0, each.end - 1) for each in chunks)
    assert (chunks[0].start, chunks[-1].end) == (0, len(text))
    for before, after in pairwise(chunks):
        assert before.start < after.start <= before.end < after.end
        assert overlap or after.start == before.end
    counted = [len(ids) for ids in pieces.encode([each.header + each.text for each in chunks])]
    assert [each.tokens for each in chunks] == counted
    assert pieces.markers < min(counted) <= max(counted) <= max_tokens
    return len(chunks)


@settings(max_examples=300, deadline=None)
@given(texts, st.sampled_from(Strategy), st.integers(32, 64), st.integers(0, 16))
@example("a" * 99 + " " + "ab" * 49, Strategy.RECURSIVE, 32, 0)
# The second part has one token more by itself than within the text.
@example("otdadrtuihoxenhnzdunozzleeheaizreeoxztrqaeroohiohrnnsltodaol", Strategy.RECURSIVE, 16, 0)
@example("|a|b|\n|-|-|\n" + "|word word|word|\n" * 30, Strategy.TABLE, 32, 8)
def test_e5_chunks_are_exact_parts_that_cover_the_text_and_fit(
    text: str, strategy: Strategy, max_tokens: int, overlap: int
) -> None:
    assert_exact(text, strategy, max_tokens, overlap)


async def test_every_chunk_can_be_embedded(service: EmbeddingServiceStub) -> None:
    response = await service.Chunk(pb.ChunkRequest(text=PROSE, max_tokens=64, overlap=10))

    embedded = await service.Embed(pb.EmbedRequest(input=[each.text for each in response.chunks]))
    assert [each.tokens for each in embedded.embeddings] == [
        each.tokens for each in response.chunks
    ]
    assert response.model == embedded.model


async def test_prose_is_cut_between_paragraphs(service: EmbeddingServiceStub) -> None:
    response = await service.Chunk(pb.ChunkRequest(text=PROSE, max_tokens=100))

    assert len(response.chunks) > 5
    assert all(each.text.startswith("Paragraph ") for each in response.chunks)
    assert "".join(each.text for each in response.chunks) == PROSE


async def test_a_long_sentence_is_cut_between_clauses_or_words(
    service: EmbeddingServiceStub,
) -> None:
    text = "one clause of some words, " * 30

    response = await service.Chunk(pb.ChunkRequest(text=text, max_tokens=32))

    assert all(each.text.endswith(", ") for each in response.chunks)


async def test_an_overlap_repeats_whole_words_of_the_chunk_before(
    service: EmbeddingServiceStub,
) -> None:
    request = pb.ChunkRequest(text=PROSE, max_tokens=64, overlap=12)

    chunks = (await service.Chunk(request)).chunks

    for before, after in pairwise(chunks):
        shared = PROSE[after.start : before.end]
        assert 0 < len(word_pieces().encode([shared])[0]) - 2 <= 12
        assert before.text.endswith(shared)
        assert not PROSE[after.start - 1].isalnum() or not shared[0].isalnum()


async def test_code_is_cut_before_definitions_and_what_belongs_to_them(
    service: EmbeddingServiceStub,
) -> None:
    request = pb.ChunkRequest(text=CODE, strategy=pb.STRATEGY_CODE, max_tokens=128)

    chunks = (await service.Chunk(request)).chunks

    assert len(chunks) > 3
    assert all(each.text.startswith("@cached\n# Returns ") for each in chunks)


async def test_a_chunk_says_under_which_headings_it_is(service: EmbeddingServiceStub) -> None:
    text = (
        f"{PROSE[:300]}\n# Roads\n\n## Tolls ##\n\n{PROSE[:300]}\n\n### Night\n\n{PROSE[:300]}\n"
        f"```\n# not a heading\n```\n\n{PROSE[:300]}\n\n# Bridges\n\n{PROSE[:300]}"
    )

    chunks = (await service.Chunk(pb.ChunkRequest(text=text, max_tokens=32))).chunks

    def above(place: int) -> list[str]:
        return list(next(each for each in chunks if each.start > place).headings)

    assert list(chunks[0].headings) == []
    assert above(text.index("## Tolls") + 20) == ["Roads", "Tolls"]
    assert above(text.index("### Night") + 20) == ["Roads", "Tolls", "Night"]
    assert above(text.index("not a heading")) == ["Roads", "Tolls", "Night"]
    assert above(text.index("# Bridges") + 20) == ["Bridges"]


async def test_a_chunk_of_code_says_which_definitions_it_is_in(
    service: EmbeddingServiceStub,
) -> None:
    body = "".join(f"        total = total + {n}  # adds {n} to the total\n" for n in range(30))
    text = f"class Toll:\n    def pay(self):\n{body}\n    def leave(self):\n{body}\nx = 1\n"
    request = pb.ChunkRequest(text=text, strategy=pb.STRATEGY_CODE, max_tokens=96)

    chunks = (await service.Chunk(request)).chunks

    inside = [each for each in chunks if each.text.startswith("        total")]
    assert list(inside[0].headings) == ["class Toll", "def pay(self)"]
    assert list(inside[-1].headings) == ["class Toll", "def leave(self)"]


async def test_e5_each_part_of_a_table_has_the_tables_header(service: EmbeddingServiceStub) -> None:
    text = f"Some words before.\n\n{TABLE}\nAnd some after."
    request = pb.ChunkRequest(text=text, strategy=pb.STRATEGY_TABLE, max_tokens=96, overlap=16)

    before, *table, after = (await service.Chunk(request)).chunks

    header = "| name | value |\n| --- | --- |\n"
    assert (before.text, after.text) == ("Some words before.\n\n", "\nAnd some after.")
    assert "".join(each.text for each in table) == TABLE
    assert table[0].text.startswith(header)
    assert [each.header for each in table] == ["", *[header] * (len(table) - 1)]
    assert all(each.text.startswith("| row ") for each in table[1:])


async def test_a_header_is_not_repeated_where_it_would_swell_the_answer(
    service: EmbeddingServiceStub,
) -> None:
    text = f"| {'x' * 100_000} | b |\n|-|-|\n" + "| 1 | 2 |\n" * 5_000
    request = pb.ChunkRequest(text=text, strategy=pb.STRATEGY_TABLE, max_tokens=32)

    response = await service.Chunk(request)

    assert not any(each.header for each in response.chunks)
    assert response.ByteSize() < 3 * len(text)


async def test_even_the_smallest_chunks_of_the_largest_text_fit_a_message(
    service: EmbeddingServiceStub,
) -> None:
    text = "." * (1 << 17)

    response = await service.Chunk(pb.ChunkRequest(text=text, max_tokens=32, overlap=16))

    assert response.ByteSize() / len(text) * (1 << 20) < 4 << 20


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ChunkRequest(), "text"),
        (pb.ChunkRequest(text="x" * (1 << 20) + "y"), "text"),
        (pb.ChunkRequest(text="x", strategy=9), "strategy"),  # pyright: ignore[reportArgumentType]
        (pb.ChunkRequest(text="x", max_tokens=31), "max_tokens"),
        (pb.ChunkRequest(text="x", max_tokens=257), "max_tokens"),
        (pb.ChunkRequest(text="x", max_tokens=64, overlap=33), "overlap"),
        (pb.ChunkRequest(text="x", overlap=129), "overlap"),
    ],
    ids=["empty", "large", "strategy", "small", "above the model", "overlap", "default's overlap"],
)
async def test_limits_that_cannot_be_kept_are_refused(
    service: EmbeddingServiceStub, request_: pb.ChunkRequest, field: str
) -> None:
    error = await refusal(service.Chunk(request_))

    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert [path for path, _ in error.fields] == [field]


async def test_what_cannot_be_chunked_is_refused(service: EmbeddingServiceStub) -> None:
    empty, unknown = await asyncio.gather(
        refusal(service.Chunk(pb.ChunkRequest(text=" \n "))),
        refusal(service.Chunk(pb.ChunkRequest(text="x", model="gpt-9"))),
    )

    assert empty.reason == "INPUT_EMPTY"
    assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


def test_e1_other_threads_go_on_while_a_long_text_is_tokenized():
    """Processor time, not time: this thread gets its share beside the one that tokenizes."""
    pieces, used = word_pieces(), list[float]()

    def locate() -> None:
        begun = time.thread_time()
        pieces.locate("one two three " * 20_000)
        used.append(time.thread_time() - begun)

    begun, thread = time.thread_time(), threading.Thread(target=locate)
    thread.start()
    while thread.is_alive():
        pass

    assert time.thread_time() - begun > used[0] / 5
