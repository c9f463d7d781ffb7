"""The OpenAI wire format as servers really send it, good and bad."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnpike.agent_runtime.models.openai_chunks import ChunkReader
from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    ModelError,
    Piece,
    ReasoningPiece,
    TextPiece,
    ToolUsePiece,
    UsagePiece,
)


def chunk(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def calling(**call: Any) -> dict[str, Any]:
    function = {key: call.pop(key) for key in ("name", "arguments") if key in call}
    return chunk(tool_calls=[{**call, "function": function}])


def lines(*chunks: object) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks)


def read(*blocks: bytes) -> list[Piece]:
    reader, pieces = ChunkReader("sk-secret"), list[Piece]()
    for block in blocks:
        pieces += reader.read(block)
        reader.check()
    return pieces


def failure_of(*blocks: bytes) -> ModelError:
    with pytest.raises(ModelError) as failure:
        read(*blocks)
    return failure.value


WHOLE = (
    lines(chunk(role="assistant", content=""), chunk(reasoning_content="hm"), chunk(content="één "))
    + lines(chunk(content="\U0001f600"), calling(index=0, id="a", name="f", arguments="{}"))
    + lines({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    + lines({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    + b"data: [DONE]\n\n"
)
SAID: list[Piece] = [
    ReasoningPiece("hm"),
    TextPiece("één "),
    TextPiece("\U0001f600"),
    ToolUsePiece(0, "a", "f", "{}"),
    EndPiece("stop"),
    UsagePiece(input_tokens=3, output_tokens=2),
]


@given(cuts=st.lists(st.integers(0, len(WHOLE)), max_size=20))
def test_a_stream_says_the_same_however_it_is_cut_into_blocks(cuts: list[int]):
    bounds = [0, *sorted(cuts), len(WHOLE)]
    blocks = [WHOLE[a:b] for a, b in pairwise(bounds)]

    assert read(*blocks) == SAID


@pytest.mark.parametrize(
    "stream",
    [
        WHOLE.replace(b"\n", b"\r\n"),
        WHOLE.replace(b"data: ", b"data:"),
        WHOLE.replace(b"data: ", b": a comment\n\nevent: message\nid: 1\nretry: 3\ndata: "),
        WHOLE.replace(b'"choices"', b'\ndata: "choices"'),
        WHOLE.replace(b"\n\n", b"\n"),
        WHOLE.replace(b'"delta"', b'"unknown": [1, {"x": null}], "delta"'),
    ],
    ids=["crlf", "no space", "other lines", "many lines", "no blank lines", "unknown fields"],
)
def test_a_stream_may_be_framed_in_any_way(stream: bytes):
    assert read(stream) == SAID


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"choices": []}, []),
        ({"choices": None, "usage": None}, []),
        ({"usage": None, "error": None, **chunk(content="a")}, [TextPiece("a")]),
        (chunk(content=None, tool_calls=None), []),
        (chunk(reasoning="r", content="a"), [ReasoningPiece("r"), TextPiece("a")]),
        (chunk(content=[{"type": "text", "text": "a"}, {"type": "x"}, 1]), [TextPiece("a")]),
        (chunk(refusal="I may not"), [TextPiece("I may not")]),
        ({"choices": [{"delta": {}, "finish_reason": ""}]}, []),
        ({"usage": {"prompt_tokens": "7", "completion_tokens": None}}, [UsagePiece(7, 0)]),
        (
            {
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": -1,
                    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                }
            },
            [UsagePiece(9, 0, cached_tokens=4, cache_write_tokens=2)],
        ),
    ],
)
def test_what_is_missing_or_null_is_nothing(given: object, said: list[Piece]):
    assert read(lines(given)) == said


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            [{"id": "a", "name": "f", "arguments": "{"}, {"arguments": "}"}, {"id": "b"}],
            [(0, "a", "{"), (0, "", "}"), (1, "b", "")],
        ),
        (
            [{"index": 0, "id": "a", "arguments": "1"}, {"index": 0, "id": "b", "arguments": "2"}],
            [(0, "a", "1"), (1, "b", "2")],
        ),
        (
            [{"index": 1, "id": "a"}, {"index": 3, "id": "b"}, {"index": 1, "arguments": "1"}],
            [(0, "a", ""), (1, "b", ""), (0, "", "1")],
        ),
        (
            [{"index": 0, "id": "a", "arguments": "1"}, {"index": 0, "id": "a", "arguments": "2"}],
            [(0, "a", "1"), (0, "a", "2")],
        ),
        ([{"index": 0, "id": "a\0", "arguments": {"n": 1}}], [(0, "a", '{"n":1}')]),
    ],
    ids=["no index", "one index for all", "gaps", "repeated id", "an object"],
)
def test_calls_are_told_apart(parts: list[dict[str, Any]], said: list[tuple[int, str, str]]):
    pieces = read(lines(*(calling(**part) for part in parts)))

    assert [(p.index, p.id, p.arguments) for p in pieces if isinstance(p, ToolUsePiece)] == said


@pytest.mark.parametrize(
    "document",
    [
        b'{"choices":[{"delta":{"content":"a\\ud83d"}}]}',
        b'{"choices":[{"delta":{"content":"a\xff"}}]}',
    ],
    ids=["half a pair", "no utf-8"],
)
def test_a_character_that_is_none_costs_only_itself(document: bytes):
    (piece,) = read(b"data: " + document + b"\n\n")

    assert isinstance(piece, TextPiece)
    assert piece.text[0] == "a"
    assert len(piece.text.encode()) > 1


@pytest.mark.parametrize(
    "stream",
    [b"data: {not json\n\n", b"data: 12\n\n", b'data: {"choices": {}}\n\n', b'data: "hi"\n\n'],
)
def test_garbage_breaks_the_stream(stream: bytes):
    failure = failure_of(stream)

    assert (failure.reason, failure.transient) == ("PROVIDER_ERROR", True)


@pytest.mark.parametrize("wrong", [b"data: {not json\n\n", lines({"error": "it broke"})])
def test_what_stands_before_what_is_wrong_was_said(wrong: bytes):
    reader = ChunkReader("")

    assert reader.read(lines(chunk(content="a")) + wrong) == [TextPiece("a")]

    with pytest.raises(ModelError):
        reader.check()


def test_a_line_without_end_is_refused():
    failure = failure_of(b"data: ", *(b"x" * (1 << 20) for _ in range(10)))

    assert (failure.reason, failure.transient) == ("PROVIDER_ERROR", False)


@pytest.mark.parametrize(
    ("error", "reason", "transient"),
    [
        ({"message": "slow down", "type": "rate_limit_error"}, "RATE_LIMITED", True),
        ({"message": "over", "type": "overloaded_error", "code": 529}, "OVERLOADED", True),
        ({"message": "no", "code": 429}, "RATE_LIMITED", True),
        ({"message": "no", "code": 400}, "PROVIDER_ERROR", False),
        ({"message": "too long", "type": "invalid_request_error"}, "PROVIDER_ERROR", False),
        ("it broke", "PROVIDER_ERROR", True),
    ],
)
def test_an_error_amid_the_stream_says_whether_it_may_pass(
    error: object, reason: str, transient: bool
):
    failure = failure_of(lines({"error": error}))

    assert (failure.reason, failure.transient) == (reason, transient)


def test_an_error_shows_no_credential():
    failure = failure_of(lines({"error": {"message": "bad key sk-secret\0"}}))

    assert "sk-secret" not in str(failure)
    assert "\0" not in str(failure)


def test_nothing_is_read_after_the_end():
    reader = ChunkReader("")
    reader.read(lines({"choices": [{"delta": {}, "finish_reason": "stop"}]}) + b"data: [DONE]\n\n")

    assert (reader.ended, reader.done) == (True, True)
