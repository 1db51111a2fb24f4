"""The network in ONNX Runtime, fp32: its graph written out node by node, its weights those of a trained network."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from engage_pipeline.model.network.residual import ResidualNetwork

SLOPE = 0.01
OPSET = 17


def session(network: ResidualNetwork, threads: int) -> onnxruntime.InferenceSession:
    """A session that takes `known` float32 [n, known] and `categories` int64 [n, 3] and gives `logits` [n, 4]."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    model = _model(network).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _model(network: ResidualNetwork) -> onnx.ModelProto:
    weights = {name: tensor.detach().float().numpy() for name, tensor in network.state_dict().items()}
    hidden = network.config.hidden_size
    graph = _Graph()
    columns = graph.add("Split", "categories", outputs=3, axis=1, num=[1, 1, 1])
    embedded = []
    for name, column in zip(("language", "hour", "day"), columns, strict=True):
        (flat,) = graph.add("Squeeze", column, graph.constant(np.array([1])))
        embedded += graph.add("Gather", graph.constant(weights[f"{name}.weight"]), flat, axis=0)
    (x,) = graph.add("Concat", "known", *embedded, axis=1)
    first = np.hstack([weights["first_known.weight"], weights["first_embedded.weight"]])
    (both,) = graph.add("Gemm", x, graph.constant(first), graph.constant(weights["first_known.bias"]), transB=1)
    h, skip = graph.add("Split", both, outputs=2, axis=1, num=[hidden, hidden])
    h1 = h = graph.normalized(h, weights, 1)
    for place, name, extra in ((2, "second", skip), (3, "third", skip), (4, "fourth", h1)):
        (product,) = graph.linear(h, weights, name)
        (total,) = graph.add("Add", product, extra)
        h = graph.normalized(total, weights, place)
    graph.linear(h, weights, "output", result="logits")
    return graph.model(weights["first_known.weight"].shape[1])


class _Graph:
    """Nodes and constants, each named by its place."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: np.ndarray) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def add(self, kind: str, *inputs: str, outputs: int = 1, num: list[int] | None = None, **attributes: object):
        names = [f"node{len(self.nodes)}_{place}" for place in range(outputs)]
        sizes = [self.constant(np.array(num))] if num else []
        self.nodes.append(helper.make_node(kind, [*inputs, *sizes], names, **attributes))
        return names

    def linear(self, x: str, weights: dict[str, np.ndarray], name: str, result: str | None = None) -> list[str]:
        matrix, bias = (self.constant(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        names = self.add("Gemm", x, matrix, bias, transB=1)
        if result:
            self.nodes[-1].output[0] = result
        return names

    def normalized(self, x: str, weights: dict[str, np.ndarray], place: int) -> str:
        (active,) = self.add("LeakyRelu", x, alpha=SLOPE)
        parts = ("weight", "bias", "running_mean", "running_var")
        values = [self.constant(weights[f"norm{place}.{part}"]) for part in parts]
        (name,) = self.add("BatchNormalization", active, *values, epsilon=1e-5)
        return name

    def model(self, n_known: int) -> onnx.ModelProto:
        inputs = [
            helper.make_tensor_value_info("known", TensorProto.FLOAT, ["n", n_known]),
            helper.make_tensor_value_info("categories", TensorProto.INT64, ["n", 3]),
        ]
        outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4])]
        graph = helper.make_graph(self.nodes, "network", inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
