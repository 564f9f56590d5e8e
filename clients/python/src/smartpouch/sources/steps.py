"""The estimators inside a fitted estimator of scikit-learn, and the columns that they read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def inside(model: Any) -> Iterator[Any]:
    """The estimator and everything in it."""
    yield model
    for each in _members(model):
        yield from inside(each)


def readers(model: Any, columns: Sequence[str]) -> Iterator[tuple[Any, list[str]]]:
    """The estimators that read columns of a frame as they are, each with the names of its columns in its order."""
    if hasattr(model, "steps"):
        first = next((step for _, step in model.steps if _is_estimator(step)), None)
        if first is not None:
            yield from readers(first, columns)
    elif hasattr(model, "transformers_"):
        for name, step, _ in model.transformers_:
            if _is_estimator(step):
                yield from readers(step, [columns[at] for at in model._transformer_to_input_indices[name]])
            elif step == "passthrough":
                yield step, [columns[at] for at in model._transformer_to_input_indices[name]]
    else:
        members = list(_first_layer(model))
        for each in members:
            yield from readers(each, columns)
        if not members:
            yield model, list(columns)


def _members(model: Any) -> Iterator[Any]:
    for _, step in getattr(model, "steps", None) or ():
        if _is_estimator(step):
            yield step
    for _, step, _ in getattr(model, "transformers_", None) or ():
        if _is_estimator(step):
            yield step
    yield from _first_layer(model)
    final = getattr(model, "final_estimator_", None)
    if final is not None:
        yield final


def _first_layer(model: Any) -> Iterator[Any]:
    """Estimators that read the rows of the one around them."""
    for _, step in getattr(model, "transformer_list", None) or ():
        if _is_estimator(step):
            yield step
    for each in getattr(model, "calibrated_classifiers_", None) or ():
        yield each.estimator
    if type(model).__module__.startswith(_LAYERS):
        yield from filter(_is_estimator, model.estimators_)
    best = getattr(model, "best_estimator_", None)
    if best is not None:
        yield best


# Where estimators_ are worth a look: those of ensembles of trees are many, and have no steps.
_LAYERS = (
    *(f"sklearn.ensemble._{kind}" for kind in ("bagging", "stacking", "voting")),
    "sklearn.multiclass",
    "sklearn.multioutput",
)


def _is_estimator(step: Any) -> bool:
    return step is not None and not isinstance(step, str)
