"""Code is divided by its syntax."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.embedding.serving import word_pieces
from turnpike.api.embedding.v1 import embedding_service_pb2 as pb
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from turnpike.embedding.children import Bounds
from turnpike.embedding.chunking import Limits, chunk
from turnpike.embedding.grammars import GRAMMARS, written
from turnpike.embedding.knowledge import kinds
from turnpike.embedding.knowledge.model import Recipe
from turnpike.embedding.model import Chunk, InputEmptyError, Strategy
from turnpike.embedding.parsing import Parsing


def divided(text: str, language: str, max_tokens: int = 64, overlap: int = 0) -> list[Chunk]:
    limits = Limits.within(256, max_tokens, overlap)
    parsed = "".join(written(text.encode(), language)).encode()
    return chunk(word_pieces(), text, Strategy.CODE, limits, parsed)


def holding(chunks: list[Chunk], text: str) -> list[Chunk]:
    return [each for each in chunks if text in each.text]


PYTHON = (
    '"""A module."""\n\nimport os\n\n\n'
    + "".join(
        f"# Says what {n} is.\n@cached\n@traced(name={n})\ndef first_{n}(argument):\n"
        f'    """Returns:\n\ndef not_a_definition_{n}(argument):\n    class neither:\n    """\n\n'
        f"    return argument + {n}\n\n\n"
        for n in range(6)
    )
    + "class Toll:\n    rate = 1\n\n"
    + "".join(
        f"    # Doc of {n}.\n    @property\n    def method_{n}(self):\n\n"
        f"        return {n} + self.x\n\n"
        for n in range(12)
    )
)


@pytest.mark.parametrize("max_tokens", [80, 100, 128])
def test_a_definition_that_fits_is_in_one_chunk_with_what_is_above_it(max_tokens: int) -> None:
    chunks = divided(PYTHON, "python", max_tokens)

    assert len(chunks) > 4
    for n in range(6):
        (whole,) = holding(
            chunks, f"# Says what {n} is.\n@cached\n@traced(name={n})\ndef first_{n}"
        )
        assert f"return argument + {n}\n" in whole.text
    for n in range(12):
        (whole,) = holding(chunks, f"    # Doc of {n}.\n    @property\n    def method_{n}")
        assert f"return {n} + self.x\n" in whole.text


@pytest.mark.parametrize("max_tokens", [80, 100, 128])
def test_a_string_that_looks_like_a_definition_begins_no_chunk(max_tokens: int) -> None:
    chunks = divided(PYTHON, "python", max_tokens)

    assert not any(each.text.lstrip().startswith("def not_a") for each in chunks)
    assert not any("not_a" in title for each in chunks for title in each.headings)


def test_a_chunk_says_in_which_definitions_it_is() -> None:
    body = "".join(f"        self.total_{n} = {n}\n" for n in range(30))
    text = (
        "class Toll(\n    Base,\n):\n    @property\n    @cached\n"
        f"    def pay(self):\n{body}\n    def leave(self):\n{body}\nafter = 1\n"
    )

    chunks = divided(text, "python")

    path = ["class Toll( Base, )", "def pay(self)"]
    assert list(holding(chunks, "total_12 =")[0].headings) == path
    assert list(holding(chunks, "total_12 =")[1].headings) == [path[0], "def leave(self)"]
    assert chunks[-1].text.endswith("after = 1\n")
    (head,) = holding(chunks, "@property")
    assert "def pay(self):" in head.text


SAMPLES = {
    "bash": """<<# Doc.
name() {
  echo WORDS
}

>>""",
    "c": """#ifndef A
#define A

<</* Doc. */
static int
name(int a) {
  return f(WORDS);
}

>>#endif
""",
    "c++": """namespace a {
<<  // Doc.
  template <typename T>
  T name(T a) {
    return f(WORDS);
  }

>>}
""",
    "c#": """namespace A {
 class B {
<<  /// Doc.
  [Test]
  public int name(int a) {
    return f(WORDS);
  }

>> }
}
""",
    "go": """package a

<<// Doc.
func (t *T) name(a int) int {
	return f(WORDS)
}

>>""",
    "java": """class A {
<<  /** Doc. */
  @Override
  @Deprecated
  int name(int a) {
    return f(WORDS);
  }

>>}
""",
    "javascript": """export class A {
<<  // Doc.
  @dec
  name(a) {
    return f(WORDS);
  }

>>}
""",
    "php": """<?php
class A {
<<  /** Doc. */
  #[Test]
  public function name($a) {
    return f(WORDS);
  }

>>}
""",
    "python": """class A:
<<    # Doc.
    @dec
    def name(self):
        return f(WORDS)

>>""",
    "ruby": """module A
 class B
<<  # Doc.
  def name(a)
    [WORDS]
  end

>> end
end
""",
    "rust": """impl A {
<<  /// Doc.
  #[inline]
  pub fn name(a: u8) -> u8 {
    vec![WORDS]
  }

>>}
""",
    "tsx": """<<// Doc.
export const name = (a: number) => {
  return <p>WORDS</p>;
};

