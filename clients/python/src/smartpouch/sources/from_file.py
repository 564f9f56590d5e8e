"""Model files, by path or as bytes; the server finds the format from the bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from smartpouch.errors import UnsupportedModel
from smartpouch.sources.converted import Converted

_PICKLES = {".joblib", ".pickle", ".pkl"}
_NATIVE = {
    ".pt": "Load it with torch and push the module",
    ".pth": "Load it with torch and push the module",
    ".cbm": "Load it with CatBoost().load_model(path) and push the object",
    ".h5": "Load it with keras, convert it with tf2onnx and push the ONNX file",
    ".keras": "Load it with keras, convert it with tf2onnx and push the ONNX file",
}


def convert(source: bytes | bytearray | memoryview | str | os.PathLike[str], sample: Any) -> Converted:
    """The bytes of a model file as they are; joblib and pickle files are loaded first."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _as_it_is(bytes(source), sample)
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix in _NATIVE:
        raise UnsupportedModel(f"{path.name} is a file of one library only", _NATIVE[suffix])
    if is_program(path):
        from smartpouch.sources import convert as convert_live

        return convert_live(_load(path), sample)
    return _as_it_is(path.read_bytes(), sample)


def _as_it_is(data: bytes, sample: Any) -> Converted:
    # An ONNX file begins with the version of its representation; other libraries' files answer nothing by themselves.
    if data[:1] == b"\x08" and sample is not None:
        from smartpouch.sources import from_onnx

        return Converted(data, reference=from_onnx.reference(data))
    return Converted(_checked(data))


def is_program(path: Path) -> bool:
    """True for files that run code when they are loaded."""
    return path.suffix.lower() in _PICKLES


def _checked(data: bytes) -> bytes:
    if not data:
        raise UnsupportedModel("the file is empty", "Save the model again")
    # Protocol 2 and later of pickle begin so, and no model format does.
    if data[0] == 0x80 and len(data) > 1 and 2 <= data[1] <= 5:
        raise UnsupportedModel(
            "these bytes are a pickle, which is a program",
            "Pass the path of a .pkl or .joblib file that you trust, or the live object",
        )
    return data


def _load(path: Path) -> Any:
    try:
        import joblib
    except ImportError:
        import pickle

        with path.open("rb") as file:
            return pickle.load(file)
    return joblib.load(path)
