"""The models that an operator configures."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Price = Annotated[int, Field(ge=0, le=900_000_000)]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    query_prompt: str = ""
    """What a question begins with, before it is embedded."""

    document_prompt: str = ""
    """What a text to be found begins with."""

    input_price: Price = 0
    """Millionths of a US dollar for a million tokens."""


class LocalSpec(_Spec):
    """An export of a sentence transformer, which runs in this process."""

    kind: Literal["local"]
    path: Path
    """Its folder: `tokenizer.json`, and `model.onnx`, `onnx/model.onnx` or `model.safetensors`."""

    pooling: Literal["mean", "cls", "last"] | None = None
    """How a text's vector comes from its tokens'; as the export says where it is not set."""

    max_tokens: Annotated[int, Field(ge=32, le=131_072)] | None = None
    """How many tokens a text may have; as the export says where it is not set."""


class ProviderSpec(_Spec):
    """A model of a provider, over the network."""

    kind: Literal["openai", "litellm"]
    """`openai` speaks OpenAI's wire itself; `litellm` speaks to whatever that knows."""

    provider: str = ""
    """litellm's name of the provider."""

    model: str
    """The provider's name of the model."""

    base_url: str = ""
    api_key: SecretStr = SecretStr("")
    dimensions: Annotated[int, Field(ge=1, le=16_000)]
    max_tokens: Annotated[int, Field(ge=32, le=131_072)] = 8191
    max_inputs: Annotated[int, Field(ge=1, le=2048)] = 256
    """How many texts one call may bring."""

    max_call_tokens: Annotated[int, Field(ge=1)] = 100_000
    """How many tokens one call may bring."""

    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    """How many calls there may be at a time; one of them is for queries alone."""

    timeout: Annotated[float, Field(gt=0)] = 60
    """Seconds that a call may take."""

    shortens: bool = False
    """Whether the provider is told how many dimensions to answer with."""

    tokenizer: Path | None = None
    """The model's `tokenizer.json`. Without it tokens are counted as the default model's."""


Spec: TypeAlias = Annotated[LocalSpec | ProviderSpec, Field(discriminator="kind")]


class _Reranker(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    timeout: Annotated[float, Field(gt=0, le=60)] = 0.5
    """Seconds that it may take; later, what was found keeps its order."""

    candidates: Annotated[int, Field(ge=2, le=1000)] = 50
    """How many of what was found it reads."""


class LocalReranker(_Reranker):
    """An export of a cross-encoder, which runs in this process."""

    kind: Literal["local"]
    path: Path
    """Its folder: `tokenizer.json`, and `model.onnx` or `onnx/model.onnx`."""

    max_tokens: Annotated[int, Field(ge=32, le=131_072)] = 512
    """How many tokens of a question and a text it reads together."""


class WireReranker(_Reranker):
    """A reranker over HTTP, in Cohere's and Jina's form."""

    kind: Literal["http"]
    url: str
    """Where it is asked: `https://api.jina.ai/v1/rerank`."""

    model: str = ""
    api_key: SecretStr = SecretStr("")


class LitellmReranker(_Reranker):
    """A reranker of a provider that litellm knows."""

    kind: Literal["litellm"]
    provider: Annotated[str, Field(min_length=1)]
    """As litellm calls it: `cohere`, `voyage`, `together_ai`, `deepinfra` …"""

    model: Annotated[str, Field(min_length=1)]
    base_url: str = ""
    api_key: SecretStr = SecretStr("")


RerankerSpec: TypeAlias = Annotated[
    LocalReranker | WireReranker | LitellmReranker, Field(discriminator="kind")
]