>>""",
    "typescript": """export abstract class A {
<<  // Doc.
  name(a: number): number {
    return f(WORDS);
  }

>>}
""",
}
"""A text for each language: between the marks is a definition, which may be repeated."""


def sample(language: str, words: str, *, times: int = 1) -> tuple[str, list[str], str]:
    """Returns what is before definitions, them, and what is after."""
    before, _, rest = SAMPLES[language].partition("<<")
    one, _, after = rest.partition(">>")
    words = words.replace(",", "") if language == "bash" else words
    named = [one.replace("name", f"name{n}").replace("WORDS", words) for n in range(times)]
    return before, named, after


@pytest.mark.parametrize("language", sorted(GRAMMARS))
def test_every_language_keeps_what_fits_together(language: str) -> None:
    before, definitions, after = sample(language, "w_1, w_2, w_3", times=12)

    chunks = divided(before + "".join(definitions) + after, language, 96)

    assert len(chunks) > 2
    assert [len(holding(chunks, each.strip())) for each in definitions] == [1] * 12


@pytest.mark.parametrize("language", sorted(GRAMMARS))
def test_every_languages_definitions_are_headings(language: str) -> None:
    before, (one,), after = sample(language, ",\n".join(f"w_{k}" for k in range(60)))

    chunks = divided(before + one + after, language, 32)

    (inside,) = holding(chunks, "w_30")
    assert "name" in inside.headings[-1]
    assert "Doc" not in inside.headings[-1]


@pytest.mark.parametrize("language", sorted(GRAMMARS))
@settings(max_examples=15, deadline=None)
@given(drawn=st.data(), max_tokens=st.integers(32, 64), overlap=st.integers(0, 16))
def test_broken_code_still_divides(
    language: str, drawn: st.DataObject, max_tokens: int, overlap: int
) -> None:
    before, definitions, after = sample(language, "é漢😀", times=2)
    lines = "".join([before, *definitions, after]).splitlines(keepends=True)
    parts = st.sampled_from([*lines, *"{(\"'\x00\t", "}\n", "é😀\n", "/*"])
    code = "".join(drawn.draw(st.lists(parts, min_size=1, max_size=60)))
    try:
        chunks = divided(code, language, max_tokens, overlap)
    except InputEmptyError:
        return

    assert (chunks[0].start, chunks[-1].end) == (0, len(code))
    assert all(each.text == code[each.start : each.end] for each in chunks)
    assert all(one.start < two.start <= one.end < two.end for one, two in pairwise(chunks))
    assert all(each.tokens <= max_tokens for each in chunks)


def test_code_nested_deeper_than_pythons_stack_divides() -> None:
    deep = "x = " + "[\n" * 3_000 + "]\n" * 3_000

    assert "".join(each.text for each in divided(deep, "python")) == deep


async def test_the_language_of_a_request_is_parsed(service: EmbeddingServiceStub) -> None:
    request = pb.ChunkRequest(
        text=PYTHON, strategy=pb.STRATEGY_CODE, max_tokens=80, language="python"
    )

    chunks = (await service.Chunk(request)).chunks

    assert [each.text for each in chunks] == [each.text for each in divided(PYTHON, "python", 80)]


async def test_what_has_no_grammar_is_divided_at_what_looks_like_definitions(
    service: EmbeddingServiceStub,
) -> None:
    text = "def first():\n    pass\n\n" * 10
    request = pb.ChunkRequest(text=text, strategy=pb.STRATEGY_CODE, max_tokens=32, language="cobol")

    chunks = (await service.Chunk(request)).chunks

    assert "".join(each.text for each in chunks) == text
    assert all(each.text.startswith("def first") for each in chunks)


@pytest.mark.parametrize(
    "bounds",
    [Bounds(seconds=20, memory_bytes=1 << 20), Bounds(seconds=0.001, memory_bytes=1 << 30)],
    ids=["memory", "time"],
)
async def test_a_parser_that_takes_too_much_is_given_up(
    bounds: Bounds, caplog: pytest.LogCaptureFixture
) -> None:
    assert await Parsing(bounds, at_once=1).parse(PYTHON, "python") == b""
    assert "divided unparsed" in caplog.text


CLASS = """#pragma once

namespace river {

%s
}  // namespace river
"""
STRUCTS = "".join(
    f"/* Doc of {n}. */\nstatic int\npay_{n}(struct toll *this, int class)\n{{\n"
    f"  return this->new + class * {n};\n}}\n\n"
    for n in range(8)
)
METHODS = "".join(f"  int pay_{n}(const T& who) const override;\n" for n in range(40))


async def test_e1_the_loop_goes_on_while_code_is_parsed_that_takes_for_ever() -> None:
    parsing = Parsing(Bounds(seconds=1, memory_bytes=1 << 30), at_once=1)
    task = asyncio.create_task(parsing.parse(PYTHON * 2_000, "python"))
    beats = 0
    while not task.done():
        await asyncio.sleep(0.01)
        beats += 1

    assert await task == b"", "it was given up"
    # Not a figure: a loop that stood still would count one or two.
    assert beats > 5


def test_a_header_is_divided_as_what_it_is_of() -> None:
    media_type = kinds.media_type_of("", "/src/toll.h")
    language = kinds.language_of(media_type)

    ours = divided(CLASS % f"class Toll : public Base {{\n{METHODS}}};\n", language)
    plain = divided(STRUCTS, language)

    assert kinds.strategy_for(media_type) is Strategy.CODE
    (inside,) = holding(ours, "pay_20(")
    assert inside.headings == ("namespace river", "class Toll : public Base")
    assert plain == divided(STRUCTS, "c"), "names that are words of C++ break nothing"


def test_a_documents_language_is_part_of_how_it_is_divided() -> None:
    media_type = kinds.media_type_of("", "/src/app.tsx")
    recipe = Recipe(
        strategy=kinds.strategy_for(media_type),
        max_tokens=0,
        overlap=0,
        language=kinds.language_of(media_type),
    )

    assert str(recipe) == "code/0/0/2:tsx"
    assert Recipe.parse(str(recipe)) == recipe
    assert str(Recipe.parse("code/0/0/1")) == "code/0/0/1"
