"""Which models there are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from turnpike.embedding.batcher import Batcher
from turnpike.embedding.lazy import Lazy
from turnpike.embedding.model import InputType, ModelNotFoundError, ModelReplacedError

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

    @property
    def stored_identity(self) -> bytes:
        """What tells its vectors of documents from any other model's.

        What questions begin with is not in it: no stored vector depends on that.
        """
        begins = self.prompt(InputType.DOCUMENT)
        parts = (self.identity, begins, str(self.max_tokens), str(self.dimensions))
        return sha256("\0".join(parts).encode()).digest()

    def prompt(self, input_type: InputType) -> str:
        """Returns what a text of a use begins with."""
        return self.prompts.get(input_type, "")


class Catalogue:
    """The models, by name; one of them is the default."""

    def __init__(self, models: Iterable[EmbeddingModel], *, default: str) -> None:
        self._models = {model.name: model for model in models}
        self._default = default
        self._keys: dict[str, str] = {}

    def find(self, name: str) -> EmbeddingModel:
        """Returns a model by its name, `default` or none; raises `ModelNotFoundError`."""
        found = self._models.get(self._default if name in ("", DEFAULT) else name)
        if found is None:
            raise ModelNotFoundError(name)
        return found

    def names(self) -> dict[str, EmbeddingModel]:
        """Returns every model by its name."""
        return dict(self._models)

    def set_keys(self, keys: Mapping[str, str]) -> None:
        """Says under which keys the models' vectors are kept, by their names."""
        self._keys = dict(keys)

    def key(self, name: str) -> str:
        """Returns the key that a model's vectors are kept under; raises `ModelNotFoundError`."""
        found = self.find(name).name
        return self._keys.get(found, found)

    def kept_under(self, key: str) -> EmbeddingModel:
        """Returns the model whose vectors are kept under a key.

        Raises:
            ModelNotFoundError: There is none of its name.
            ModelReplacedError: The one of its name is another.
        """
        name = name_of(key)
        if self.key(name) != key:
            raise ModelReplacedError(name)
        return self.find(name)


def name_of(key: str) -> str:
    """Returns the name of the model whose vectors are kept under a key."""
    return key.partition("@")[0]
