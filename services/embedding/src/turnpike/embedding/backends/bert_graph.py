"""BERT as an ONNX graph, drawn here so that neither torch nor a converted file is needed.

The graph holds no weights: it names them, and whoever runs it brings them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

Weights = Mapping[str, NDArray[Any]]

OPSET = 20
IR_VERSION = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BertShape:
    """The numbers that make one BERT differ from the next."""

    hidden: int
    heads: int
    layers: int
    epsilon: float
    pooling: str = "mean"
    """`mean` of a text's own tokens, or `cls`: the first one's."""


@dataclass(frozen=True, slots=True)
class BertGraph:
    """A serialized graph, and the weights that it names."""

    serialized: bytes
    weights: Weights


def draw(shape: BertShape, weights: Weights) -> BertGraph:
    """Draws the graph from `input_ids` and `attention_mask` to `embedding`.

    The embedding is the last layer, pooled over a text's own tokens and scaled
    to length 1.
    """
    pen = _Pen(shape, weights)
    mask = pen.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    bias = _attention_bias(pen, mask)
    states = _embed_tokens(pen)
    for layer in range(shape.layers):
        states = _transform(pen, f"encoder.layer.{layer}", states, bias)
    pooled = _mean(pen, states, mask) if shape.pooling == "mean" else _first(pen, states)
    pen.node("LpNormalization", pooled, output="embedding", axis=-1, p=2)
    return BertGraph(pen.serialize(), pen.used)


class _Pen:
    """Adds nodes and initializers to a graph under drawing."""

    def __init__(self, shape: BertShape, weights: Weights) -> None:
        self.shape = shape
        self.used: dict[str, NDArray[Any]] = {}
        self._weights = weights
        self._initializers: dict[str, TensorProto] = {}
        self._nodes: list[NodeProto] = []

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def weight(self, name: str, *, transposed: bool = False) -> str:
        """Names a weight of the model; its values stay outside the graph."""
        values = self._weights[name].T if transposed else self._weights[name]
        self.used[name] = np.ascontiguousarray(values)
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=values.shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights")
        self._initializers[name] = tensor
        return name

    def constant(self, value: NDArray[Any] | np.float32) -> str:
        name = f"constant_{value.dtype}_{np.asarray(value).tolist()}"
        self._initializers[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def axis(self, *axes: int) -> str:
        return self.constant(np.array(axes, np.int64))

    def linear(self, prefix: str, states: str) -> str:
        product = self.node("MatMul", states, self.weight(f"{prefix}.weight", transposed=True))
        return self.node("Add", product, self.weight(f"{prefix}.bias"))

    def normalize(self, prefix: str, states: str) -> str:
        scale, bias = self.weight(f"{prefix}.weight"), self.weight(f"{prefix}.bias")
        epsilon = self.shape.epsilon
        return self.node("LayerNormalization", states, scale, bias, axis=-1, epsilon=epsilon)

    def serialize(self) -> bytes:
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ]
        output = helper.make_tensor_value_info(
            "embedding", TensorProto.FLOAT, ["batch", self.shape.hidden]
        )
        initializers = list(self._initializers.values())
        graph = helper.make_graph(self._nodes, "bert", inputs, [output], initializers)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        return model.SerializeToString()


def _attention_bias(pen: _Pen, mask: str) -> str:
    """Returns 0 for a token and a number that the softmax turns into 0 for padding."""
    absent = pen.node("Sub", pen.constant(np.float32(1)), mask)
    bias = pen.node("Mul", absent, pen.constant(np.float32(-1e9)))
    return pen.node("Unsqueeze", bias, pen.axis(1, 2))


def _embed_tokens(pen: _Pen) -> str:
    words = pen.node("Gather", pen.weight("embeddings.word_embeddings.weight"), "input_ids")
    tokens = pen.node("Gather", pen.node("Shape", "input_ids"), pen.axis(1))
    table = pen.weight("embeddings.position_embeddings.weight")
    positions = pen.node("Slice", table, pen.axis(0), tokens, pen.axis(0))
    types = pen.weight("embeddings.token_type_embeddings.weight")
    kind = pen.node("Gather", types, pen.constant(np.array(0, np.int64)))
    total = pen.node("Add", pen.node("Add", words, positions), kind)
    return pen.normalize("embeddings.LayerNorm", total)


def _transform(pen: _Pen, layer: str, states: str, bias: str) -> str:
    mixed = pen.linear(f"{layer}.attention.output.dense", _attend(pen, layer, states, bias))
    states = pen.normalize(f"{layer}.attention.output.LayerNorm", pen.node("Add", mixed, states))
    wide = pen.node("Gelu", pen.linear(f"{layer}.intermediate.dense", states))
    narrow = pen.linear(f"{layer}.output.dense", wide)
    return pen.normalize(f"{layer}.output.LayerNorm", pen.node("Add", narrow, states))


def _attend(pen: _Pen, layer: str, states: str, bias: str) -> str:
    per_head = pen.shape.hidden // pen.shape.heads
    split = pen.axis(0, 0, pen.shape.heads, per_head)

    def project(name: str, *axes: int) -> str:
        projected = pen.linear(f"{layer}.attention.self.{name}", states)
        return pen.node("Transpose", pen.node("Reshape", projected, split), perm=axes)

    scores = pen.node("MatMul", project("query", 0, 2, 1, 3), project("key", 0, 2, 3, 1))
    scale = pen.constant(np.float32(1 / np.sqrt(per_head)))
    biased = pen.node("Add", pen.node("Mul", scores, scale), bias)
    heads = pen.node("MatMul", pen.node("Softmax", biased, axis=-1), project("value", 0, 2, 1, 3))
    joined = pen.node("Transpose", heads, perm=[0, 2, 1, 3])
    return pen.node("Reshape", joined, pen.axis(0, 0, pen.shape.hidden))


def _first(pen: _Pen, states: str) -> str:
    return pen.node("Gather", states, pen.constant(np.array(0, np.int64)), axis=1)


def _mean(pen: _Pen, states: str, mask: str) -> str:
    # ReduceSum adds in another order when a text is alone in its batch; MatMul
    # does not, and a vector must not depend on what else was embedded with it.
    row = pen.node("Unsqueeze", mask, pen.axis(1))
    total = pen.node("Squeeze", pen.node("MatMul", row, states), pen.axis(1))
    count = pen.node("ReduceSum", mask, pen.axis(1), keepdims=1)
    return pen.node("Div", total, count)
