"""A BERT model at work."""

from collections.abc import Sequence

import numpy as np
from onnxruntime import (
    InferenceSession,
    OrtValue,
    SessionOptions,  # pyright: ignore[reportAttributeAccessIssue] # of a compiled module
)

from turnpike.embedding.backends.bert_graph import BertGraph


class Encoder:
    """Turns token sequences into vectors. Safe to use from several threads."""

    def __init__(self, graph: BertGraph, *, threads: int) -> None:
        options = SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning would burn a core between batches; the arena would keep the
        # memory of the largest batch for good.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False
        values = [OrtValue.ortvalue_from_numpy(weight) for weight in graph.weights.values()]
        options.add_external_initializers(list(graph.weights), values)
        self._session = InferenceSession(
            graph.serialized, options, providers=["CPUExecutionProvider"]
        )

    def encode(self, sequences: Sequence[Sequence[int]], width: int) -> list[bytes]:
        """Returns the vector of each sequence, little-endian 32-bit floats.

        Each is padded to `width`. A sequence's vector is the same to the last
        bit in every batch of that width.
        """
        ids = np.zeros((len(sequences), width), np.int64)
        mask = np.zeros_like(ids)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        (vectors,) = self._session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})
        return [vector.tobytes() for vector in np.asarray(vectors, "<f4")]
