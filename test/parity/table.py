"""The table of results: on the terminal, as JSON, and its exit code."""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "xgboost", "lightgbm", "catboost", "scikit-learn", "skl2onnx", "onnxmltools", "onnx", "onnxruntime", "torch",
    "numpy", "psycopg",
)
ORDER = ("pass", "rightly refused", "converter", "refused", "unsupported", "not installed", "FAILED")


def show_progress(result: Any) -> None:
    """One line as soon as a combination is done."""
    message = f"  {result.message}" if result.message else ""
    print(f"{result.status:12} {result.name:44} {result.seconds:6.1f} s{message}", flush=True)


def show(results: list[Any]) -> None:
    """Counts for each source, then the failures again."""
    print(f"\n{'source':14}" + "".join(f"{status:>16}" for status in ORDER) + f"{'all':>8}")
    for source in [*dict.fromkeys(each.source for each in results), None]:
        chosen = [each for each in results if source in (each.source, None)]
        counts = Counter(each.status for each in chosen)
        line = "".join(f"{counts[status] or '':>16}" for status in ORDER)
        print(f"{source or 'all':14}{line}{len(chosen):>8}")
    failed = [each for each in results if each.status == "FAILED"]
    for each in failed:
        print(f"FAILED {each.name}: {each.message}")
    passed = sum(each.status == "pass" for each in results)
    print(f"\nparity: {passed} passed, {len(failed)} failed, {len(results) - passed - len(failed)} others")


def exit_code(results: list[Any], *, strict: bool) -> int:
    bad = {"FAILED", "refused", "unsupported"} if strict else {"FAILED"}
    ran = any(each.status == "pass" for each in results)
    return 1 if not ran or any(each.status in bad for each in results) else 0


def installed_versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write_json(results: list[Any], folder: Path) -> None:
    """parity.json: versions and every result."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "versions": installed_versions(),
        "counts": dict(Counter(each.status for each in results)),
        "results": [dataclasses.asdict(each) for each in results],
    }
    path = folder / "parity.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"wrote {path}", file=sys.stderr)
