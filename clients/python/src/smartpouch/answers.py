"""What a model answers to some rows, and the comparison of two such answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smartpouch.errors import ParityError


@dataclass(frozen=True)
class Answers:
    """Outputs of a model for some rows; None for what it does not have."""

    value: Sequence[Any] | None = None
    label: Sequence[str] | None = None
    probabilities: Sequence[Sequence[float]] | None = None


def plain_label(label: object) -> str:
    """A label as the server writes it: 1.0 is the class 1."""
    number = label.item() if hasattr(label, "item") else label
    if isinstance(number, bool):
        return str(int(number))
    if isinstance(number, float) and number.is_integer():
        return str(int(number))
    return str(number)


def close(expected: float, got: float | None, tolerance: float) -> bool:
    """True if two numbers agree; the server writes null for what is not finite."""
    if got is None or not math.isfinite(got):
        return not math.isfinite(expected)
    if not math.isfinite(expected):
        return False
    return abs(expected - got) <= tolerance * max(1.0, abs(expected))


def in_label_order(answer: Mapping[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """The answer with its probabilities as a list: jsonb sorts the keys of an object its own way."""
    probabilities = answer.get("probabilities")
    if labels is None or not isinstance(probabilities, Mapping):
        return dict(answer)
    return {**answer, "probabilities": [probabilities[label] for label in labels]}


def compare(expected: Answers, got: Sequence[Mapping[str, Any]], tolerance: float) -> None:
    """Raise ParityError for the first row that the server answers differently."""
    for row, answer in enumerate(got):
        if _compare_row(expected, answer, row, tolerance) == 0:
            raise ParityError(row, "outputs", "something to compare", sorted(answer), tolerance)


def golden_row(expected: Answers, answer: Mapping[str, Any], row: int) -> dict[str, Any]:
    """The library's answer to one row in the server's form, for the outputs that both sides have."""
    found: dict[str, Any] = {}
    if expected.value is not None and "value" in answer:
        value = [_json_number(number) for number in _flat(expected.value[row])]
        found["value"] = value if isinstance(answer["value"], list) else value[0]
    if expected.probabilities is not None and "probabilities" in answer:
        found["probabilities"] = [_json_number(number) for number in _flat(expected.probabilities[row])]
    # Another label passed only on a tie, where either may come.
    if expected.label is not None and plain_label(answer.get("label")) == expected.label[row]:
        found["label"] = answer["label"]
    return found


def _json_number(number: Any) -> float | str:
    """JSON has no number for what is not finite; the server reads these strings."""
    plain = float(number)
    if math.isnan(plain):
        return "NaN"
    return plain if math.isfinite(plain) else "Infinity" if plain > 0 else "-Infinity"


def _compare_row(expected: Answers, answer: Mapping[str, Any], row: int, tolerance: float) -> int:
    """Number of outputs that both sides have."""
    compared = 0
    if expected.value is not None and "value" in answer:
        _compare_numbers("value", _flat(expected.value[row]), _flat(answer["value"]), row, tolerance)
        compared += 1
    if expected.probabilities is not None and "probabilities" in answer:
        got = _flat(answer["probabilities"])
        _compare_numbers("probabilities", _flat(expected.probabilities[row]), got, row, tolerance)
        compared += 1
    if expected.label is not None and "label" in answer:
        _compare_label(expected, answer, row, tolerance)
        compared += 1
    return compared


def _compare_numbers(output: str, expected: list[Any], got: list[Any], row: int, tolerance: float) -> None:
    if len(expected) != len(got):
        raise ParityError(row, output, expected, got, tolerance)
    for left, right in zip(expected, got, strict=True):
        if not close(float(left), right, tolerance):
            raise ParityError(row, output, _single(expected), _single(got), tolerance)


def _compare_label(expected: Answers, answer: Mapping[str, Any], row: int, tolerance: float) -> None:
    assert expected.label is not None  # noqa: S101 - for the type checker
    if plain_label(answer["label"]) == expected.label[row]:
        return
    if expected.probabilities is not None and _is_tie(expected.probabilities[row], tolerance):
        return
    raise ParityError(row, "label", expected.label[row], answer["label"], tolerance)


def _is_tie(scores: Sequence[float], tolerance: float) -> bool:
    best = sorted((float(score) for score in scores), reverse=True)[:2]
    return len(best) == 2 and best[0] - best[1] <= tolerance * max(1.0, abs(best[0]))


def _flat(value: Any) -> list[Any]:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        return [value]
    return [cell for part in value for cell in _flat(part)]


def _single(numbers: list[Any]) -> Any:
    return numbers[0] if len(numbers) == 1 else numbers
