"""The checks of the Python client: ruff, mypy, and pytest on the server of the environment, as TAP.

usage: client.py      (needs PARITY_CLIENT=1 of the script "python")
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

CLIENT = Path(__file__).resolve().parents[2] / "clients" / "python"


def run(module: str, *arguments: str) -> bool:
    """True if the tool is content; what it says goes to standard output."""
    environment = {**os.environ, "SMARTPOUCH_TEST_DSN": "dbname=postgres"}
    sys.stdout.flush()
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=CLIENT, env=environment, check=False).returncode == 0


def cases(report: Path) -> list[tuple[str, bool, str]]:
    """Name, success and reason to skip of each test in a JUnit report."""
    if not report.exists():
        return []
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        skipped = case.find("skipped")
        reason = "" if skipped is None else skipped.get("message", "")
        bad = case.find("failure") is not None or case.find("error") is not None
        found.append((f"{case.get('classname')}.{case.get('name')}", not bad, reason))
    return found


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        results = [
            ("ruff", run("ruff", "check", "--no-cache", "."), ""),
            ("mypy", run("mypy", "--cache-dir", str(Path(folder, "mypy"))), ""),
        ]
        succeeded = run("pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}")
        tests = cases(report)
    results += tests
    if not tests or (not succeeded and all(passed for _, passed, _ in tests)):
        results.append(("pytest", False, ""))
    print(f"1..{len(results)}")
    for at, (name, passed, reason) in enumerate(results, 1):
        print(f"{'ok' if passed else 'not ok'} {at} - {name}" + (f" # SKIP {reason}" if reason else ""))
    return 0 if all(passed for _, passed, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
