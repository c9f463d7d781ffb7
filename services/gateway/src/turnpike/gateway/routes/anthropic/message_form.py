"""Answers as Anthropic's messages, as they come or whole."""

from typing import Any

import orjson

from turnpike.gateway.envelopes import anthropic_error
from turnpike.gateway.forms import Ending, Form, Spent
from turnpike.gateway.problems import ProblemError

_STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


class MessageForm(Form):
    """A message as it comes; `document` is the message, whole in the end.

    Args:
        message: Its id.
        model: What the client called the model.
    """

    def __init__(self, message: str, model: str) -> None:
        self.failure: ProblemError | None = None
        self.document: dict[str, Any] = {
            "id": message,
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_document(Spent()),
        }
        self._blocks: list[dict[str, Any]] = self.document["content"]
        self._open = ""
        self._parts: list[str] = []
        self._signature = ""

    def begin(self) -> bytes:
        """Tells that a message is coming."""
        return _frame("message_start", {"message": self.document}) + _frame("ping", {})

    def text(self, text: str) -> bytes:
        """Tells text of the answer."""
        opened = self._ensure("text", {"type": "text", "text": ""})
        return opened + self._delta({"type": "text_delta", "text": text}, text)

    def reasoning(self, text: str) -> bytes:
        """Tells text of the thinking."""
        opened = self._ensure("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        return opened + self._delta({"type": "thinking_delta", "thinking": text}, text)

    def signature(self, signature: str) -> bytes:
        """Tells the signature of the thinking before it."""
        if self._open != "thinking":
            return b""
        self._signature += signature
        return self._delta({"type": "signature_delta", "signature": signature}, "")

    def call(self, index: int, call_id: str, name: str, arguments: str) -> bytes:
        """Tells a part of a call that the client is to make."""
        block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
        opened = self._ensure(f"call {index}", block)
        if not arguments:
            return opened
        return opened + self._delta(
            {"type": "input_json_delta", "partial_json": arguments}, arguments
        )

    def end(self, ending: Ending) -> bytes:
        """Tells why it ended, and what it used."""
        told = self._close()
        usage = usage_document(ending.spent)
        stop = {"stop_reason": _STOPS[ending.stop], "stop_sequence": None}
        self.document |= stop | {"usage": usage}
        fields: dict[str, Any] = {"delta": stop, "usage": usage}
        if ending.notes:
            self.document["turnpike"] = fields["turnpike"] = ending.notes
        return told + _frame("message_delta", fields) + _frame("message_stop", {})

    def fail(self, problem: ProblemError) -> bytes:
        """Tells an error; clients raise it."""
        self.failure = problem
        return _frame("error", {"error": anthropic_error(problem)["error"]})

    def _ensure(self, what: str, block: dict[str, Any]) -> bytes:
        if self._open == what:
            return b""
        told = self._close()
        self._open, self._parts, self._signature = what, [], ""
        self._blocks.append(block)
        fields = {"index": len(self._blocks) - 1, "content_block": block}
        return told + _frame("content_block_start", fields)

    def _delta(self, delta: dict[str, Any], text: str) -> bytes:
        self._parts.append(text)
        return _frame("content_block_delta", {"index": len(self._blocks) - 1, "delta": delta})

    def _close(self) -> bytes:
        if not self._open:
            return b""
        block, text = self._blocks[-1], "".join(self._parts)
        if block["type"] == "tool_use":
            block["input"] = _input(text)
        else:
            block["text" if block["type"] == "text" else "thinking"] = text
            if block["type"] == "thinking":
                block["signature"] = self._signature
        self._open = ""
        return _frame("content_block_stop", {"index": len(self._blocks) - 1})


def usage_document(spent: Spent) -> dict[str, Any]:
    """Returns tokens as messages tell them: the cached ones are not among the input's."""
    cached = spent.cached_tokens + spent.cache_write_tokens
    return {
        "input_tokens": max(spent.input_tokens - cached, 0),
        "output_tokens": spent.output_tokens,
        "cache_read_input_tokens": spent.cached_tokens,
        "cache_creation_input_tokens": spent.cache_write_tokens,
    }


def _input(arguments: str) -> Any:
    try:
        found = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return {"arguments": arguments}
    return found if isinstance(found, dict) else {"arguments": arguments}


def _frame(kind: str, fields: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))
