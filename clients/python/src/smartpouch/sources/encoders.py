"""OneHotEncoder, TargetEncoder, and OrdinalEncoder of texts.

skl2onnx (1.20) knows no missing category, no merged ones in most forms, takes a number that is no integer for
the integer below, and encodes a missing category as the one behind the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from smartpouch.sources import texts
from smartpouch.sources.nodes import Nodes, columns_of

Converter = Callable[[Any, Any, Any], None]


def one_hot(convert: Converter) -> Converter:
    """In place of skl2onnx's converter of OneHotEncoder, for categories of texts and numbers."""

    def converted(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        nodes = Nodes(scope, container)
        columns = columns_of(operator.inputs, nodes, len(model.categories_))
        found = [_indicators(nodes, model, at, column, kind) for at, (column, kind) in enumerate(columns)]
        nodes.add("Concat", found, 13, output=operator.outputs[0].full_name, axis=1)

    return converted


def _indicators(nodes: Nodes, model: Any, at: int, column: str, kind: Any) -> str:
    """Those of one column: its categories, then what becomes of each by merging and dropping."""
    import numpy as np

    rule = texts.has_rule(model, at)
    single = nodes.add("Cast", [_equal(nodes, model.categories_[at], column, kind, rule)], 13, to=1)
    table, unknown = _columns_of_categories(model, at)
    if np.array_equal(table, np.eye(len(table))) and not unknown.any():
        return single
    found = nodes.add("MatMul", [single, nodes.constant(table.astype(np.float32))], 13)
    if not unknown.any():
        return found
    known = nodes.add("ReduceSum", [single, nodes.constant(np.array([1], dtype=np.int64))], 13)
    missed = nodes.add("Sub", [nodes.constant(np.ones((1, 1), dtype=np.float32)), known], 14)
    others = nodes.add("MatMul", [missed, nodes.constant(unknown.astype(np.float32))], 13)
    return nodes.add("Add", [found, others], 14)


def _equal(nodes: Nodes, categories: Any, column: str, kind: Any, takes_missing: bool) -> str:
    """Rows of a truth value, or 0 or 1, for each category."""
    import numpy as np
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    if isinstance(kind, StringTensorType):
        keys = [key.encode() for key in texts.keys(categories)]
        return nodes.add("Reshape", [
            nodes.add_ml("OneHotEncoder", [column], 1, cats_strings=keys, zeros=1),
            nodes.constant(np.array([-1, len(keys)], dtype=np.int64)),
        ], 14)
    if not isinstance(kind, (DoubleTensorType, FloatTensorType)):
        numbers = np.array([int(each) for each in categories], dtype=np.int64)
        return nodes.add("Equal", [nodes.add("Cast", [column], 13, to=7), nodes.constant(numbers[None, :])], 13)
    dtype = np.float32 if isinstance(kind, FloatTensorType) else np.float64
    missing = np.array([np.finfo(dtype).min], dtype=dtype)
    numbers = np.array([missing[0] if texts.is_missing(each) else each for each in categories], dtype=dtype)
    if takes_missing:
        # The lowest number stands for a missing one: no data has it.
        column = nodes.add("Where", [nodes.add("IsNaN", [column], 13), nodes.constant(missing), column], 9)
    return nodes.add("Equal", [column, nodes.constant(numbers[None, :])], 13)


def _columns_of_categories(model: Any, at: int) -> tuple[Any, Any]:
    """Which outputs a known category and an unknown one have: categories x outputs and 1 x outputs."""
    import numpy as np

    count = len(model.categories_[at])
    merged = model._default_to_infrequent_mappings[at] if model._infrequent_enabled else None
    table = np.eye(count) if merged is None else np.eye(int(max(merged)) + 1)[merged]
    unknown = np.zeros((1, table.shape[1]))
    if merged is not None and model.handle_unknown in ("infrequent_if_exist", "warn"):
        unknown[0, -1] = 1
    dropped = None if model.drop_idx_ is None else model.drop_idx_[at]
    if dropped is not None:
        at_output = int(dropped if merged is None else merged[dropped])
        table, unknown = np.delete(table, at_output, 1), np.delete(unknown, at_output, 1)
    return table, unknown


def ordinal(convert: Converter) -> Converter:
    """In place of skl2onnx's converter of OrdinalEncoder, for columns of text."""

    def converted(scope: Any, operator: Any, container: Any) -> None:
        from skl2onnx.common.data_types import StringTensorType

        if not all(isinstance(each.type, StringTensorType) for each in operator.inputs):
            convert(scope, operator, container)
            return
        nodes = Nodes(scope, container)
        found = [
            _codes(nodes, operator.raw_operator, at, column)
            for at, (column, _) in enumerate(columns_of(operator.inputs, nodes, len(operator.raw_operator.categories_)))
        ]
        nodes.add("Concat", found, 13, output=operator.outputs[0].full_name, axis=1)

    return converted


def _codes(nodes: Nodes, model: Any, at: int, column: str) -> str:
    import numpy as np

    categories = model.categories_[at]
    merged = model._default_to_infrequent_mappings[at] if model._infrequent_enabled else None
    codes: Any = np.arange(len(categories), dtype=np.float64)
    if merged is not None:
        codes[: len(merged)] = merged
    # Only NaN is missing to this encoder, None is a category as others are.
    codes[[isinstance(each, float) and math.isnan(each) for each in categories]] = model.encoded_missing_value
    unknown = -1.0 if model.unknown_value is None else float(model.unknown_value)
    found = nodes.add_ml(
        "LabelEncoder", [column], 2,
        keys_strings=[key.encode() for key in texts.keys(categories)],
        values_floats=codes.astype(np.float32),
        default_float=unknown,
    )
    return nodes.add("Reshape", [found, nodes.constant(np.array([-1, 1], dtype=np.int64))], 14)


def target(convert: Converter) -> Converter:
    """In place of skl2onnx's converter of TargetEncoder, for numbers in float64 and several classes too."""

    def converted(scope: Any, operator: Any, container: Any) -> None:
        import numpy as np

        model, nodes = operator.raw_operator, Nodes(scope, container)
        means = np.atleast_1d(model.target_mean_)[None, :]
        found = []
        for at, (column, kind) in enumerate(columns_of(operator.inputs, nodes, len(operator.raw_operator.categories_))):
            single = nodes.add("Cast", [_equal(nodes, model.categories_[at], column, kind, True)], 13, to=11)
            known = nodes.add("ReduceSum", [single, nodes.constant(np.array([1], dtype=np.int64))], 13)
            encodings = np.stack(model.encodings_[at * means.size : (at + 1) * means.size], axis=1)
            encoded = nodes.add("MatMul", [single, nodes.constant(encodings)], 13)
            missed = nodes.add("Sub", [nodes.constant(np.ones((1, 1))), known], 14)
            found.append(nodes.add("Add", [encoded, nodes.add("MatMul", [missed, nodes.constant(means)], 13)], 14))
        nodes.add("Concat", found, 13, output=operator.outputs[0].full_name, axis=1)

    return converted


def target_shape(operator: Any) -> None:
    """The shape of what a TargetEncoder gives: a column for each column, or for each column and class."""
    import numpy as np
    from skl2onnx.common.data_types import DoubleTensorType

    columns = len(operator.raw_operator.categories_) * np.atleast_1d(operator.raw_operator.target_mean_).size
    operator.outputs[0].set_type(DoubleTensorType([None, columns]))
