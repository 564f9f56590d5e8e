"""Columns of text in pipelines of scikit-learn: missing texts, and texts that training did not have.

A text of ONNX is never missing.  So where every step that reads a column has a rule for a missing text, the
file knows it as MISSING, a text with a character of private use, and the server takes this for NULL (import
option on_missing).  Where all encoders of texts refuse others than those of training, so does the server (on_unseen).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

from smartpouch.errors import UnsupportedModel
from smartpouch.sources import steps

MISSING = "\ue000missing"


def import_options(model: Any, columns: Sequence[str], texts: Collection[str]) -> dict[str, Any]:
    """What the server's import is told about the columns of text among a fitted model's columns."""
    read_by: dict[str, list[tuple[Any, int]]] = {name: [] for name in texts}
    for step, names in steps.readers(model, columns):
        for at, name in enumerate(names):
            if name in read_by:
                read_by[name].append((step, at))
    found: dict[str, Any] = {}
    on_missing = {name: MISSING for name, each in read_by.items() if each and all(has_rule(*place) for place in each)}
    if on_missing:
        found["on_missing"] = on_missing
    encoders = [each for each in steps.inside(model) if _is_encoder(each) and any(map(_is_text, each.categories_))]
    # Of a column that nothing reads, the server knows no text at all.
    if encoders and all(read_by.values()) and all(getattr(each, "handle_unknown", "") == "error" for each in encoders):
        found["on_unseen"] = "error"
    return found


def is_missing(value: Any) -> bool:
    """True for None, NaN and pandas.NA."""
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))


def keys(categories: Any) -> list[str]:
    """The categories of a column of text, the missing one as MISSING."""
    found = [MISSING if is_missing(each) else str(each) for each in categories]
    if found.count(MISSING) > 1:
        raise UnsupportedModel(
            "an encoder was trained with both None and NaN as categories, and SQL has one NULL for both",
            "Replace one by the other before training: frame.fillna(numpy.nan)",
        )
    return found


def replacements(step: Any) -> dict[str, Any]:
    """Attributes of a step under which skl2onnx, which knows no missing text, writes MISSING instead."""
    kind = type(step).__name__
    if kind == "SimpleImputer" and _is_text(getattr(step, "statistics_", ())) and is_missing(step.missing_values):
        return {"missing_values": MISSING}
    return {}


def has_rule(step: Any, at: int) -> bool:
    """True if a step takes a missing value in one of its columns."""
    kind = type(step).__name__
    if kind == "SimpleImputer":
        return is_missing(step.missing_values)
    if kind == "TargetEncoder":
        return True
    if _is_encoder(step):
        return step.handle_unknown != "error" or any(map(is_missing, step.categories_[at]))
    return False


def _is_encoder(step: Any) -> bool:
    return type(step).__name__ in ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder") and hasattr(step, "categories_")


def _is_text(values: Any) -> bool:
    """True for an array of categories or statistics that holds texts."""
    return any(isinstance(each, str) for each in values)
