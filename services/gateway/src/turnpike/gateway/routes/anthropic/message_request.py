"""What Anthropic's clients ask for with a message, in the words that models are asked in."""

from typing import Annotated, Any, Literal, cast

import orjson
from pydantic import BaseModel, ConfigDict, Field

from turnpike.api.agent_runtime.v1.completion_service_pb2 import StreamCompletionRequest
from turnpike.gateway.problems import invalid_field
from turnpike.gateway.routes.openai.chat_request import (
    Document,
    Number,
    Tokens,
    read_as,
    read_object,
)
from turnpike.gateway.routes.openai.unsupported import unsupported
from turnpike.gateway.routes.said import AgentInput, said_to_agent
from turnpike.gateway.routes.shapes import Text

_THINKING = frozenset({"thinking", "redacted_thinking"})
# What a client tells Anthropic of itself; it differs from request to request, so that no
# prompt's cache would ever hit, and says nothing to a model.
_BILLING = "x-anthropic-billing-header:"
_BYTES_PER_TOKEN = 4
_CHOICES: dict[str, Any] = {"auto": "auto", "any": "required", "none": "none"}


class _Lenient(BaseModel):
    """Clients of this form send betas; what is not known here asks for nothing here."""

    model_config = ConfigDict(extra="allow", strict=True)


class Said(_Lenient):
    """One message of the conversation."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Document]


class ClientTool(_Lenient):
    """A tool of the client's."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    type: str | None = None
    description: str | None = None
    input_schema: Document | None = None


class MessageRequest(_Lenient):
    """A message to make."""

    model: Annotated[Text, Field(min_length=1, max_length=128)]
    messages: Annotated[list[Said], Field(min_length=1, max_length=10_000)]
    max_tokens: Tokens | None = None
    system: str | list[Document] | None = None
    stream: bool | None = None
    tools: Annotated[list[ClientTool], Field(max_length=1000)] | None = None
    tool_choice: Document | None = None
    temperature: Number | None = None
    top_p: Number | None = None
    stop_sequences: Annotated[list[str], Field(max_length=16)] | None = None

    def for_agent(self) -> AgentInput:
        """Returns what is said to an agent: the last message, which is a user's."""
        if self.tools:
            raise unsupported(["tools"], "an agent's own spec says this")
        last = len(self.messages) - 1
        message, path = self.messages[last], f"messages[{last}]"
        if message.role != "user":
            raise invalid_field(f"{path}.role", "the last message to an agent is a user's")
        return said_to_agent(message.content, f"{path}.content")

    def reckoned(self) -> int:
        """Returns about how many tokens the prompt has: its bytes by four."""
        request = self.for_model("")
        written = [*request.messages, *request.tools]
        return sum(len(each.encode()) for each in written) // _BYTES_PER_TOKEN + 1

    def for_model(self, session: str) -> StreamCompletionRequest:
        """Returns the request for a model's answer."""
        messages: list[Document] = []
        if self.system:
            messages.append({"role": "system", "content": _joined(_instructions(self.system))})
        for number, message in enumerate(self.messages):
            messages += _chat_messages(message, f"messages[{number}]")
        return StreamCompletionRequest(
            model=self.model,
            session=session,
            messages=[orjson.dumps(message).decode() for message in messages],
            tools=[orjson.dumps(_chat_tool(tool)).decode() for tool in self.tools or ()],
            parameters=_parameters(self),
            max_output_tokens=self.max_tokens,
        )


def read_message(body: bytes) -> tuple[MessageRequest, Document]:
    """Returns what is asked for and its document, or raises `ProblemError`."""
    asked, document = read_prompt(body)
    if asked.max_tokens is None:
        raise invalid_field("max_tokens", "Field required")
    return asked, document


def read_prompt(body: bytes) -> tuple[MessageRequest, Document]:
    """Returns what is to be counted and its document, or raises `ProblemError`."""
    document = read_object(body)
    return read_as(MessageRequest, document), document


def _parameters(asked: MessageRequest) -> str:
    parameters: Document = {
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "stop": asked.stop_sequences or None,
    }
    if asked.tool_choice and asked.tools:
        kind = asked.tool_choice.get("type")
        if kind == "tool":
            function = {"name": asked.tool_choice.get("name")}
            parameters["tool_choice"] = {"type": "function", "function": function}
        else:
            parameters["tool_choice"] = _CHOICES.get(str(kind), "auto")
        if asked.tool_choice.get("disable_parallel_tool_use"):
            parameters["parallel_tool_calls"] = False
    given = {name: value for name, value in parameters.items() if value is not None}
    return orjson.dumps(given).decode() if given else ""


def _chat_tool(tool: ClientTool) -> Document:
    if tool.input_schema is None:
        raise unsupported(["tools"], f"{tool.name!r} is a tool that only Anthropic runs")
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description or "",
            "parameters": tool.input_schema,
        },
    }


def _chat_messages(message: Said, path: str) -> list[Document]:
    if isinstance(message.content, str):
        return [{"role": message.role, "content": message.content}]
    if message.role == "assistant":
        return [_assistant(message.content)]
    results: list[Document] = []
    parts: list[Document] = []
    for number, block in enumerate(message.content):
        where = f"{path}.content[{number}]"
        if block.get("type") == "tool_result":
            results.append(_result(block))
            parts += _images(block, where)
        else:
            parts.append(_part(block, where))
    return [*results, {"role": message.role, "content": parts}] if parts else results


def _assistant(blocks: list[Document]) -> Document:
    calls = [
        {
            "id": str(block.get("id", "")),
            "type": "function",
            "function": {
                "name": str(block.get("name", "")),
                "arguments": orjson.dumps(block.get("input") or {}).decode(),
            },
        }
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    text = _joined([block for block in blocks if block.get("type") == "text"])
    said: Document = {"role": "assistant", "content": text or None if calls else text}
    if thinking := [block for block in blocks if _is_signed(block)]:
        # Returned to the provider that signed it, as it stands.
        said["thinking_blocks"] = thinking
    return said | ({"tool_calls": calls} if calls else {})


def _result(block: Document) -> Document:
    content = block.get("content") or ""
    text = content if isinstance(content, str) else _joined(content)
    return {"role": "tool", "tool_call_id": str(block.get("tool_use_id", "")), "content": text}


def _is_signed(block: Document) -> bool:
    return block.get("type") in _THINKING and bool(block.get("signature") or block.get("data"))


def _images(result: Document, path: str) -> list[Document]:
    """Returns a result's images: a tool's own message has room for text alone."""
    content = result.get("content")
    if not isinstance(content, list):
        return []
    return [
        _part(block, f"{path}.content[{number}]")
        for number, block in enumerate(cast("list[Document]", content))
        if block.get("type") == "image"
    ]


def _instructions(system: str | list[Document]) -> str | list[Document]:
    if isinstance(system, str):
        return system
    return [block for block in system if not str(block.get("text", "")).startswith(_BILLING)]


def _part(block: Document, path: str) -> Document:
    kind, source = block.get("type"), block.get("source") or {}
    if kind == "text":
        return {"type": "text", "text": str(block.get("text", ""))}
    if kind == "image" and source.get("type") == "base64":
        url = f"data:{source.get('media_type')};base64,{source.get('data')}"
        return {"type": "image_url", "image_url": {"url": url}}
    if kind == "image" and source.get("type") == "url":
        return {"type": "image_url", "image_url": {"url": source.get("url")}}
    raise unsupported([path], "only text, images and tool results are taken")


def _joined(content: str | list[Document]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(block["text"]) for block in content if isinstance(block.get("text"), str))
