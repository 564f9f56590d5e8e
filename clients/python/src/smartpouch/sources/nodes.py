"""Writing nodes of ONNX from a converter that skl2onnx calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Nodes:
    """Adds nodes with names of their own; the opsets are those that from_sklearn.py asks for, or older."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope = scope
        self._container = container

    def constant(self, array: Any) -> str:
        """The name of an array of numbers, with its type."""
        from onnx import helper

        name = self._name("constant")
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        self._container.add_initializer(name, kind, list(array.shape), array.ravel().tolist())
        return name

    def texts(self, array: Any) -> str:
        """The name of an array of texts."""
        from onnx import TensorProto

        name = self._name("constant")
        self._container.add_initializer(name, TensorProto.STRING, [len(array)], [str(each).encode() for each in array])
        return name

    def add(self, kind: str, inputs: Sequence[str], since: int, output: str | None = None, **attributes: Any) -> str:
        """A node of ai.onnx, of the version of its operator; the name of its only output."""
        return self._add(kind, inputs, output, op_version=since, **attributes)

    def add_ml(self, kind: str, inputs: Sequence[str], since: int, output: str | None = None, **attributes: Any) -> str:
        """A node of ai.onnx.ml."""
        return self._add(kind, inputs, output, op_version=since, op_domain="ai.onnx.ml", **attributes)

    def column(self, rows: str, at: int) -> str:
        """One column of rows, as rows of one."""
        import numpy as np

        return self.add("Gather", [rows, self.constant(np.array([at], dtype=np.int64))], 13, axis=1)

    def _add(self, kind: str, inputs: Sequence[str], output: str | None, **attributes: Any) -> str:
        made = output or self._name(kind.lower())
        self._container.add_node(
            kind, list(inputs), made, name=self._scope.get_unique_operator_name(kind), **attributes
        )
        return made

    def _name(self, wanted: str) -> str:
        found: str = self._scope.get_unique_variable_name(wanted)
        return found


def columns_of(inputs: Sequence[Any], nodes: Nodes, total: int) -> list[tuple[str, Any]]:
    """Name and type of every column of a converter's inputs, which may be several columns each, ``total`` in all."""
    found = []
    for each in inputs:
        # The shape of an only input may be unknown.
        width = total if len(inputs) == 1 else each.type.shape[1]
        if width == 1:
            found.append((each.full_name, each.type))
        else:
            found += [(nodes.column(each.full_name, at), each.type) for at in range(width)]
    return found


def best_label(nodes: Nodes, scores: str, classes: Any, output: str) -> None:
    """The class with the highest score, the first of several."""
    label_at(nodes, nodes.add("ArgMax", [scores], 13, axis=1), classes, output)


def label_at(nodes: Nodes, place: str, classes: Any, output: str) -> None:
    """The class at a place, as skl2onnx writes it, which servers know as the label of a classifier."""
    import numpy as np

    is_text = np.asarray(classes).dtype.kind in "OUS"
    known = nodes.texts(classes) if is_text else nodes.constant(np.asarray(classes).astype(np.int32))
    found = nodes.add_ml("ArrayFeatureExtractor", [known, place], 1)
    shape = nodes.constant(np.array([-1], dtype=np.int64))
    if is_text:
        nodes.add("Reshape", [found, shape], 14, output=output)
    else:
        nodes.add("Cast", [nodes.add("Reshape", [found, shape], 14)], 13, output=output, to=7)
