"""What OpenAI's clients ask for with a chat completion."""

from typing import Annotated, Any, Literal, TypeVar, cast

import orjson
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from turnpike.gateway.problems import invalid, invalid_field
from turnpike.gateway.routes.faults import faults_of
from turnpike.gateway.routes.openai.unsupported import refuse_unsupported, unsupported
from turnpike.gateway.routes.said import AgentInput, said_to_agent
from turnpike.gateway.routes.shapes import OTHER, TEXT, Request, Text, kind_of

UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "moderation": (),
    "n": (1,),
    "prediction": (),
    "prompt_cache_options": (),
    "store": (False,),
    "top_logprobs": (0,),
    "web_search_options": (),
}
# What is told to a model as it stands; an agent's own spec says it for an agent.
PARAMETERS = (
    "frequency_penalty",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "temperature",
    "tool_choice",
    "top_p",
    "user",
    "verbosity",
)
_HARMLESS_TO_AGENTS = frozenset(
    {"prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "user"}
)

Number = Annotated[float, Field(allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=1, le=10_000_000)]
Document = dict[str, Any]
Asked = TypeVar("Asked", bound=BaseModel)


class _Lenient(BaseModel):
    """A part that may have fields which only its model's provider knows."""

    model_config = ConfigDict(extra="allow", strict=True)


class FunctionCall(_Lenient):
    """The function of a call, as a model wrote it."""

    name: Annotated[str, Field(max_length=256)]
    arguments: str


class ToolCall(_Lenient):
    """A call that a model asked for."""

    id: Annotated[str, Field(max_length=512)]
    type: Literal["function"] = "function"
    function: FunctionCall


class ChatMessage(_Lenient):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Document] | None = None
    tool_calls: Annotated[list[ToolCall], Field(max_length=1024)] | None = None
    tool_call_id: Annotated[str, Field(max_length=512)] | None = None


class FunctionTool(_Lenient):
    """A function that the client can run."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    description: str | None = None
    parameters: Document | None = None


class ChatTool(_Lenient):
    """A tool of the client's."""

    type: Literal["function"]
    function: FunctionTool


class StreamOptions(Request):
    """What a stream shall say beside the answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = Field(default=None, description="Nothing is added.")


class ChatRequest(Request):
    """A chat completion to make."""

    model: Annotated[Text, Field(min_length=1, max_length=128)]
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=10_000)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: Annotated[list[ChatTool], Field(max_length=1000)] | None = None
    tool_choice: Literal["none", "auto", "required"] | Document | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: Number | None = None
    top_p: Number | None = None
    frequency_penalty: Number | None = None
    presence_penalty: Number | None = None
    seed: int | None = None
    stop: (
        Annotated[
            Annotated[str, Tag(TEXT)] | Annotated[list[str], Field(max_length=16), Tag(OTHER)],
            Discriminator(kind_of),
        ]
        | None
    ) = None
    response_format: Document | None = None
    reasoning_effort: Annotated[str, Field(max_length=32)] | None = None
    verbosity: Annotated[str, Field(max_length=32)] | None = None
    service_tier: Annotated[str, Field(max_length=32)] | None = None
    prompt_cache_key: Annotated[str, Field(max_length=512)] | None = None
    prompt_cache_retention: Annotated[str, Field(max_length=32)] | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    metadata: dict[str, Any] | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream shall say what was used."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def input(self) -> AgentInput:
        """Returns what is said to an agent: the last message, which is a user's.

        The messages before it are the thread's to know; an agent has its
        instructions, its tools and its parameters from its spec.
        """
        refused = [
            name
            for name in (*PARAMETERS, "tools", "max_tokens", "max_completion_tokens")
            if name not in _HARMLESS_TO_AGENTS and getattr(self, name)
        ]
        if refused:
            raise unsupported(refused, "an agent's own spec says this")
        last = len(self.messages) - 1
        message = self.messages[last]
        if message.role != "user":
            raise invalid_field(
                f"messages[{last}].role", "the last message to an agent is a user's"
            )
        return said_to_agent(message.content, f"messages[{last}].content", self.metadata)

    def parameters(self) -> dict[str, Any]:
        """Returns what is told to a model beside its messages and tools."""
        given = self.model_dump(include=set(PARAMETERS), exclude_none=True)
        return {name: given[name] for name in PARAMETERS if name in given}


def read_chat(body: bytes) -> tuple[ChatRequest, Document]:
    """Returns what is asked for, and the document that asks for it.

    Raises:
        ProblemError: It is not valid, or asks for what cannot be had.
    """
    document = read_object(body)
    refuse_unsupported(document, UNSUPPORTED)
    return read_as(ChatRequest, document), document


def read_object(body: bytes) -> Document:
    """Returns a body that is a JSON object, or raises `ProblemError`."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise invalid_field("", "the body is not JSON") from None
    if not isinstance(document, dict):
        raise invalid_field("", "a JSON object is needed as the body")
    return cast("Document", document)


def read_as(model: type[Asked], document: Document, at: tuple[str | int, ...] = ()) -> Asked:
    """Returns a document, which a request has `at` a place, as what it asks for.

    Raises:
        ProblemError: It asks for nothing sensible.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise invalid(faults_of([{**each, "loc": (*at, *each["loc"])} for each in found])) from None
