"""An exported ONNX model at work."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime import (
    InferenceSession,
    SessionOptions,  # pyright: ignore[reportAttributeAccessIssue] # of a compiled module
)

_POOLED = "sentence_embedding"
_TOKENS_AXES = 3


class OnnxEncoder:
    """Turns token sequences into vectors of length 1. Safe to use from several threads."""

    def __init__(self, path: Path, *, pooling: str, padding: int, threads: int) -> None:
        options = SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False
        self._session = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = {each.name for each in self._session.get_inputs()}
        names = [each.name for each in self._session.get_outputs()]
        self._output = _POOLED if _POOLED in names else names[0]
        self._pooling = pooling
        self._padding = padding

    def encode(self, sequences: Sequence[Sequence[int]], width: int) -> list[bytes]:
        """Returns the vector of each sequence, little-endian 32-bit floats."""
        ids = np.full((len(sequences), width), self._padding, np.int64)
        mask = np.zeros_like(ids)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        feed = {name: values for name, values in given.items() if name in self._inputs}
        (states,) = self._session.run([self._output], feed)
        rows: NDArray[Any] = np.asarray(states, np.float32)
        lengths = [len(sequence) for sequence in sequences]
        return [self._vector(row, length) for row, length in zip(rows, lengths, strict=True)]

    def _vector(self, states: NDArray[Any], length: int) -> bytes:
        # Each row by itself: its vector must not depend on the rest of the batch.
        if states.ndim == _TOKENS_AXES - 1:
            states = self._pooled(states[:length])
        norm = max(float(np.linalg.norm(states)), 1e-12)
        return (states / norm).astype("<f4").tobytes()

    def _pooled(self, tokens: NDArray[Any]) -> NDArray[Any]:
        if self._pooling == "mean":
            return tokens.mean(axis=0)
        return tokens[0] if self._pooling == "cls" else tokens[-1]
