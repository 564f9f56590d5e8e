"""CatBoost: its JSON export."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from smartpouch.answers import Answers, plain_label
from smartpouch.errors import UnsupportedModel
from smartpouch.sources.converted import FLOAT64, Converted


def convert(model: Any, sample: Any) -> Converted:
    """The JSON form of a fitted model."""
    if not model.is_fitted():
        raise UnsupportedModel("the model is not fitted", "Call fit() first")
    labels = None
    if hasattr(model, "predict_proba"):
        labels = [plain_label(label) for label in model.classes_]
    return Converted(
        _json(model),
        feature_names=[str(name) for name in model.feature_names_],
        labels=labels,
        tolerance=FLOAT64,
        reference=lambda rows: _answers(model, rows),
    )


def _json(model: Any) -> bytes:
    # The library writes files only.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        model.save_model(str(path), format="json")
        return path.read_bytes()


def _answers(model: Any, rows: Any) -> Answers:
    if hasattr(model, "predict_proba"):
        return Answers(
            label=[plain_label(label) for label in model.predict(rows).ravel()],
            probabilities=model.predict_proba(rows),
        )
    return Answers(value=model.predict(rows))
