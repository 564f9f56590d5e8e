"""The coverage table as Markdown, from parity.json and the list of scikit-learn's estimators.

usage: coverage.py [--sklearn | --into FILE]      (in the folder of parity.json)

--into writes between the markers of FILE, a path from the root of the checkout.  Without --sklearn: one line for each source, format and task, then what does not pass.  With it: every
estimator of scikit-learn, with its combinations or the reason why it is not in the suite.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

OTHER = {
    "converter": "the converter's file is not quite the model: the server answers as the file says, or onnxruntime cannot run it either",
    "refused": "not accepted",
    "rightly refused": "refused, as documented",
    "unsupported": "the converter does not take it",
    "not installed": "not run",
    "FAILED": "fails: an error, or a row that differs",
}


def main() -> int:
    content = json.loads(Path("parity.json").read_text())
    if "--into" in sys.argv:
        write_into(Path(__file__).resolve().parents[2] / sys.argv[sys.argv.index("--into") + 1], coverage_lines(content))
    else:
        print("\n".join(sklearn_lines(content) if "--sklearn" in sys.argv else coverage_lines(content)))
    return 0


def write_into(page: Path, lines: list[str]) -> None:
    """Replaces what is between the markers of a page."""
    before, begin, rest = page.read_text().partition("<!-- coverage: begin -->\n")
    _, end, after = rest.partition("<!-- coverage: end -->\n")
    if not begin or not end:
        raise SystemExit(f"{page.name} has no markers \"coverage: begin\" and \"coverage: end\"")
    page.write_text(before + begin + "\n" + "\n".join(lines) + "\n\n" + end + after)


def coverage_lines(content: dict[str, Any]) -> list[str]:
    """The table, and below it everything that is not simply a pass."""
    results = content["results"]
    passed = sum(each["status"] == "pass" for each in results)
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items() if name != "python")
    lines = [f"{passed} of {len(results)} combinations agree with the library that trained them, 500 rows each.",
             f"Versions: {versions}.", "", "| source | file | task | sees | tolerance | agree | of |",
             "|---|---|---|---|---|---|---|"]
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for each in results:
        if each["format"]:
            key = (each["source"], each["format"], each["task"], each["sees"], f"{each['tolerance']:g}")
            groups.setdefault(key, []).append(each)
    for key, chosen in groups.items():
        agreeing = sum(each["status"] == "pass" for each in chosen)
        lines.append(f"| {' | '.join(key)} | {agreeing} | {len(chosen)} |")
    return lines + other_lines(results)


def other_lines(results: list[dict[str, Any]]) -> list[str]:
    """Combinations that do not count as agreeing, by what happened."""
    counts = Counter(each["status"] for each in results)
    excused = [each for each in results if each["status"] == "pass" and each["message"]]
    lines = ["", f"Agree, but on a few rows with onnxruntime instead, at the same tolerance ({len(excused)}):", ""] if excused else []
    lines += [f"- `{each['name']}`: {short(each['message'])}" for each in excused]
    for status, meaning in OTHER.items():
        if counts[status]:
            lines += ["", f"{meaning[0].upper()}{meaning[1:]} ({counts[status]}):", ""]
            lines += [f"- `{each['name']}`: {short(each['message'])}" for each in results if each["status"] == status]
    return lines


def short(message: str) -> str:
    first = message.splitlines()[0] if message else ""
    return first if len(first) <= 160 else first[:157] + "..."


def sklearn_lines(content: dict[str, Any]) -> list[str]:
    """Every estimator of scikit-learn and what the suite does with it."""
    from sklearn_census import census

    statuses = {each["name"]: each["status"] for each in content["results"]}
    lines = ["| estimator | in the suite |", "|---|---|"]
    for name, text in census():
        shown = text if text.startswith("no:") else ", ".join(
            f"`{each}`{status_note(statuses.get(each, 'not run'))}" for each in text.split(", ")
        )
        lines.append(f"| {name} | {shown} |")
    return lines


def status_note(status: str) -> str:
    return "" if status == "pass" else f" ({status})"


if __name__ == "__main__":
    sys.exit(main())
