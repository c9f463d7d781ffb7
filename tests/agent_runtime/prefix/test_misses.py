"""Why a request misses: the right reason, element and byte for each cause."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from turnpike.agent_runtime.prefix.elements import chained, same, size, split
from turnpike.agent_runtime.prefix.history import History
from turnpike.agent_runtime.prefix.keys import Salt
from turnpike.agent_runtime.prefix.model import EMPTY, Head, Ledger, Miss, Reason, Reported, Sent
from turnpike.agent_runtime.prefix.predicting import Rules, judge, predict, rules_of
from turnpike.agent_runtime.prefix.reconciling import reconcile

TOOLS = b'[{"type":"function","function":{"name":"read"}}]'
SYSTEM = b'{"role":"system","content":"Be brief."}'
ASKED = b'{"role":"user","content":"hello there"}'
SAID = b'{"role":"assistant","content":"hi"}'
ELEMENTS = [TOOLS, SYSTEM, ASKED, SAID]
RULES = Rules(minimum=100, block=1)
SENT = Sent(elements=3, bytes=size(ELEMENTS[:3]), tokens=1000)
HEAD = Head(
    epoch=3, revision=5, model="m", route="r", count=4, chain=chained(b"", ELEMENTS), sent=SENT
)
LEDGER = Ledger(HEAD, ELEMENTS)
NEXT = b'{"role":"user","content":"and then?"}'


def missed(
    ledger: Ledger,
    elements: list[bytes],
    *,
    model: str = "m",
    route: str = "r",
    cached: int = 1000,
    template: str = "",
) -> Miss | None:
    """Returns why a request misses, once the provider has said what it had."""
    history = History("s", reconcile(ledger, elements, template=template))
    history.send([], model=model, route=route, rules=RULES)
    reported = Reported(prompt_tokens=1100, cached_tokens=cached)
    return history.entry([], reported, label="t/1").miss


CAUSES: dict[str, tuple[Reason, tuple[int, int] | None, Ledger, list[bytes], dict[str, Any]]] = {
    "new session": (Reason.NEW_SESSION, None, EMPTY, ELEMENTS, {}),
    "tools": (
        Reason.EPOCH_TOOLS,
        (0, 23),
        LEDGER,
        [TOOLS.replace(b"read", b"rm"), *ELEMENTS[1:]],
        {},
    ),
    "prompt": (
        Reason.EPOCH_PROMPT,
        (1, 16),
        LEDGER,
        [TOOLS, SYSTEM.replace(b"rief", b"old"), ASKED],
        {},
    ),
    "history": (
        Reason.DIVERGENCE,
        (2, 18),
        LEDGER,
        [TOOLS, SYSTEM, ASKED.replace(b"there", b"you")],
        {},
    ),
    "history cut": (Reason.DIVERGENCE, (3, 0), LEDGER, [TOOLS, SYSTEM, ASKED], {}),
    "model": (Reason.EPOCH_MODEL, None, LEDGER, [*ELEMENTS, NEXT], {"model": "other"}),
    "route": (Reason.ROUTED_ELSEWHERE, None, LEDGER, [*ELEMENTS, NEXT], {"route": "other"}),
    "expired": (
        Reason.TTL_EXPIRED,
        None,
        Ledger(replace(HEAD, idle=timedelta(hours=24)), ELEMENTS),
        [*ELEMENTS, NEXT],
        {"cached": 0},
    ),
    "below minimum": (
        Reason.BELOW_MINIMUM,
        None,
        Ledger(replace(HEAD, sent=replace(SENT, tokens=99)), ELEMENTS),
        [*ELEMENTS, NEXT],
        {"cached": 0},
    ),
    "interrupted": (
        Reason.INTERRUPTED,
        None,
        Ledger(replace(HEAD, interrupted=True), ELEMENTS),
        [*ELEMENTS, NEXT],
        {},
    ),
    "evicted by the provider": (
        Reason.EVICTED_BY_PROVIDER,
        None,
        LEDGER,
        [*ELEMENTS, NEXT],
        {"cached": 0},
    ),
    "evicted here": (Reason.EVICTED, None, Ledger(HEAD, ()), [TOOLS, SYSTEM, NEXT, SAID], {}),
}


@pytest.mark.parametrize("cause", list(CAUSES))
def test_row_49_each_cause_has_its_reason_element_and_byte(cause: str):
    reason, place, ledger, elements, others = CAUSES[cause]

    miss = missed(ledger, elements, **others)

    assert miss is not None
    assert miss.reason is reason
    found = miss.difference
    assert ((found.element, found.offset) if found else None) == place


def test_a_difference_is_told_for_people_to_read():
    miss = missed(LEDGER, [TOOLS, SYSTEM, ASKED.replace(b"there", b"you"), SAID])

    assert miss is not None and miss.difference is not None
    assert miss.difference.kind == "user"
    assert "hello there" in miss.difference.ledger
    assert "hello you" in miss.difference.request


def test_nothing_is_missed_when_a_history_goes_on():
    assert missed(LEDGER, [*ELEMENTS, NEXT]) is None


def test_a_compaction_is_an_epoch_of_its_own():
    history = History("s", reconcile(LEDGER, [*ELEMENTS, NEXT]))

    history.compact(
        [TOOLS, SYSTEM, b'{"role":"user","content":"summed up"}'], summary="x", through=4
    )
    history.send([NEXT], model="m", route="r", rules=RULES)
    entry = history.entry([], Reported(prompt_tokens=50, cached_tokens=0), label="t/1")

    assert (entry.epoch, entry.first) == (HEAD.epoch + 1, 0)
    assert entry.miss is not None and entry.miss.reason is Reason.EPOCH_COMPACTION
    history.commit(entry)
    # It is the only divergence: what follows goes on from it.
    history.send([SAID], model="m", route="r", rules=Rules())
    assert history.predicted == 50
    assert history.entry([], Reported(prompt_tokens=60, cached_tokens=50), label="t/2").miss is None


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        pytest.param(
            '{"role":"user","content":"a"}', '{ "content": "a", "role":"user"}', True, id="order"
        ),
        pytest.param(
            '{"role":"user","content":"a"}',
            '{"role":"user","content":[{"type":"text","text":"a"}]}',
            True,
            id="one part",
        ),
        pytest.param(
            '{"role":"user","content":"ab"}',
            '{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}',
            False,
            id="two parts",
        ),
        pytest.param(
            '{"role":"assistant","content":null}',
            '{"role":"assistant","content":""}',
            True,
            id="null and empty",
        ),
        pytest.param(
            '{"role":"assistant","content":"a"}',
            '{"role":"assistant","content":"a","tool_calls":[],"refusal":null}',
            True,
            id="absent",
        ),
        pytest.param(
            '{"role":"user","content":"é"}',
            '{"role":"user","content":"\\u00e9"}',
            True,
            id="escapes",
        ),
        pytest.param(
            '{"role":"user","content":"a"}',
            '{"role":"user","content":"a "}',
            False,
            id="a space in the text",
        ),
        pytest.param(
            '{"role":"user","content":"a"}', '{"role":"system","content":"a"}', False, id="role"
        ),
        pytest.param(
            '{"role":"user","content":{"n":1.0}}',
            '{"role":"user","content":{"n":1}}',
            True,
            id="numbers",
        ),
        pytest.param(
            '{"role":"user","content":{"n":12345678901234567890}}',
            '{"role":"user","content":{"n":12345678901234567000}}',
            False,
            id="a number that was rounded",
        ),
        pytest.param(
            '{"role":"user","content":{"n":true}}',
            '{"role":"user","content":{"n":1}}',
            False,
            id="true is no number",
        ),
        pytest.param(
            '{"role":"user","content":{"n":"1"}}',
            '{"role":"user","content":{"n":1}}',
            False,
            id="nor is a text",
        ),
    ],
)
def test_what_means_the_same_is_the_same(one: str, other: str, alike: bool):
    assert same(one.encode(), other.encode()) is alike
    assert same(other.encode(), one.encode()) is alike


def test_arguments_mean_what_their_json_means():
    def calling(arguments: str) -> bytes:
        call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
        return orjson.dumps({"role": "assistant", "content": None, "tool_calls": [call]})

    assert same(calling('{"a":1,"b":[1.50]}'), calling('{ "b": [1.5], "a" : 1 }'))
    assert not same(calling('{"a":1}'), calling('{"a":2}'))
    assert not same(calling('{"a":1'), calling('{"a":1}'))


def test_marks_of_a_client_are_sent_as_they_are():
    mark = b'"cache_control":{"type":"ephemeral"}'
    marked = b'{"role":"user","content":[{"type":"text","text":"hello there",' + mark + b"}]}"

    opening = reconcile(LEDGER, [TOOLS, SYSTEM, marked, SAID, NEXT])

    assert opening.miss is None
    assert opening.elements[2] == marked


def test_elements_keep_the_bytes_they_came_in():
    assert split(b'[ {"a" : 1.0} , {"b":"\\u00e9"}]') == [b'{"a" : 1.0}', b'{"b":"\\u00e9"}']


def test_what_is_predicted_is_what_the_provider_keeps():
    def predicted(shared: int, rules: Rules) -> int:
        return predict(HEAD, model="m", route="r", shared=shared, rules=rules)[0]

    assert predicted(SENT.bytes, Rules()) == 1000
    assert predicted(SENT.bytes // 2, Rules()) == 1000 * (SENT.bytes // 2) // SENT.bytes
    assert predicted(SENT.bytes, Rules(block=128)) == 896
    assert rules_of("openai", "").minimum == 1024
    assert rules_of("openai", "http://localhost:1/v1") == Rules()
    assert rules_of("openai", "", retention="24h").kept_for == timedelta(hours=24)
    reported = Reported(prompt_tokens=9, cached_tokens=0, reckoned=True)
    assert judge(1000, None, reported) is None


def test_keys_are_a_tenants_own():
    salt, one, other = Salt(b"s" * 32), UUID(int=1), UUID(int=2)

    assert salt.cache_key(one, "s") != salt.cache_key(other, "s")
    assert salt.cache_key(one, "s") == Salt(b"s" * 32).cache_key(one, "s")
    assert salt.cache_key(one, "s") != Salt(b"t" * 32).cache_key(one, "s")
    first = salt.client_session(one, one, "ab", "c")
    assert first != salt.client_session(one, one, "a", "bc")
