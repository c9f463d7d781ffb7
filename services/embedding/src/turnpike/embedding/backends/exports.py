"""Sentence transformers by path, as their authors export them.

What is heavy is imported and read by the loading functions, in the thread that
calls them.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnpike.embedding.specs import LocalSpec

if TYPE_CHECKING:
    from turnpike.embedding.backends.word_pieces import WordPieces
    from turnpike.embedding.engines import Encoder

_WEIGHTS = ("model.onnx", "onnx/model.onnx", "model.safetensors")
_POOLING = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}


class ExportError(Exception):
    """A folder is no export of a sentence transformer that can be run here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What a folder says of its model."""

    name: str
    weights: Path
    tokenizer: Path
    config: dict[str, Any]
    pooling: str
    max_tokens: int
    dimensions: int
    revision: str
    """The SHA-256 of the weights and of the tokenizer."""


def read_export(spec: LocalSpec) -> Export:
    """Reads what a folder says of its model; takes a second for each gigabyte.

    Raises:
        ExportError: It is none that can be run here.
    """
    weights = next((path for each in _WEIGHTS if (path := spec.path / each).is_file()), None)
    tokenizer = spec.path / "tokenizer.json"
    if weights is None or not tokenizer.is_file():
        raise ExportError(f"{spec.path} has no tokenizer.json, or none of {', '.join(_WEIGHTS)}")
    config = _json(spec.path / "config.json")
    if weights.suffix == ".safetensors" and config.get("model_type") != "bert":
        raise ExportError(f"{weights} is no BERT: export it as ONNX")
    pooling = spec.pooling or _pooling(spec.path)
    if weights.suffix == ".safetensors" and pooling == "last":
        raise ExportError(f"{weights}: the last token's vector needs an ONNX export")
    return Export(
        name=spec.name,
        weights=weights,
        tokenizer=tokenizer,
        config=config,
        pooling=pooling,
        max_tokens=spec.max_tokens or _max_tokens(spec.path, config),
        dimensions=_number(config, "hidden_size"),
        revision=f"{sha256_of(weights)}:{sha256_of(tokenizer)}",
    )


def pieces_loader(tokenizer: Path) -> "Callable[[], WordPieces]":
    """Returns what loads a tokenizer."""

    def load() -> "WordPieces":
        from turnpike.embedding.backends.word_pieces import WordPieces

        return WordPieces(tokenizer)

    return load


def encoder_loader(export: Export, threads: int) -> "Callable[[], Encoder]":
    """Returns what loads a model."""

    def load() -> "Encoder":
        if export.weights.suffix == ".safetensors":
            return _drawn(export, threads)
        from turnpike.embedding.backends.onnx_export import OnnxEncoder
        from turnpike.embedding.backends.word_pieces import WordPieces

        padding = WordPieces(export.tokenizer).padding
        return OnnxEncoder(export.weights, pooling=export.pooling, padding=padding, threads=threads)

    return load


def _drawn(export: Export, threads: int) -> "Encoder":
    import numpy as np
    from safetensors.numpy import load_file

    from turnpike.embedding.backends.bert_graph import BertShape, draw
    from turnpike.embedding.backends.encoder import Encoder

    shape = BertShape(
        hidden=export.dimensions,
        heads=_number(export.config, "num_attention_heads"),
        layers=_number(export.config, "num_hidden_layers"),
        epsilon=float(export.config.get("layer_norm_eps", 1e-12)),
        pooling=export.pooling,
    )
    weights = {
        name.removeprefix("bert."): values.astype(np.float32)
        if values.dtype.kind == "f"
        else values
        for name, values in load_file(export.weights).items()
    }
    return Encoder(draw(shape, weights), threads=threads)


def _pooling(folder: Path) -> str:
    config = _json(folder / "1_Pooling" / "config.json")
    return next((pooling for key, pooling in _POOLING.items() if config.get(key)), "mean")


def _max_tokens(folder: Path, config: dict[str, Any]) -> int:
    told = _json(folder / "sentence_bert_config.json").get("max_seq_length")
    return int(told) if told else _number(config, "max_position_embeddings")


def _number(config: dict[str, Any], key: str) -> int:
    if not isinstance(config.get(key), int):
        raise ExportError(f"config.json does not say its {key}")
    return int(config[key])


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes()) if path.is_file() else {}


def sha256_of(path: Path) -> str:
    """Returns a file's SHA-256 as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
