"""What a person at a terminal is asked, and what their words mean."""

from typing import Any

import pytest

from turnpike.cli.conversation.asking import asked_at_terminal, decisions_of, lines_of
from turnpike.cli.errors import CommandError

ASKED: dict[str, Any] = {
    "calls": [
        {
            "call_id": "call_1_0",
            "name": "files/write",
            "arguments": {"path": "/etc/hosts"},
            "reason": "policy asks",
            "allowed": ["approve", "edit", "reject"],
        },
        {
            "call_id": "call_1_1",
            "name": "turnpike/ask_person",
            "arguments": {},
            "reason": "the agent asks",
            "allowed": ["answer", "reject"],
        },
    ],
    "questions": [
        {
            "call_id": "call_1_1",
            "id": "when",
            "text": "When?",
            "options": ["now", "later"],
            "url": None,
        }
    ],
}


def test_all_that_is_asked_is_shown():
    shown = "\n".join(lines_of(ASKED))

    for each in ("/etc/hosts", "policy asks", "When?", "- later", "approve, edit, reject"):
        assert each in shown


@pytest.mark.parametrize(
    ("said", "decided"),
    [
        pytest.param(["y"], {"kind": "approve"}, id="a-letter"),
        pytest.param(["reject: not today"], {"kind": "reject", "feedback": "not today"}, id="why"),
        pytest.param(
            ['edit:{"path": "/tmp/a"}'],
            {"kind": "edit", "arguments": {"path": "/tmp/a"}},
            id="other-arguments",
        ),
        pytest.param(
            ['approve_always:{"path": "/tmp/*"}'],
            {"kind": "approve_always", "scope": {"path": "/tmp/*"}},
            id="a-scope",
        ),
    ],
)
def test_words_for_one_call_and_for_the_others(said: list[str], decided: dict[str, Any]):
    first, second = decisions_of(ASKED, ["call_1_1=answer: later", *said])

    assert first == {"call_id": "call_1_1", "kind": "answer", "text": "later"}
    assert second == {"call_id": "call_1_0", **decided}


def test_a_call_that_is_not_asked_about_and_what_is_no_object_are_refused():
    with pytest.raises(CommandError, match="not asked about"):
        decisions_of(ASKED, ["call_9_9=approve"])
    with pytest.raises(CommandError, match="no JSON"):
        decisions_of(ASKED, ["edit:{path}"])


def test_each_call_is_asked_about_until_something_is_said():
    words = iter(["", "y", "answer:now"])

    assert asked_at_terminal(ASKED, lambda _: next(words)) == [
        {"call_id": "call_1_0", "kind": "approve"},
        {"call_id": "call_1_1", "kind": "answer", "text": "now"},
    ]
