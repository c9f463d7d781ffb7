"""Which models there are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from turnpike.embedding.batcher import Batcher
from turnpike.embedding.lazy import Lazy
from turnpike.embedding.model import InputType, ModelNotFoundError

if TYPE_CHECKING:
    from turnpike.embedding.backends.word_pieces import WordPieces

DEFAULT = "default"
_NO_PROMPTS: Mapping[InputType, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingModel:
    """A model, and the way to it."""

    name: str
    dimensions: int
    max_tokens: int
    pieces: "Lazy[WordPieces]"
    batcher: Batcher
    identity: str
    """What a vector depends on beside its text: weights, tokenizer, pooling, limit."""

    prompts: Mapping[InputType, str] = field(default_factory=lambda: _NO_PROMPTS)
    """What a text begins with, by its use."""

    input_price: int = 0
    """Millionths of a US dollar for a million tokens."""

    counts_exactly: bool = True
    """Whether tokens are counted by the model's own tokenizer."""

    def prompt(self, input_type: InputType) -> str:
        """Returns what a text of a use begins with."""
        return self.prompts.get(input_type, "")


class Catalogue:
    """The models, by name; one of them is the default."""

    def __init__(self, models: Iterable[EmbeddingModel], *, default: str) -> None:
        self._models = {model.name: model for model in models}
        self._default = default

    def find(self, name: str) -> EmbeddingModel:
        """Returns a model by its name, `default` or none; raises `ModelNotFoundError`."""
        found = self._models.get(self._default if name in ("", DEFAULT) else name)
        if found is None:
            raise ModelNotFoundError(name)
        return found
