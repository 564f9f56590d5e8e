"""The table of results: on the terminal, as JSON, and its exit code."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections import Counter
from collections.abc import Container
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "xgboost", "lightgbm", "catboost", "scikit-learn", "skl2onnx", "onnxmltools", "onnx", "onnxruntime", "torch",
    "numpy", "psycopg",
)
SKIPPED = ("converter", "refused", "unsupported", "not installed")  # say nothing about the server's numbers
ORDER = ("pass", "rightly refused", "converter", "refused", "unsupported", "not installed", "FAILED")


def tap_line(number: int, name: str, outcome: str, skipped: Container[str], reason: str) -> str:
    """A line of the Test Anything Protocol: not ok if FAILED, skipped for the outcomes in ``skipped``."""
    reason = " ".join(reason.split())
    if outcome in skipped:
        return f"ok {number} - {name} # skip {outcome}: {reason}"
    return f"{'not ok' if outcome == 'FAILED' else 'ok'} {number} - {name}" + (f": {reason}" if reason else "")


def show_progress(number: int, result: Any) -> None:
    """One line as soon as a combination is done."""
    print(tap_line(number, result.name, result.status, SKIPPED, result.message), flush=True)


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


def write_json(results: list[Any]) -> None:
    """parity.json: versions and every result."""
    content = {
        "versions": installed_versions(),
        "counts": dict(Counter(each.status for each in results)),
        "results": [dataclasses.asdict(each) for each in results],
    }
    Path("parity.json").write_text(json.dumps(content, indent=1) + "\n")
