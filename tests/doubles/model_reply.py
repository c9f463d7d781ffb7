"""One scripted chat completion, as the OpenAI wire shows it."""

from dataclasses import dataclass
from typing import Any

from tests.doubles.http1 import sse
from tests.doubles.model_prompt import Prompt
from tests.doubles.model_script import Fault, Script


@dataclass
class Reply:
    """One chat completion to be streamed."""

    script: Script
    model: str
    prompt: Prompt
    again: bool
    asked: int
    fault: Fault | None
    most: int | None = None
    """Tokens that its caller allows; a word is one."""

    @property
    def words(self) -> int:
        """How many words its text has."""
        scripted = self.script.number("n", 20)
        return scripted if self.most is None else min(scripted, self.most)

    @property
    def finish(self) -> str:
        """Why it ends."""
        if self.calls:
            return "tool_calls"
        return "stop" if self.words == self.script.number("n", 20) else "length"

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The tool calls to ask for, empty when text is due."""
        tool = self.script.tool(again=self.again, asked=self.asked)
        if tool is None or self.asked >= self.script.rounds:
            return []
        name, arguments = tool
        return [
            {
                "index": index,
                "id": f"call_{self.prompt.digest[:8]}_{self.asked}_{index}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for index in range(self.script.number("calls", 1))
        ]

    @property
    def usage(self) -> dict[str, Any]:
        """The usage block of the reply."""
        words = self.words
        return {
            "prompt_tokens": self.prompt.tokens,
            "completion_tokens": words,
            "total_tokens": self.prompt.tokens + words,
            "prompt_tokens_details": {"cached_tokens": self.prompt.cached},
        }

    @property
    def head(self) -> dict[str, Any]:
        """The fields that every chunk begins with."""
        identity = "c-" + self.prompt.digest[:12]
        return {
            "id": identity,
            "object": "chat.completion.chunk",
            "created": 1,
            "model": self.model,
        }

    def chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        """Returns one event of the stream."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return sse({**self.head, "choices": [choice]})


def opening(reply: Reply) -> list[bytes]:
    """Returns the first events: the role, and the reasoning."""
    thoughts = range(reply.script.number("think"))
    return [
        reply.chunk({"role": "assistant", "content": ""}),
        *(reply.chunk({"reasoning_content": f"^{index} "}) for index in thoughts),
    ]


def call_events(reply: Reply, call: dict[str, Any]) -> list[bytes]:
    """Returns the events of one tool call, its arguments in as many pieces as scripted."""
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    size = max(1, -(-len(arguments) // reply.script.number("pieces", 1)))
    first = {**call, "function": {"name": name, "arguments": ""}}
    pieces = (arguments[start : start + size] for start in range(0, len(arguments), size))
    rest = ({"index": call["index"], "function": {"arguments": piece}} for piece in pieces)
    return [reply.chunk({"tool_calls": [part]}) for part in (first, *rest)]


def whole(reply: Reply) -> dict[str, Any]:
    """Returns the reply as one object, for callers who do not stream."""
    calls = [{k: v for k, v in call.items() if k != "index"} for call in reply.calls]
    words = " ".join(f"~{i}" for i in range(reply.words))
    text = None if calls else reply.script.said or words
    message = {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
    choice = {"index": 0, "message": message, "finish_reason": reply.finish}
    return {
        **reply.head,
        "object": "chat.completion",
        "choices": [choice],
        "usage": reply.usage,
    }
