"""Definitions, arguments, patterns and results: what needs no server to be judged."""

import itertools
import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnpike.tool_registry import results
from turnpike.tool_registry.definitions import (
    InvalidArgumentsError,
    digest_of,
    parse,
    parse_arguments,
    to_tool,
    validator_of,
)
from turnpike.tool_registry.drift import renamed_from
from turnpike.tool_registry.model import CallStatus, Tool, ToolState
from turnpike.tool_registry.patterns import matcher_of, may_match_connector
from turnpike.tool_registry.texts import flags_of

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}}


def shown(**others: Any) -> dict[str, Any]:
    return {"name": "add", "description": "Adds.", "inputSchema": SCHEMA, **others}


def tool(**others: Any) -> Tool:
    made = to_tool("math", shown(**others))
    assert made is not None
    return made


def test_a_digest_is_of_what_the_tool_is_and_not_of_how_it_was_written():
    backwards = dict(reversed(list(shown().items())))

    assert to_tool("math", backwards) == tool()
    assert tool(icons=["x"], _meta={"seen": 1}).digest == tool().digest
    assert digest_of(tool().definition.encode()) == tool().digest


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Adds, and keeps a share."},
        {"title": "Add"},
        {"inputSchema": {**SCHEMA, "required": ["n"]}},
        {"outputSchema": SCHEMA},
        {"annotations": {"readOnlyHint": True}},
    ],
)
def test_a_change_of_the_definition_changes_the_digest(change: dict[str, Any]):
    assert tool(**change).digest != tool().digest


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        {"type": 12},
        {"type": "string"},
        {"type": "object", "required": "n"},
        {"type": "object", "properties": []},
    ],
)
def test_a_schema_that_is_none_makes_the_tool_uncallable(schema: Any):
    assert tool(inputSchema=schema).state is ToolState.INVALID
    parse(tool(inputSchema=schema).definition)


@pytest.mark.parametrize(
    ("annotations", "repeatable"),
    [
        ({}, False),
        ({"readOnlyHint": True}, True),
        ({"idempotentHint": True}, True),
        ({"readOnlyHint": "yes"}, False),
        ({"readOnlyHint": False, "destructiveHint": False}, False),
    ],
)
def test_only_what_says_so_may_be_repeated(annotations: dict[str, Any], repeatable: bool):
    assert parse(tool(annotations=annotations).definition).is_repeatable is repeatable


def test_a_schemas_regular_expression_cannot_hold_everybody_up():
    evil = {"type": "object", "properties": {"s": {"pattern": "^(a+)+$"}}}
    evil["patternProperties"] = {"^(a+)+$": {"type": "string"}}
    arguments = {"s": "a" * 40 + "!", "a" * 40 + "!": 1}

    # Backtracking would take years.
    assert parse_arguments(json.dumps(arguments), validator_of(evil)) == arguments


def test_a_schema_that_refers_elsewhere_is_left_to_the_server():
    elsewhere = {"type": "object", "properties": {"n": {"$ref": "http://127.0.0.1:1/schema"}}}
    endless = {"type": "object", "properties": {"n": {"$ref": "#/properties/n"}}}

    for schema in (elsewhere, endless):
        assert parse_arguments('{"n": 1}', validator_of(schema)) == {"n": 1}


def test_references_that_multiply_cannot_hold_everybody_up():
    evil: dict[str, Any] = {"type": "object", "$ref": "#/$defs/0"}
    evil["$defs"] = {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(60)}
    evil["$defs"]["60"] = {}

    # It would take as many steps as two to the power of sixty.
    assert parse_arguments("{}", validator_of(evil)) == {}


def test_a_process_that_stands_still_as_it_checks_checks_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
):
    schema = {"$ref": "#/$defs/sum", "$defs": {"sum": SCHEMA}}
    hours = itertools.count(step=3600.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(hours))

    with pytest.raises(InvalidArgumentsError):
        parse_arguments('{"n": "one"}', validator_of(schema))


@pytest.mark.parametrize("piece", ["<important ", "read ", "\n", "<  ", "a\u200d"])
def test_a_long_text_cannot_hold_everybody_up(piece: str):
    definition = tool(description=piece * (100_000 // len(piece))).definition
    started = time.process_time()

    flags_of(definition)

    # What goes through the text from each of its pieces would take minutes.
    assert time.process_time() - started < 10


def test_very_many_renamed_tools_are_not_all_compared():
    bare: dict[str, Any] = {"type": "object"}
    gone = {
        f"t{n}": tool(description=f"{n} words " * 300, inputSchema=bare).definition
        for n in range(1000)
    }
    new = [tool(description=f"{n} other " * 300, inputSchema=bare).definition for n in range(50)]
    started = time.process_time()

    for definition in new:
        renamed_from(definition, gone)

    # Fifty thousand comparisons of long texts would take many minutes.
    assert time.process_time() - started < 30


def test_many_mistakes_are_told_in_a_few_words():
    arguments = json.dumps({f"x{n}": "y" * 10_000 for n in range(50)})
    strict = validator_of({"type": "object", "additionalProperties": {"type": "integer"}})

    with pytest.raises(InvalidArgumentsError) as refusal:
        parse_arguments(arguments, strict)

    assert len(str(refusal.value)) < 3000
    assert str(refusal.value).endswith("and more")


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*/*", "a/b", True),
        ("a/*", "a/b", True),
        ("a/*", "ab/b", False),
        ("a/b", "a/b", True),
        ("a/b", "a/bc", False),
        ("*/read_*", "a/read_file", True),
        ("*/*_file", "a/read_file", True),
        ("a/r*d*e", "a/read_file", True),
        ("a/aba*ba", "a/aba", False),
        ("a/[a-z]", "a/b", False),
        ("", "a/b", False),
    ],
)
def test_a_star_stands_for_anything_and_nothing_else_is_special(
    pattern: str, name: str, matches: bool
):
    assert matcher_of([pattern])(name) is matches


@given(st.lists(st.sampled_from("ab*/"), max_size=12).map("".join), st.text("ab/", max_size=12))
def test_patterns_match_what_a_regular_expression_would(pattern: str, name: str):

    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None

    assert matcher_of([pattern])(name) is expected


def test_a_pattern_of_many_stars_takes_no_time():
    # Backtracking would take years.
    assert not matcher_of(["*a" * 140 + "b"])("a" * 265)


def test_connectors_that_cannot_match_are_told_apart():
    assert may_match_connector([], "git")
    assert may_match_connector(["x/y", "g*/log"], "git")
    assert not may_match_connector(["x/y", "g*b/log"], "git")


def test_a_result_of_many_blocks_keeps_the_first_ones():
    blocks = [{"type": "text", "text": "é\n" * 100_000} for _ in range(10)]
    blocks.append({"type": "image", "data": "x"})

    outcome = results.capped(results.from_answer({"content": blocks}))

    kept = json.loads(outcome.result)
    assert outcome.status is CallStatus.SUCCEEDED
    assert len(outcome.result.encode()) <= results.MAX_RESULT_BYTES
    assert kept[0] == blocks[0]
    assert "The result was cut" in kept[-1]["text"]
    assert len(outcome.result.encode()) > results.MAX_RESULT_BYTES * 0.8


@pytest.mark.parametrize("answer", [{}, {"content": None}, {"content": "text"}, {"isError": "no"}])
def test_an_answer_of_no_known_form_is_an_empty_result(answer: dict[str, Any]):
    outcome = results.capped(results.from_answer(answer))

    assert (outcome.status, outcome.result) == (CallStatus.SUCCEEDED, "[]")
