"""Stacking, calibrated classifiers and votes for labels, whatever the estimators in them read.

skl2onnx (1.20) gives the first two one tensor, so that none can begin with a ColumnTransformer of a data
frame; it takes the first column for the margin of a classifier of two classes, the probabilities of a
pipeline where scikit-learn takes its decision function, and the nearest point of an isotonic curve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from smartpouch.errors import UnsupportedModel
from smartpouch.sources.nodes import Nodes, best_label, label_at

Converter = Callable[[Any, Any, Any], None]


def with_one_input(calculate: Callable[[Any], None]) -> Callable[[Any], None]:
    """A calculator of shapes for which all columns of a frame are one tensor of float64."""

    def calculated(operator: Any) -> None:
        from skl2onnx.common._topology import Variable
        from skl2onnx.common.data_types import DoubleTensorType

        given = operator.inputs
        if len(given) > 1:
            operator.inputs = [Variable("frame", "frame", "", DoubleTensorType([None, len(given)]))]
        try:
            calculate(operator)
        finally:
            operator.inputs = given

    return calculated


def stacking(convert: Converter) -> Converter:
    """In place of skl2onnx's converters of StackingClassifier and StackingRegressor."""

    def converted(scope: Any, operator: Any, container: Any) -> None:
        from sklearn.base import is_classifier

        model = operator.raw_operator
        methods = getattr(model, "stack_method_", ["predict"] * len(model.estimators_))
        nodes = Nodes(scope, container)
        found = [
            _double(nodes, _scores(scope, container, each, operator.inputs, method))
            for each, method in zip(model.estimators_, methods, strict=True)
        ]
        if is_classifier(model) and len(model.classes_) == 2:
            found = [
                each if method == "predict" else _second(nodes, each)
                for each, method in zip(found, methods, strict=True)
            ]
        if model.passthrough:
            if len(operator.inputs) > 1:
                raise UnsupportedModel(
                    f"this {type(model).__name__} passes the columns of a data frame through to its last estimator",
                    "Put the ColumnTransformer before it in a pipeline, or train it without passthrough",
                )
            found.append(operator.inputs[0].full_name)
        merged = _variable(scope, "stacked", model.final_estimator_.n_features_in_)
        nodes.add("Concat", found, 13, output=merged.full_name, axis=1)
        outputs = _parsed(scope, container, model.final_estimator_, [merged], {})
        nodes.add("Identity", [outputs[-1].full_name], 13, output=operator.outputs[-1].full_name)
        if hasattr(model.final_estimator_, "predict_proba"):
            best_label(nodes, operator.outputs[-1].full_name, model.classes_, operator.outputs[0].full_name)
        elif is_classifier(model):
            label_at(nodes, outputs[0].full_name, model.classes_, operator.outputs[0].full_name)

    return converted


def calibrated(convert: Converter) -> Converter:
    """In place of skl2onnx's converter of CalibratedClassifierCV."""

    def converted(scope: Any, operator: Any, container: Any) -> None:
        import numpy as np

        model = operator.raw_operator
        nodes = Nodes(scope, container)
        members = [_calibrated(scope, container, each, operator.inputs) for each in model.calibrated_classifiers_]
        total = members[0]
        for each in members[1:]:
            total = nodes.add("Add", [total, each], 14)
        count = nodes.constant(np.array([len(members)], dtype=np.float64))
        probabilities = nodes.add("Div", [total, count], 14, output=operator.outputs[1].full_name)
        best_label(nodes, probabilities, model.classes_, operator.outputs[0].full_name)

    return converted


def votes(convert: Converter) -> Converter:
    """In place of skl2onnx's converter of VotingClassifier, summed in float64 and scikit-learn's order."""

    def converted(scope: Any, operator: Any, container: Any) -> None:
        import numpy as np

        model = operator.raw_operator
        nodes = Nodes(scope, container)
        weights = [1.0] * len(model.estimators_) if model.weights is None else model._weights_not_none
        total = ""
        for each, weight in zip(model.estimators_, weights, strict=True):
            label, scores = _parsed(scope, container, each, operator.inputs, {})
            vote = _chosen(nodes, label.full_name, len(model.classes_)) if model.voting == "hard" else scores.full_name
            share = nodes.add("Mul", [_double(nodes, vote), nodes.constant(np.full((1, 1), float(weight)))], 14)
            total = nodes.add("Add", [total, share], 14) if total else share
        divisor = 1.0 if model.voting == "hard" else float(sum(weights))
        nodes.add("Div", [total, nodes.constant(np.array([divisor]))], 14, output=operator.outputs[1].full_name)
        best_label(nodes, operator.outputs[1].full_name, model.classes_, operator.outputs[0].full_name)

    return converted


def _chosen(nodes: Nodes, label: str, count: int) -> str:
    """True for the class that a member chose, which knows the classes by their places."""
    import numpy as np

    column = nodes.add("Reshape", [label, nodes.constant(np.array([-1, 1], dtype=np.int64))], 14)
    return nodes.add("Equal", [column, nodes.constant(np.arange(count)[None, :])], 13)


