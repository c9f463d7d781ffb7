"""Answers as responses: their events, and the document that these add up to."""

from collections.abc import Sequence
from typing import Any

import orjson

from turnpike.gateway.envelopes import openai_error
from turnpike.gateway.forms import Asked, Ending, Form
from turnpike.gateway.problems import ProblemError
from turnpike.gateway.routes.openai.response_documents import usage_document
from turnpike.gateway.routes.openai.response_ids import request_id

# A number of the log becomes so many of the stream: more than any event of the
# log is told in. So a stream can be resumed from its log alone, by whoever.
NUMBERS = 64

# Two events each, and some for what was open and for the end.
_MOST_REQUESTS = NUMBERS // 2 - 3

_NO_USAGE: dict[str, Any] = {"annotations": [], "logprobs": []}


class ResponseForm(Form):
    """A response as it comes. Only what comes after a number is told.

    Args:
        document: The response at its beginning.
        base: What its items' ids are made of.
        after: The last number that the client has.
        kept: Whether it can be read again; otherwise it fails with its stream.
    """

    def __init__(
        self, document: dict[str, Any], base: str, *, after: int = -1, kept: bool = True
    ) -> None:
        self.document = document
        self.failure: ProblemError | None = None
        self._base = base
        self._after = after
        self._kept = kept
        self._next = 0
        self._step = 0
        self._items: list[dict[str, Any]] = document["output"]
        self._open: dict[str, Any] | None = None
        self._open_step = 0
        self._parts: list[str] = []
        self._made: dict[str, dict[str, Any]] = {}
        """The agent's own calls that have not ended, told or not, by their ids."""

        self._calls: dict[str, int] = {}
        self.asks = False
        """Whether somebody is to say yes or no to calls that were told."""

    def at(self, seq: int) -> None:
        """Numbers what follows by the log's event."""
        self._next = seq * NUMBERS

    def begin(self) -> bytes:
        """Tells that there is a response, and that it is worked on."""
        return self._of_response("response.created") + self._of_response("response.in_progress")

    def step(self, number: int) -> bytes:
        """Begins items of their own for a step."""
        self._step = number
        return b""

    def text(self, text: str) -> bytes:
        """Tells text of the answer."""
        return self._ensure("message") + self._delta("response.output_text.delta", text)

    def reasoning(self, text: str) -> bytes:
        """Tells text of the reasoning."""
        return self._ensure("reasoning") + self._delta("response.reasoning_text.delta", text)

    def call(self, index: int, call_id: str, name: str, arguments: str) -> bytes:
        """Tells a part of a call that the client is to make."""
        told = b""
        if (call_id or name) and not self._tells(index):
            item = {
                "id": f"fc_{self._base}_{index}",
                "type": "function_call",
                "call_id": call_id,
                "name": name,
                "arguments": "",
                "status": "in_progress",
            }
            told = self._close() + self._add(item)
        return told + self._delta("response.function_call_arguments.delta", arguments)

    def _tells(self, index: int) -> bool:
        """Tells whether the open item is a call; some servers repeat its id in each part."""
        return self._open is not None and self._open["id"] == f"fc_{self._base}_{index}"

    def requested(self, call_id: str, name: str, arguments: str) -> bytes:
        """Tells a call that the agent makes."""
        connector, _, tool = name.partition("/")
        self._made[call_id] = {
            "id": f"mcp_{self._base}_{call_id}",
            "type": "mcp_call",
            "server_label": connector,
            "name": tool,
            "arguments": arguments,
            "approval_request_id": None,
            "output": None,
            "error": None,
            "status": "in_progress",
        }
        # Told once it runs: until then somebody may be asked whether it does.
        return b""

    def started(self, call_id: str) -> bytes:
        """Tells a call that the agent makes."""
        item = self._made.get(call_id)
        if item is None or call_id in self._calls:
            return b""
        arguments, item["arguments"] = item["arguments"], ""
        told = self._close() + self._add(item)
        self._calls[call_id] = index = len(self._items) - 1
        self._open = None
        where = {"item_id": item["id"], "output_index": index}
        item["arguments"] = arguments
        return b"".join(
            [
                told,
                self._event("response.mcp_call.in_progress", where),
                self._event("response.mcp_call_arguments.delta", where | {"delta": arguments}),
                self._event("response.mcp_call_arguments.done", where | {"arguments": arguments}),
            ]
        )

    def finished(self, call_id: str, outcome: str, result: str) -> bytes:
        """Tells how a call ended that the agent made."""
        if call_id not in self._made:
            return b""
        told = self.started(call_id)
        item, index = self._made.pop(call_id), self._calls.pop(call_id)
        fine = outcome == "OK"
        item["output"], item["error"] = (result, None) if fine else (None, result or outcome)
        item["status"] = "completed" if fine else "failed"
        where = {"item_id": item["id"], "output_index": index}
        ended = "response.mcp_call.completed" if fine else "response.mcp_call.failed"
        done = {"output_index": index, "item": item}
        return told + self._event(ended, where) + self._event("response.output_item.done", done)

    def asked(self, approval: str, calls: Sequence[Asked]) -> bytes:
        """Tells calls of which somebody is to say yes or no, each once."""
        told = self._close()
        known = {item["id"] for item in self._items}
        for number, call in enumerate(calls):
            self.asks = True
            connector, _, tool = call.name.partition("/")
            item = {
                "id": request_id(approval, call.call_id),
                "type": "mcp_approval_request",
                "server_label": connector,
                "name": tool,
                "arguments": call.arguments,
            }
            if item["id"] not in known:
                told += self._tell_request(item, told=number < _MOST_REQUESTS)
        return told

    def decided(self, approval: str, call_id: str, arguments: str) -> None:
        """Hears what was said of a call."""
        self.asks = False
        if item := self._made.get(call_id):
            item["approval_request_id"] = request_id(approval, call_id)
            item["arguments"] = arguments or item["arguments"]

    def forget(self) -> None:
        """Forgets what was told so far, but for the calls that have not ended."""
        self._items.clear()
        self._calls.clear()
        self._open = None
        self.asks = False

    def end(self, ending: Ending) -> bytes:
        """Tells that the response is complete, or that its turn waits for somebody."""
        told = self._close()
        self.document["usage"] = usage_document(ending.spent)
        if ending.notes:
            self.document["turnpike"] = ending.notes
        if ending.notes and ending.notes.get("status") == "WAITING":
            if self.asks:
                # As OpenAI has it: what was asked is answered by another response.
                self.document["status"] = "completed"
                return told + self._of_response("response.completed")
            # No terminal event: the stream goes on where it is resumed.
            return told + self._of_response("response.in_progress")
        if ending.stop in ("length", "content_filter"):
            reason = "max_output_tokens" if ending.stop == "length" else ending.stop
            self.document |= {"status": "incomplete", "incomplete_details": {"reason": reason}}
            return told + self._of_response("response.incomplete")
        self.document["status"] = "completed"
        return told + self._of_response("response.completed")

    def fail(self, problem: ProblemError) -> bytes:
        """Tells why it ends here: the response itself, or this stream of it."""
        if problem.reason in ("SUPERSEDED", "UNAVAILABLE"):
            self.failure = problem
            error = openai_error(problem)["error"]
            kept = {name: error[name] for name in ("code", "message", "param")}
            return self._event("error", kept)
        if not self._kept:
            self.failure = problem
        told = self._close("incomplete")
        if problem.reason == "CANCELLED":
            self.document["status"] = "cancelled"
            return told + self._of_response("response.incomplete")
        code = "rate_limit_exceeded" if problem.status == 429 else "server_error"
        error = {"code": code, "message": problem.detail, "reason": problem.reason}
        self.document |= {"status": "failed", "error": error}
        return told + self._of_response("response.failed")

    def _tell_request(self, item: dict[str, Any], *, told: bool) -> bytes:
        self._items.append(item)
        # Of very many calls the response has those for which the event has no numbers left.
        if not told:
            return b""
        where = {"output_index": len(self._items) - 1, "item": item}
        added = self._event("response.output_item.added", where)
        return added + self._event("response.output_item.done", where)

    def _ensure(self, kind: str) -> bytes:
        """Opens the step's item of a kind, unless it is open."""
        if self._open is not None and (self._open["type"], self._open_step) == (kind, self._step):
            return b""
        self._open_step = self._step
        prefix = "msg" if kind == "message" else "rs"
        identity = f"{prefix}_{self._base}_{self._step}"
        if any(item["id"] == identity for item in self._items):
            identity += f"_{len(self._items)}"
        item: dict[str, Any] = {"id": identity, "type": kind, "status": "in_progress"}
        if kind == "message":
            item |= {"role": "assistant", "content": []}
        else:
            item |= {"summary": [], "content": []}
        told = self._close() + self._add(item)
        return told + self._event("response.content_part.added", self._part() | self._where(0))

    def _add(self, item: dict[str, Any]) -> bytes:
        self._items.append(item)
        self._open, self._parts = item, []
        return self._event(
            "response.output_item.added", {"output_index": len(self._items) - 1, "item": item}
        )

    def _delta(self, kind: str, text: str) -> bytes:
        self._parts.append(text)
        fields: dict[str, Any] = {"delta": text}
        if kind == "response.output_text.delta":
            fields["logprobs"] = []
        call = kind.startswith("response.function_call")
        return self._event(kind, fields | self._where(None if call else 0))

    def _close(self, status: str = "completed") -> bytes:
        """Tells that the open item is done, if there is one."""
        item = self._open
        if item is None:
            return b""
        text, item["status"] = "".join(self._parts), status
        if item["type"] == "function_call":
            item["arguments"] = text
            fields = {"arguments": text, "name": item["name"]} | self._where(None)
            told = self._event("response.function_call_arguments.done", fields)
        else:
            part = self._part(text)
            item["content"] = [part["part"]]
            written = "output_text" if item["type"] == "message" else "reasoning_text"
            fields = {"text": text} | self._where(0)
            if written == "output_text":
                fields["logprobs"] = []
            told = self._event(f"response.{written}.done", fields)
            told += self._event("response.content_part.done", part | self._where(0))
        done = {"output_index": len(self._items) - 1, "item": item}
        told += self._event("response.output_item.done", done)
        self._open = None
        return told

    def _part(self, text: str = "") -> dict[str, Any]:
        if self._open and self._open["type"] == "message":
            return {"part": {"type": "output_text", "text": text} | _NO_USAGE}
        return {"part": {"type": "reasoning_text", "text": text}}

    def _where(self, content: int | None) -> dict[str, Any]:
        where: dict[str, Any] = {"output_index": len(self._items) - 1}
        if self._open is not None:
            where["item_id"] = self._open["id"]
        if content is not None:
            where["content_index"] = content
        return where

    def _of_response(self, kind: str) -> bytes:
        return self._event(kind, {"response": self.document})

    def _event(self, kind: str, fields: dict[str, Any]) -> bytes:
        number = self._next
        self._next += 1
        if number <= self._after:
            return b""
        document = {"type": kind, "sequence_number": number, **fields}
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(document))
