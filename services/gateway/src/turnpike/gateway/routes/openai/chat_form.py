"""Answers as chat completions, in chunks or whole."""

import time
from typing import Any

import orjson

from turnpike.gateway.envelopes import openai_error
from turnpike.gateway.forms import Ending, Form, Spent
from turnpike.gateway.problems import ProblemError

_DONE = b"data: [DONE]\n\n"
_END = b"}}]}\n\n"


class ChatChunks(Form):
    """A chat completion as a stream of chunks.

    Args:
        completion: Its id.
        model: What the client called the model.
        with_usage: Whether the client asks for the tokens at the end.
    """

    def __init__(self, completion: str, model: str, *, with_usage: bool) -> None:
        self._head: dict[str, Any] = {
            "id": completion,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        self._with_usage = with_usage
        # All that a word needs beside itself; one write of JSON is for the word alone.
        opening = orjson.dumps(self._head)[:-1] + b',"choices":[{"index":0,"delta":{'
        usage = b'"usage":null,' if with_usage else b""
        start = b"data: {" + usage + opening[1:]
        self._text = start.replace(b'"delta":{', b'"finish_reason":null,"delta":{') + b'"content":'
        self._reasoning = self._text.removesuffix(b'"content":') + b'"reasoning_content":'

    def begin(self) -> bytes:
        """Tells that the assistant speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        """Tells text of the answer."""
        return b"%b%b%b" % (self._text, orjson.dumps(text), _END)

    def reasoning(self, text: str) -> bytes:
        """Tells text of the reasoning, as DeepSeek and vLLM do."""
        return b"%b%b%b" % (self._reasoning, orjson.dumps(text), _END)

    def call(self, index: int, call_id: str, name: str, arguments: str) -> bytes:
        """Tells a part of a call."""
        call: dict[str, Any] = {"index": index, "function": {"arguments": arguments}}
        if call_id or name:
            call |= {"id": call_id, "type": "function"}
            call["function"] = {"name": name, "arguments": arguments}
        return self._chunk({"tool_calls": [call]})

    def end(self, ending: Ending) -> bytes:
        """Tells why it ended, what it used, and that nothing follows."""
        last = self._chunk({}, ending.stop, ending.notes)
        if not self._with_usage:
            return last + _DONE
        usage = {**self._head, "choices": [], "usage": usage_document(ending.spent)}
        return last + _frame(usage) + _DONE

    def fail(self, problem: ProblemError) -> bytes:
        """Tells an error; clients raise it."""
        return _frame(openai_error(problem)) + _DONE

    def _chunk(
        self, delta: dict[str, Any], finish: str | None = None, notes: dict[str, Any] | None = None
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk: dict[str, Any] = {**self._head, "choices": [choice]}
        if self._with_usage:
            chunk["usage"] = None
        if notes:
            chunk["turnpike"] = notes
        return _frame(chunk)


class ChatCompletion(Form):
    """A chat completion, whole."""

    def __init__(self, completion: str, model: str) -> None:
        self.document: dict[str, Any] = {
            "id": completion,
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
        }
        self.failure: ProblemError | None = None
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}

    def text(self, text: str) -> bytes:
        """Keeps text of the answer."""
        self._texts.append(text)
        return b""

    def reasoning(self, text: str) -> bytes:
        """Keeps text of the reasoning."""
        self._thoughts.append(text)
        return b""

    def call(self, index: int, call_id: str, name: str, arguments: str) -> bytes:
        """Keeps a part of a call."""
        call = self._calls.setdefault(
            index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = call["id"] or call_id
        call["function"]["name"] = call["function"]["name"] or name
        call["function"]["arguments"] += arguments
        return b""

    def end(self, ending: Ending) -> bytes:
        """Completes the document."""
        calls = [self._calls[index] for index in sorted(self._calls)]
        text = "".join(self._texts)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": text if text or not calls else None,
            "refusal": None,
        }
        if self._thoughts:
            message["reasoning_content"] = "".join(self._thoughts)
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": ending.stop}
        self.document |= {"choices": [choice], "usage": usage_document(ending.spent)}
        if ending.notes:
            self.document["turnpike"] = ending.notes
        return b""

    def fail(self, problem: ProblemError) -> bytes:
        """Keeps why there is none."""
        self.failure = problem
        return b""


def usage_document(spent: Spent) -> dict[str, Any]:
    """Returns tokens as chat completions tell them."""
    return {
        "prompt_tokens": spent.input_tokens,
        "completion_tokens": spent.output_tokens,
        "total_tokens": spent.input_tokens + spent.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": spent.cached_tokens,
            "cache_write_tokens": spent.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": spent.reasoning_tokens},
    }


def _frame(document: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(document)
