"""The vectors in a provider's answer, which is read in a thread."""

from base64 import b64decode
from typing import Any

import numpy as np

from turnpike.embedding.model import ProviderError


def read_vectors(model: str, entries: Any, *, texts: int, dimensions: int) -> list[bytes]:
    """Returns vectors of length 1 in the order of the texts, 32-bit floats.

    Args:
        model: Our name of the model.
        entries: Objects with an `index`, and an `embedding`: numbers, or base64 of
            32-bit floats.
        texts: How many there must be.
        dimensions: How many components each must have.

    Raises:
        ProviderError: They are not what was asked for.
    """
    try:
        vectors = {int(entry["index"]): _vector(entry["embedding"]) for entry in entries}
        ordered = [vectors[index] for index in range(texts)]
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderError(model, "its answer has not the form of embeddings") from error
    if any(len(vector) != dimensions for vector in ordered):
        raise ProviderError(model, f"its vectors have not {dimensions} dimensions")
    return [_scaled(vector) for vector in ordered]


def _vector(written: Any) -> "np.ndarray[Any, np.dtype[np.float32]]":
    if isinstance(written, str):
        return np.frombuffer(b64decode(written), "<f4")
    return np.array(written, np.float32)


def _scaled(vector: "np.ndarray[Any, np.dtype[np.float32]]") -> bytes:
    norm = max(float(np.linalg.norm(vector)), 1e-12)
    return (vector / norm).astype("<f4").tobytes()
