"""Instructions whose variables have another value by now."""

from uuid import UUID

from turnpike.agent_runtime.models.prompt import Message
from turnpike.agent_runtime.prefix.elements import chained, message_element, tools_element
from turnpike.agent_runtime.prefix.keys import Salt
from turnpike.agent_runtime.prefix.model import Head, Ledger
from turnpike.agent_runtime.tools.toolset import Toolset
from turnpike.agent_runtime.turns.ledgering import Said

NOBODY = UUID(int=0)


def conversation(system: str) -> list[Message]:
    return [Message(role="system", text=system), Message(role="user", text="hello")]


def told(system: str, *, resumed: bool) -> tuple[Said, int]:
    """Returns what a turn says after one whose system prompt was "old", and the epoch then."""
    elements = [tools_element(()), *(message_element(each) for each in conversation("old"))]
    head = Head(epoch=3, revision=1, template="t", count=3, chain=chained(b"", elements))
    said = Said(
        Ledger(head, elements),
        conversation(system),
        Toolset([]),
        template="another",
        salt=Salt(b"s" * 32),
        tenant=NOBODY,
        thread=NOBODY,
        resumed=resumed,
    )
    return said, said.entry([], None, label="").epoch


def test_a_turn_that_goes_on_elsewhere_keeps_the_value_that_it_began_with():
    said, epoch = told("new", resumed=True)

    assert (said.messages[0].text, epoch) == ("old", 3)


def test_the_next_turn_is_told_the_new_value_in_a_new_epoch():
    said, epoch = told("new", resumed=False)

    assert (said.messages[0].text, epoch) == ("new", 4)
