"""A client's conversation and its prefix ledger, about one call."""

from collections.abc import Sequence
from datetime import timedelta
from time import monotonic

import orjson

from turnpike.agent_runtime.completions.model import Question, Told
from turnpike.agent_runtime.models.caching import caching_for
from turnpike.agent_runtime.models.prompt import Caching, Message, Model, Prompt, ToolUse
from turnpike.agent_runtime.models.thoughts import author
from turnpike.agent_runtime.prefix.clients import Asking, Begun, ClientSessions
from turnpike.agent_runtime.prefix.elements import reply_element
from turnpike.agent_runtime.prefix.model import Reported
from turnpike.telemetry import traceparent

_NO_TOOLS = b"[]"


class Kept:
    """Sends a question in its ledgered bytes, and keeps what came of it.

    Without a session it goes out as it came, and nothing is kept.
    """

    def __init__(self, sessions: ClientSessions, question: Question, model: Model) -> None:
        self._sessions = sessions
        self._question = question
        self._model = model
        self._begun: Begun | None = None
        self._asked_at = monotonic()

    async def begin(self) -> Prompt:
        """Returns what the model is asked."""
        question = self._question
        if not question.session:
            return self._prompt(question.tools, question.messages, Caching())
        asking = Asking(
            tenant=question.tenant,
            principal=question.principal,
            given=question.session,
            request=str(question.id),
            model=self._model,
            tools=question.tools or _NO_TOOLS,
            messages=question.messages,
        )
        begun = self._begun = await self._sessions.begin(asking)
        caching = caching_for(self._model, begun.cache_key)
        return self._prompt(begun.tools, begun.messages, caching)

    def end(self, told: Told) -> None:
        """Keeps the answer, in the background."""
        begun = self._begun
        if begun is None:
            return
        if not told.pieces:
            self._sessions.abandon(begun)
            return
        uses = [
            ToolUse(id=call[0], name=call[1], arguments=call[2])
            for _, call in sorted(told.calls.items())
        ]
        used, reckoned = told.used(self._question.size)
        self._sessions.commit(
            begun,
            reply=reply_element(
                "".join(told.text), uses, told.thoughts.document(author(self._model))
            ),
            reported=Reported(
                prompt_tokens=used.input_tokens,
                cached_tokens=used.cached_tokens,
                first_delta=timedelta(seconds=told.first_at - self._asked_at),
                reckoned=reckoned,
            ),
            interrupted=not told.ended,
        )

    def _prompt(self, tools: bytes, messages: Sequence[bytes], caching: Caching) -> Prompt:
        question = self._question
        return Prompt(
            model=self._model,
            messages=tuple(_message(message) for message in messages),
            tools=(),
            tools_wire=tools if tools != _NO_TOOLS else b"",
            parameters=question.parameters,
            caching=caching,
            traceparent=traceparent(),
        )


def _message(wire: bytes) -> Message:
    document = orjson.loads(wire)
    content = document.get("content")
    return Message(
        role=document.get("role", "user"),
        text=content if isinstance(content, str) else "",
        call_id=document.get("tool_call_id") or "",
        wire=wire,
    )
