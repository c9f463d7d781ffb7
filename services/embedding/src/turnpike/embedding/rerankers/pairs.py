"""An exported cross-encoder at work."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime import (
    InferenceSession,
    SessionOptions,  # pyright: ignore[reportAttributeAccessIssue] # of a compiled module
)
from tokenizers import Tokenizer

_AT_ONCE = 8


class Pairs:
    """Scores pairs of a question and a text."""

    def __init__(self, folder: Path, *, max_tokens: int) -> None:
        """Takes the folder of an export: `tokenizer.json`, and `model.onnx` or below `onnx`."""
        options = SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        path = next(p for p in (folder / "model.onnx", folder / "onnx/model.onnx") if p.is_file())
        self._session = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = {each.name for each in self._session.get_inputs()}
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # What is cut is what is scored, never what is told; a question is read whole first.
        self._tokenizer.enable_truncation(max_tokens, strategy="longest_first")
        self._tokenizer.enable_padding()

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Returns how well each text matches."""
        found = list[float]()
        for first in range(0, len(texts), _AT_ONCE):
            pairs = [(query, text) for text in texts[first : first + _AT_ONCE]]
            found += self._scored(self._tokenizer.encode_batch(pairs))
        return found

    def _scored(self, encodings: Sequence[Any]) -> list[float]:
        given = {
            "input_ids": [each.ids for each in encodings],
            "attention_mask": [each.attention_mask for each in encodings],
            "token_type_ids": [each.type_ids for each in encodings],
        }
        feed = {
            name: np.asarray(values, np.int64)
            for name, values in given.items()
            if name in self._inputs
        }
        logits: NDArray[Any] = np.asarray(self._session.run(None, feed)[0], np.float32)
        # One score, or those of two classes, of which the last one is "it matches".
        return [float(row[-1]) for row in logits.reshape(len(encodings), -1)]
