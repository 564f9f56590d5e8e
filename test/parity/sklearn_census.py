"""Every estimator of scikit-learn: in the suite under which names, or the reason why not."""

from __future__ import annotations

from skl2onnx._supported_operators import sklearn_operator_name_map

from from_sklearn import ESTIMATORS, registry
from sklearn_table import REASONS


def census() -> list[tuple[str, str]]:
    """(estimator, what the suite does with it), sorted by name; raises if one was forgotten."""
    converted = {cls.__name__ for cls in sklearn_operator_name_map}
    lines = []
    for name in sorted(ESTIMATORS):
        recipes = [recipe.name for recipe in registry.recipes if recipe.estimator == name]
        if recipes:
            lines.append((name, ", ".join(recipes)))
        elif name in REASONS:
            lines.append((name, f"no: {REASONS[name]}"))
        elif name in converted:
            raise ValueError(f"{name} is converted by skl2onnx: add a recipe or a reason to sklearn_table.py")
        else:
            lines.append((name, "no: skl2onnx has no converter for it"))
    return lines
