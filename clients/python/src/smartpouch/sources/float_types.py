"""The float type of every step of an ONNX graph: float64, but for operators that only know float32.

The converters of skl2onnx (1.20) hand float64 rows to operators of ai.onnx.ml that compute in float32, let
results in float32 meet float64 numbers, and write some constants in float32.  Here rows are cast in front of
such an operator, not before the first step of the graph, and where both types meet the float32 ones become
float64, as in NumPy.
"""

from __future__ import annotations

from typing import Any

# Operators of ai.onnx.ml that hold no float32 numbers.
EXACT = {"ArrayFeatureExtractor", "CategoryMapper", "FeatureVectorizer", "LabelEncoder", "OneHotEncoder", "ZipMap"}


def only_float32(node: Any) -> bool:
    """True for operators whose numbers are float32 whatever the rows are; trees.py looks after trees."""
    return node.domain == "ai.onnx.ml" and node.op_type not in EXACT and not node.op_type.startswith("TreeEnsemble")


def settle(model: Any) -> None:
    """Add casts to a ModelProto until every node has the float types that it takes, and declare its outputs so."""
    import onnx

    graph = model.graph
    casts = _Casts(model)
    nodes = []
    for node in graph.node:
        nodes += [*casts.before(node), node]
        casts.learn(node)
    del graph.node[:]
    graph.node.extend(nodes)
    # What was declared of inner values may be wrong now, and nobody needs it.
    del graph.value_info[:]
    for output in graph.output:
        found = casts.types.get(output.name, onnx.TypeProto())
        for kind in ("tensor_type", "sequence_type"):
            if found.HasField(kind) and output.type.HasField(kind):
                _tensor(output.type).elem_type = _tensor(found).elem_type


class _Casts:
    """The types of all values up to some node."""

    def __init__(self, model: Any) -> None:
        import onnx

        self._opsets = {each.domain: each.version for each in model.opset_import}
        self._imports = list(model.opset_import)
        self.types = {each.name: each.type for each in model.graph.input}
        for constant in model.graph.initializer:
            self.types[constant.name] = onnx.helper.make_tensor_type_proto(constant.data_type, constant.dims)
        self._done: dict[tuple[str, int], str] = {}

    def before(self, node: Any) -> list[Any]:
        """The casts that a node needs; its inputs become theirs."""
        import onnx

        single, double = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE
        if only_float32(node):
            return self._cast(node, range(len(node.input)), double, single)
        found: list[Any] = []
        for positions in self._same_type(node):
            kinds = {self._kind(node.input[at]) for at in positions}
            if {single, double} <= kinds:
                found += self._cast(node, positions, single, double)
        return found

    def learn(self, node: Any) -> None:
        """The types of what a node gives; those of a node that the onnx package cannot judge stay unknown."""
        import onnx

        known = {name: self.types[name] for name in node.input if name in self.types}
        try:
            found = onnx.shape_inference.infer_node_outputs(
                self._schema(node), node, known, opset_imports=self._imports
            )
        except (onnx.shape_inference.InferenceError, onnx.defs.SchemaError, KeyError, RuntimeError):
            return
        self.types.update(found)

    def _cast(self, node: Any, positions: Any, given: int, wanted: int) -> list[Any]:
        import onnx

        added = []
        for at in positions:
            name = node.input[at]
            if self._kind(name) != given:
                continue
            cast = self._done.get((name, wanted))
            if cast is None:
                cast = self._done[(name, wanted)] = f"{name}_as_{onnx.TensorProto.DataType.Name(wanted).lower()}"
                added.append(onnx.helper.make_node("Cast", [name], [cast], name=f"cast_{cast}", to=wanted))
                self.types[cast] = onnx.TypeProto()
                self.types[cast].CopyFrom(self.types[name])
                self.types[cast].tensor_type.elem_type = wanted
            node.input[at] = cast
        return added

    def _same_type(self, node: Any) -> list[list[int]]:
        """Positions of inputs that must have one type."""
        try:
            formal = self._schema(node).inputs
        except Exception:  # an operator that the onnx package does not know
            return []
        groups: dict[str, list[int]] = {}
        for at in range(len(node.input)):
            groups.setdefault(formal[min(at, len(formal) - 1)].type_str, []).append(at)
        return list(groups.values())

    def _schema(self, node: Any) -> Any:
        import onnx

        return onnx.defs.get_schema(node.op_type, self._opsets[node.domain], node.domain)

    def _kind(self, name: str) -> int:
        found = self.types.get(name)
        return 0 if found is None or not found.HasField("tensor_type") else int(found.tensor_type.elem_type)


def _tensor(type_proto: Any) -> Any:
    """The tensor type of a value, or of the elements of a sequence."""
    single = type_proto.sequence_type.elem_type if type_proto.HasField("sequence_type") else type_proto
    return single.tensor_type
