"""Every block of doc/formats.md and of the client's README, word for word, on the server of the environment.

usage: recipes.py      (makes the database demo, which must not exist)

The Python blocks of a section are one program, as they are for who types them into one session; each SQL block is a script of psql.
All run in one empty folder.  Then the versions that a library's section made must answer alike: what the client compared with the
live model holds for the file that psql sent.  The Python blocks of the README are one program too, then its shell commands follow.
"""

from __future__ import annotations

import importlib.util
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "doc" / "formats.md"
README = ROOT / "clients" / "python" / "README.md"
FOLDER = Path("recipes")
TOLERANCE = 1e-9  # two versions of one model; one of them may be rounded to float32 sums in another order
SOURCES = ("scikit-learn", "XGBoost", "LightGBM", "CatBoost", "PyTorch")
# Large packages that are installed only when asked for.
OPTIONAL = {"PyTorch": ("torch", "onnxscript")}
BLOCK = re.compile(r"^```(python|sql|sh)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


@dataclass
class Section:
    """The blocks below one heading."""

    title: str
    python: str
    sql: list[str]


class Report:
    """Numbered lines of the Test Anything Protocol."""

    def __init__(self) -> None:
        self.number = self.failed = 0

    def line(self, name: str, problem: str = "", skip: str = "") -> None:
        """One test; a problem makes it fail."""
        self.number += 1
        self.failed += bool(problem)
        ending = f" # skip {skip}" if skip else ""
        print(f"{'not ok' if problem else 'ok'} {self.number} - {name}{ending}", flush=True)
        for each in problem.splitlines():
            print(f"# {each}", flush=True)


def main() -> int:
    sections = read_sections(PAGE.read_text())
    report = Report()
    missing = [title for title in SOURCES if not any(s.title == title and s.python and s.sql for s in sections)]
    report.line("each library has a recipe in Python and SQL", f"not so: {', '.join(missing)}" if missing else "")
    with psycopg.connect(dbname="postgres", autocommit=True) as admin:
        admin.execute("CREATE DATABASE demo")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for section in sections:
        run_section(section, report)
    run_readme(README.read_text(), report)
    print(f"1..{report.number}")
    return 1 if report.failed else 0


def read_sections(text: str) -> list[Section]:
    sections = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        blocks = BLOCK.findall(part)
        languages = [language for language, _ in blocks]
        if languages != sorted(languages):
            raise ValueError(f"{part.splitlines()[0]}: the Python blocks of a section come before those in SQL")
        program = "\n".join(block for language, block in blocks if language == "python")
        sections.append(Section(part.splitlines()[0], program, [b for language, b in blocks if language == "sql"]))
    return [section for section in sections if section.python or section.sql]


def run_section(section: Section, report: Report) -> None:
    absent = [name for name in OPTIONAL.get(section.title, ()) if importlib.util.find_spec(name) is None]
    if absent:
        report.line(section.title, skip=f"{' and '.join(absent)} not installed; PARITY_TORCH=1 installs them")
        return
    before = versions()
    if section.python:
        report.line(f"{section.title}: Python", run([sys.executable, "-c", section.python]))
    for at, script in enumerate(section.sql, 1):
        command = ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", "demo", "-f", "-"]
        report.line(f"{section.title}: SQL block {at}", run(command, script))
    made = sorted(versions() - before)
    if section.title in SOURCES:
        report.line(f"{section.title}: both ways answer alike", compare_versions(made))


def run_readme(text: str, report: Report) -> None:
    """The client's README: Python, then the blocks that use its command."""
    blocks = BLOCK.findall(text)
    program = "\n".join(block for language, block in blocks if language == "python")
    commands = [block for language, block in blocks if language == "sh" and block.startswith("smartpouch ")]
    report.line("the client's README has both", "" if program and commands else "blocks are missing")
    report.line("the client's README: Python", run([sys.executable, "-c", program]))
    # The package is not installed here, so neither is its command.
    shell = f'smartpouch() {{ "{sys.executable}" -m smartpouch "$@"; }}\nset -e\n'
    for at, block in enumerate(commands, 1):
        report.line(f"the client's README: commands {at}", run(["bash", "-c", shell + block]))


def run(command: list[str], given: str = "") -> str:
    """The end of what a command printed, if it failed."""
    environment = {**os.environ, "PGDATABASE": "demo"}
    done = subprocess.run(command, input=given, cwd=FOLDER, env=environment, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else "\n".join((done.stdout + done.stderr).splitlines()[-15:]) or "no output"


def versions() -> set[tuple[str, int]]:
    with psycopg.connect(dbname="demo") as conn:
        if conn.execute("SELECT to_regclass('smartpouch.versions')").fetchone() == (None,):
            return set()
        return set(conn.execute("SELECT model, version FROM smartpouch.versions"))


def compare_versions(made: list[tuple[str, int]]) -> str:
    """What is wrong with the two versions of one model that a recipe has to make."""
    if len(made) != 2 or made[0][0] != made[1][0]:
        return f"made are {made}, not two versions of one model"
    pushed, imported = (f"{model}:{version}" for model, version in made)
    with psycopg.connect(dbname="demo") as conn:
        checks = conn.execute("SELECT mismatch FROM smartpouch.check_golden(%s) WHERE NOT passed", (pushed,)).fetchall()
        if checks:
            return f"golden row of {pushed}: {checks[0][0]}"
        rows = conn.execute(
            "SELECT g.features FROM smartpouch.golden g JOIN smartpouch.model m ON m.id = g.model_id"
            " WHERE m.name = %s AND g.version = %s", made[0]).fetchall()
        if not rows:
            return f"{pushed} has no golden rows"
        for (features,) in rows:
            one, other = numbers(conn, pushed, features), numbers(conn, imported, features)
            if len(one) != len(other) or not all(map(close, one, other)):
                return f"{features}: {pushed} answers {one}, {imported} {other}"
    return ""


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def numbers(conn: psycopg.Connection[Any], ref: str, features: Any) -> list[float]:
    """The probabilities in the order of the labels, or the values."""
    found = conn.execute(
        "SELECT smartpouch.predict_json(%s, %s), labels FROM smartpouch.versions WHERE model || ':' || version = %s",
        (ref, Jsonb(features), ref)).fetchone()
    assert found is not None
    answer, labels = found
    if "probabilities" in answer:
        return [answer["probabilities"][label] for label in labels]
    value = answer["value"]
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    sys.exit(main())
