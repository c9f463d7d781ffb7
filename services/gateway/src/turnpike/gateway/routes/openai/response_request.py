"""What OpenAI's clients ask for with a response."""

from typing import Annotated, Any

from pydantic import Field

from turnpike.gateway.problems import invalid_field
from turnpike.gateway.routes.openai.chat_request import (
    Document,
    Number,
    StreamOptions,
    Tokens,
    read_as,
    read_object,
)
from turnpike.gateway.routes.openai.response_ids import CONVERSATION, identifier
from turnpike.gateway.routes.openai.unsupported import refuse_unsupported, unsupported
from turnpike.gateway.routes.said import AgentInput, said_to_agent
from turnpike.gateway.routes.shapes import Request, Text

_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "context_management": ([],),
    "max_tool_calls": (),
    "moderation": (),
    "prompt": (),
    "prompt_cache_options": (),
    "top_logprobs": (0,),
    "truncation": ("disabled", "auto"),
}
_AN_AGENTS_OWN = (
    "instructions",
    "max_output_tokens",
    "parallel_tool_calls",
    "reasoning",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
)


class ResponseRequest(Request):
    """A response to make."""

    model: Annotated[Text, Field(min_length=1, max_length=128)]
    input: str | Annotated[list[Document], Field(min_length=1, max_length=10_000)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    background: bool | None = None
    store: bool | None = None
    previous_response_id: Annotated[str, Field(max_length=128)] | None = None
    conversation: str | Document | None = None
    metadata: dict[str, Any] | None = None
    include: Annotated[list[str], Field(max_length=32)] | None = None
    instructions: str | None = None
    max_output_tokens: Tokens | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Document | None = None
    temperature: Number | None = None
    text: Document | None = None
    tool_choice: str | Document | None = None
    tools: Annotated[list[Document], Field(max_length=1000)] | None = None
    top_p: Number | None = None
    prompt_cache_key: Annotated[str, Field(max_length=512)] | None = None
    prompt_cache_retention: Annotated[str, Field(max_length=32)] | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    service_tier: Annotated[str, Field(max_length=32)] | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    client_metadata: Document | None = Field(default=None, description="Nothing is done with it.")

    def for_agent(self) -> AgentInput:
        """Returns what is said to an agent: the last user's message."""
        self.check_for_agent()
        if isinstance(self.input, str):
            return said_to_agent(self.input, "input", self.metadata)
        path, content = _last_said(self.input)
        return said_to_agent(content, path, self.metadata)

    def check_for_agent(self) -> None:
        """Refuses what no agent is told."""
        refused = [name for name in _AN_AGENTS_OWN if getattr(self, name)]
        if refused:
            raise unsupported(refused, "an agent's own spec says this")
        if self.store is False:
            raise unsupported(["store"], "what an agent answers is always kept")

    @property
    def thread(self) -> str:
        """The thread of the conversation that is named; empty for none."""
        named = self.conversation
        if isinstance(named, dict):
            named = named.get("id")
        if named is None:
            return ""
        return identifier(str(named), CONVERSATION, "conversation")


def read_response(body: bytes) -> tuple[ResponseRequest, Document]:
    """Returns what is asked for and its document, or raises `ProblemError`."""
    document = read_object(body)
    refuse_unsupported(document, _UNSUPPORTED)
    asked = read_as(ResponseRequest, document)
    if asked.previous_response_id and asked.conversation:
        raise invalid_field("conversation", "not together with previous_response_id")
    return asked, document


def _last_said(items: list[Document]) -> tuple[str, Any]:
    """Returns the last message's content, and where it is."""
    last = len(items) - 1
    item = items[last]
    path = f"input[{last}]"
    kind = item.get("type", "message")
    if kind != "message" or item.get("role") != "user":
        raise invalid_field(path, "the last item to an agent is a user's message")
    return f"{path}.content", item.get("content")
