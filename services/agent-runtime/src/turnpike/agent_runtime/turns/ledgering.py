"""What a turn says to its model, and the ledger of its thread beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import orjson

from turnpike.agent_runtime.models.caching import caching_for, provider_behind
from turnpike.agent_runtime.models.prompt import Message, Model, Prompt
from turnpike.agent_runtime.prefix.elements import message_element, tools_element
from turnpike.agent_runtime.prefix.history import History
from turnpike.agent_runtime.prefix.keys import Salt
from turnpike.agent_runtime.prefix.model import Entry, Ledger, Reported
from turnpike.agent_runtime.prefix.predicting import rules_of
from turnpike.agent_runtime.prefix.reconciling import reconcile
from turnpike.agent_runtime.tools.toolset import Toolset
from turnpike.agent_runtime.turns.compacting import Compaction

_NO_TOOLS = b"[]"


class Said:
    """A thread's messages, as they are sent: in their ledgered bytes, and only ever added to."""

    def __init__(
        self,
        ledger: Ledger,
        messages: Sequence[Message],
        toolset: Toolset,
        *,
        template: str,
        salt: Salt,
        tenant: UUID,
        thread: UUID,
        resumed: bool,
        pictures: Mapping[str, str] | None = None,
        compaction: Compaction | None = None,
    ) -> None:
        """Takes the thread's ledger, and its messages as its rows have them.

        A turn that is resumed keeps the tools that its model was shown: one that is there no more
        cannot be run, and a new one waits for the next turn. It keeps its instructions, too, if
        what they name has another value by now.
        """
        tools = tools_element(toolset.definitions)
        if resumed and ledger.elements:
            tools = ledger.elements[0]
            messages = _with_told_system(messages, ledger.elements)
        elements = [tools, *(message_element(message) for message in messages)]
        session = str(thread)
        opening = reconcile(ledger, elements, template=template)
        self.history = History(session, opening, template=template)
        if compaction is not None:
            self.history.compact(elements, summary=compaction.summary, through=compaction.through)
        self._messages = [
            replace(message, wire=element)
            for message, element in zip(messages, self.history.elements[1:], strict=True)
        ]
        self._toolset = toolset
        self._pictures = pictures or {}
        self._salt = salt
        self._cache_key = salt.cache_key(tenant, session)

    @property
    def messages(self) -> Sequence[Message]:
        """What the model is told next."""
        return self._messages

    def add(self, messages: Sequence[Message]) -> None:
        """Adds what was said or answered since."""
        self._messages.extend(
            message if message.wire else replace(message, wire=message_element(message))
            for message in messages
        )

    def prompt(self, model: Model, traceparent: str) -> Prompt:
        """Returns what a model is asked next."""
        caching = caching_for(model, self._cache_key)
        provider = provider_behind(model)
        elements = self.history.send(
            self._unsent(),
            model=model.name,
            route=self._salt.route(model),
            rules=rules_of(provider, model.base_url, retention=caching.retention),
            provider=provider,
        )
        return Prompt(
            model=model,
            messages=tuple(self._messages),
            tools=self._toolset.definitions,
            tools_wire=elements[0] if elements[0] != _NO_TOOLS else b"",
            traceparent=traceparent,
            caching=caching,
            pictures=self._pictures,
        )

    def entry(self, added: Sequence[Message], reported: Reported | None, *, label: str) -> Entry:
        """Returns what a commit writes of what was said since the last one."""
        elements = [message_element(message) for message in added]
        return self.history.entry([*self._unsent(), *elements], reported, label=label)

    def _unsent(self) -> list[bytes]:
        known = len(self.history.elements) - 1
        return [message.wire for message in self._messages[known:]]


def _with_told_system(messages: Sequence[Message], told: Sequence[bytes]) -> Sequence[Message]:
    if not messages or messages[0].role != "system" or len(told) < 2:
        return messages
    system = orjson.loads(told[1])
    if system.get("role") != "system" or not isinstance(system.get("content"), str):
        return messages
    return [replace(messages[0], text=system["content"], wire=told[1]), *messages[1:]]