def _calibrated(scope: Any, container: Any, member: Any, inputs: Sequence[Any]) -> str:
    """The probabilities of one of the classifiers, each with calibrators of its own."""
    import numpy as np

    nodes = Nodes(scope, container)
    estimator = member.estimator
    if member.method not in _CURVES or not np.array_equal(estimator.classes_, member.classes):
        raise UnsupportedModel(
            f"a CalibratedClassifierCV of method {member.method!r}"
            + ("" if member.method not in _CURVES else ", one of whose classifiers never saw some classes"),
            "Train it with method='sigmoid' or 'isotonic', and all classes in each fold",
        )
    # As scikit-learn prefers them.
    method = "decision_function" if hasattr(estimator, "decision_function") else "predict_proba"
    scores = _double(nodes, _scores(scope, container, estimator, inputs, method))
    curve = _CURVES[member.method]
    if len(member.classes) == 2:
        second = curve(nodes, _second(nodes, scores), member.calibrators[0])
        first = nodes.add("Sub", [nodes.constant(np.ones((1, 1))), second], 14)
        return nodes.add("Concat", [first, second], 13, axis=1)
    each = [curve(nodes, nodes.column(scores, at), found) for at, found in enumerate(member.calibrators)]
    return _normalized(nodes, nodes.add("Concat", each, 13, axis=1), len(each))


def _normalized(nodes: Nodes, rows: str, count: int) -> str:
    """Rows over their sum; the uniform distribution where that is 0."""
    import numpy as np

    total = nodes.add("ReduceSum", [rows, nodes.constant(np.array([1], dtype=np.int64))], 13)
    is_zero = nodes.add("Equal", [total, nodes.constant(np.zeros((1, 1)))], 13)
    divided = nodes.add("Div", [rows, total], 14)
    return nodes.add("Where", [is_zero, nodes.constant(np.full((1, count), 1 / count)), divided], 9)


def _sigmoid(nodes: Nodes, scores: str, found: Any) -> str:
    import numpy as np

    slope, offset = (nodes.constant(np.full((1, 1), -float(number))) for number in (found.a_, found.b_))
    return nodes.add("Sigmoid", [_line(nodes, scores, slope, offset)], 13)


def _isotonic(nodes: Nodes, scores: str, found: Any) -> str:
    """Linear between the two points around a score; the first or last value beyond them."""
    import numpy as np

    x, y = (np.asarray(points, dtype=np.float64) for points in (found.X_thresholds_, found.y_thresholds_))
    least, most = (nodes.constant(np.array(bound)) for bound in (x[0], x[-1]))
    scores = nodes.add("Clip", [scores, least, most], 13)
    if len(x) == 1:
        return _line(nodes, scores, nodes.constant(np.zeros((1, 1))), nodes.constant(y[None, :]))
    # The last piece whose start is not above the score, as numpy.interp() finds it.
    starts = _double(nodes, nodes.add("GreaterOrEqual", [scores, nodes.constant(x[None, :-1])], 16))
    place = nodes.add("ReduceSum", [starts, nodes.constant(np.array([1], dtype=np.int64))], 13)
    pieces = nodes.constant(np.arange(1.0, len(x))[None, :])
    chosen = _double(nodes, nodes.add("Equal", [place, pieces], 13))
    slope, start, value = (
        nodes.add("MatMul", [chosen, nodes.constant(each[:, None])], 13)
        for each in (np.diff(y) / np.diff(x), x[:-1], y[:-1])
    )
    return _line(nodes, nodes.add("Sub", [scores, start], 14), slope, value)


def _line(nodes: Nodes, at: str, slope: str, offset: str) -> str:
    return nodes.add("Add", [nodes.add("Mul", [slope, at], 14), offset], 14)


_CURVES = {"sigmoid": _sigmoid, "isotonic": _isotonic}


def _double(nodes: Nodes, rows: str) -> str:
    return nodes.add("Cast", [rows], 13, to=11)


def _second(nodes: Nodes, scores: str) -> str:
    """The last column: that of the second of two classes, or the only margin."""
    import numpy as np

    last, end, axis = (nodes.constant(np.array([number], dtype=np.int64)) for number in (-1, 2**31 - 1, 1))
    return nodes.add("Slice", [scores, last, end, axis], 13)


def _scores(scope: Any, container: Any, model: Any, inputs: Sequence[Any], method: str) -> str:
    """What a method of an estimator gives."""
    if type(model).__name__ == "FrozenEstimator":
        model = model.estimator
    wanted = {"raw_scores": True} if method == "decision_function" else {}
    found: str = _parsed(scope, container, model, inputs, wanted)[-1].full_name
    return found


def _parsed(scope: Any, container: Any, model: Any, inputs: Sequence[Any], wanted: dict[str, bool]) -> Any:
    """The outputs of an estimator or pipeline, which skl2onnx converts later."""
    from skl2onnx._parse import _parse_sklearn
    from sklearn.base import is_classifier

    last = model
    while True:
        if is_classifier(last):
            # Without ZipMap, which makes a dictionary of the probabilities.
            for each in (scope, container):
                each.add_options(id(last), {"zipmap": False})
        if not hasattr(last, "steps"):
            break
        last = last.steps[-1][1]
    if wanted:
        if not container.has_options(last, "raw_scores"):
            raise UnsupportedModel(
                f"skl2onnx has no decision function of a {type(last).__name__}",
                "Use a classifier with probabilities alone there, or another one",
            )
        for each in (scope, container):
            each.add_options(id(last), {"zipmap": False, **wanted})
    return _parse_sklearn(scope, model, list(inputs), custom_parsers=None)


def _variable(scope: Any, name: str, width: int) -> Any:
    from skl2onnx.common.data_types import DoubleTensorType

    found = scope.declare_local_variable(name, DoubleTensorType([None, width]))
    return found
